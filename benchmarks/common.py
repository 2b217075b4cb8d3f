"""What the benchmarks share: rows of the table, networks of the settings that are compared, and their steps."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from nacbench.kernels import kernels_with_gradients
from nacbench.registry import MODELS
from nacbench.task import TaskSpec

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


def training_step(core: nn.Module, setting: Setting, kind: str) -> Work:
    """Forward, backward and AdamW on random tokens."""
    core = core.to(device()).train()
    optimizer = torch.optim.AdamW(core.parameters(), lr=1e-4, fused=True)
    tokens = tokens_for(setting)
    labels = torch.randint(setting.classes, (setting.batch,), device=device())

    def work() -> None:
        with precision(kind), kernels_with_gradients(device(), setting.tokens):
            loss = F.cross_entropy(core(tokens).float(), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return work


def inference(core: nn.Module, setting: Setting, kind: str, batch: int | None = None) -> Work:
    """A forward pass in evaluation mode, of a copy."""
    core = copy.deepcopy(core).to(device()).eval()
    tokens = tokens_for(setting, batch)

    def work() -> None:
        with torch.inference_mode(), precision(kind):
            core(tokens)

    return work
