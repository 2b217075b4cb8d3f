"""Shared code of the benchmarks: table rows, the compared settings, their networks, training steps and inference."""

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
from nacbench.machine.hardware import best_precision
from nacbench.nn.cuda_graphs import WARM_UP, GraphedPass
from nacbench.nn.kernels import kernels_with_gradients
from nacbench.registry import MODELS

Work = Callable[[], object]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measurement.

    Attributes:
        what: short description.
        reached: measured value, mostly a ratio.
        goal: upper bound, or lower bound if ``at_least``; None without a goal.
        at_least: larger is better.
        unit: unit of both values.
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
    """NAC and Perceiver IO of the same widths on the same tokens.

    Attributes:
        name: in tables.
        batch, tokens, token_dim, classes: B, V, T and the number of classes.
        nac: NAC's options on top of its size ``paper``.
        perceiver: Perceiver IO's options on top of ``published``, which is as deep and wide as NAC.
    """

    name: str
    batch: int
    tokens: int
    token_dim: int
    classes: int
    nac: dict[str, Any]
    perceiver: dict[str, Any]

    def spec(self) -> TaskSpec:
        """Return the task specification for both models."""
        return TaskSpec(modality="image", classes=self.classes, max_tokens=self.tokens, token_dim=self.token_dim)

    def circuit(self, **changes: Any) -> nn.Module:
        """Return a NAC without graph prior."""
        options = {"prior": "none", **self.nac, **changes}
        return MODELS.get("nac").configured("model", "paper", options).build(self.spec())

    def baseline(self) -> nn.Module:
        """Return a Perceiver IO."""
        return MODELS.get("perceiver-io").configured("model", "published", self.perceiver).build(self.spec())


TINY_IMAGENET = Setting("Tiny-ImageNet", 8, 64, 256, 200, {}, {})
FULL = replace(TINY_IMAGENET, name="Tiny-ImageNet, batch 256", batch=256)  # 8 examples do not fill a GPU
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
    """Return ``cuda`` if there is a GPU, otherwise ``cpu``."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def kinds() -> tuple[str, ...]:
    """Return the precisions worth timing here, the best last: without instructions for bf16 it takes minutes a step."""
    return ("fp32", "bf16") if best_precision() == "bf16" else ("fp32",)


def precision(name: str) -> Any:
    """Return the autocast context for ``fp32`` or ``bf16``."""
    return torch.autocast(device(), torch.bfloat16, enabled=name == "bf16")


def tokens_for(setting: Setting, batch: int | None = None) -> torch.Tensor:
    """Return random tokens B×V×T."""
    return torch.randn(batch or setting.batch, setting.tokens, setting.token_dim, device=device())


def training_step(core: nn.Module, setting: Setting, kind: str, *, graphs: bool = True) -> Work:
    """Return a training step (forward, backward, AdamW) on random tokens; on a GPU with CUDA graphs as in a run."""
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

    if device() == "cuda" and graphs:  # warm-up and capture happen here, not in the measurement
        for _ in range(WARM_UP + 1):
            work()
    return work


def gradients_of(
    net: nn.Module, loss_of: Callable[[Batch], torch.Tensor], *, graphs: bool = True
) -> Callable[[Batch], object]:
    """Return forward and backward pass; on a GPU with CUDA graphs as in a run."""

    def gradients(batch: Batch) -> torch.Tensor:
        loss = loss_of(batch)
        loss.backward()
        return loss.detach()

    if device() == "cpu" or not graphs:
        return gradients
    return functools.partial(GraphedPass(gradients, list(net.parameters()), print), seed=0)


def eager_step(core: nn.Module, setting: Setting, kind: str) -> Work:
    """Return a training step without CUDA graphs."""
    return training_step(core, setting, kind, graphs=False)


def compiled_step(core: nn.Module, setting: Setting, kind: str) -> Work:
    """Return a training step of a network under ``torch.compile``; its first call takes a minute."""
    compiled: Any = torch.compile(core.to(device()))  # a module, which torch's types do not say
    return training_step(compiled, setting, kind)


def inference(core: nn.Module, setting: Setting, kind: str, batch: int | None = None) -> Work:
    """Return a forward pass in evaluation mode, on a copy of the network."""
    core = copy.deepcopy(core).to(device()).eval()
    tokens = tokens_for(setting, batch)

    def work() -> None:
        with torch.inference_mode(), precision(kind):
            core(tokens)

    return work
