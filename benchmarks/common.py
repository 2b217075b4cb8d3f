"""What the benchmarks share: rows of the table, networks of the settings that are compared, and their steps."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from nacbench.contracts.spec import Batch, TaskSpec
from nacbench.nn.cuda_graphs import WARM_UP, GraphedPass
from nacbench.nn.kernels import kernels_with_gradients
from nacbench.registry import MODELS

Work = Callable[[], object]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One thing that was measured.

    Attributes:
        what: in a few words.
        reached: the number, mostly a ratio.
        goal: what it shall be at most or at least, or None where it is only told.
        at_least: whether more is better.
        unit: behind the numbers.
        note: spread, or how it was measured.
    """

    what: str
    reached: float
    goal: float | None = None
    at_least: bool = False
    unit: str = "×"
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal was reached; None without one."""
        if self.goal is None:
            return None
        return self.reached >= self.goal if self.at_least else self.reached <= self.goal


@dataclass(frozen=True)
class Setting:
    """Two models of the same widths on the same tokens.

    Attributes:
        name: in tables.
        batch, tokens, token_dim, classes: B, V, T and the number of classes.
        nac: NAC's options over its size ``paper``.
        perceiver: Perceiver IO's over ``published``: as deep and wide as NAC.
    """

    name: str
    batch: int
    tokens: int
    token_dim: int
    classes: int
    nac: dict[str, Any]
    perceiver: dict[str, Any]

    def spec(self) -> TaskSpec:
        """What both are told of the task."""
        return TaskSpec(modality="image", classes=self.classes, max_tokens=self.tokens, token_dim=self.token_dim)

    def circuit(self, **changes: Any) -> nn.Module:
        """NAC without a prior."""
        options = {"prior": "none", **self.nac, **changes}
        return MODELS.get("nac").configured("model", "paper", options).build(self.spec())

    def baseline(self) -> nn.Module:
        """Perceiver IO."""
        return MODELS.get("perceiver-io").configured("model", "published", self.perceiver).build(self.spec())


TINY_IMAGENET = Setting("Tiny-ImageNet", 8, 64, 256, 200, {}, {})
FULL = replace(TINY_IMAGENET, name="Tiny-ImageNet, batch 256", batch=256)  # for a GPU, which 8 examples do not fill
SMALL = Setting(
    "64 modules of width 128",
    128,
    64,
    128,
    10,
    {
        "modules": 64,
        "readout_modules": 8,
        "state_dim": 128,
        "signature_dim": 32,
        "depth": 3,
        "heads": 4,
        "head_dim": 32,
    },
    {"latents": 64, "latent_dim": 128, "depth": 3, "heads": 4, "head_dim": 32, "cross_head_dim": 32},
)


def device() -> str:
    """The GPU where there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def precision(name: str) -> Any:
    """A context in which networks run in fp32 or bf16."""
    return torch.autocast(device(), torch.bfloat16, enabled=name == "bf16")


def tokens_for(setting: Setting, batch: int | None = None) -> torch.Tensor:
    """Random tokens."""
    return torch.randn(batch or setting.batch, setting.tokens, setting.token_dim, device=device())


def training_step(core: nn.Module, setting: Setting, kind: str, *, graphs: bool = True) -> Work:
    """Forward, backward and AdamW on random tokens; on a GPU launched as ``nacbench run`` does it."""
    core = core.to(device()).train()
    optimizer = torch.optim.AdamW(core.parameters(), lr=1e-4, fused=True)
    labels = torch.randint(setting.classes, (setting.batch,), device=device())
    batch = Batch({"tokens": tokens_for(setting)}, labels)

    def loss_of(batch: Batch) -> torch.Tensor:
        with precision(kind), kernels_with_gradients(device(), setting.tokens):
            return F.cross_entropy(core(**batch.inputs).float(), batch.target)

    gradients = gradients_of(core, loss_of, graphs=graphs)

    def work() -> None:
        gradients(batch)
        optimizer.step()
        optimizer.zero_grad()

    if device() == "cuda" and graphs:
        for _ in range(WARM_UP + 1):
            work()
    return work


def gradients_of(
    net: nn.Module, loss_of: Callable[[Batch], torch.Tensor], *, graphs: bool = True
) -> Callable[[Batch], object]:
    """Forward and backward pass, on a GPU launched as ``nacbench run`` does it."""

    def gradients(batch: Batch) -> torch.Tensor:
        loss = loss_of(batch)
        loss.backward()
        return loss.detach()

    if device() == "cpu" or not graphs:
        return gradients
    return functools.partial(GraphedPass(gradients, list(net.parameters()), print), seed=0)


def eager_step(core: nn.Module, setting: Setting, kind: str) -> Work:
    """The same without graphs on a GPU."""
    return training_step(core, setting, kind, graphs=False)


def compiled_step(core: nn.Module, setting: Setting, kind: str) -> Work:
    """The same of a network that ``torch.compile`` made faster; its first call takes a minute."""
    return training_step(torch.compile(core.to(device())), setting, kind)


def inference(core: nn.Module, setting: Setting, kind: str, batch: int | None = None) -> Work:
    """A forward pass in evaluation mode, of a copy."""
    core = copy.deepcopy(core).to(device()).eval()
    tokens = tokens_for(setting, batch)

    def work() -> None:
        with torch.inference_mode(), precision(kind):
            core(tokens)

    return work
