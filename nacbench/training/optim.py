"""AdamW with its exemptions from weight decay, the learning-rate schedule, and averaged weights."""

import math
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from nacbench.contracts.recipe import Recipe


def undecayed(net: nn.Module) -> set[str]:
    """Names of parameters without weight decay: one axis or fewer, biases, and what modules name themselves.

    A module names its own parameters in the class attribute ``no_weight_decay`` (signatures, position grids …).
    """
    parameters = dict(net.named_parameters())
    names = {name for name, p in parameters.items() if p.dim() <= 1 or name.rpartition(".")[2] == "bias"}
    for prefix, module in net.named_modules():
        own = getattr(module, "no_weight_decay", ())
        names |= {f"{prefix}.{name}" if prefix else name for name in own}
    return names & parameters.keys()


def make_optimizer(net: nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW over all trainable parameters, in two groups: with weight decay and without.

    Its learning rate is torch's default: training sets that of `learning_rate` before each step.
    """
    spared = undecayed(net)
    named = [(name, parameter) for name, parameter in net.named_parameters() if parameter.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for name, p in named if name not in spared], "weight_decay": recipe.weight_decay},
        {"params": [p for name, p in named if name in spared], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, betas=(recipe.beta1, recipe.beta2), fused=True)


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """Linear warm-up from ``lr_start`` to ``lr``, then a cosine down to ``lr_end`` at the last step.

    Args:
        recipe: gives the three rates, the epochs and the warm-up epochs.
        step: from 0.
        steps_per_epoch: at least 1.
    """
    total = recipe.epochs * steps_per_epoch
    warmup = round(recipe.warmup_epochs * steps_per_epoch)
    if step < warmup:
        return recipe.lr_start + (recipe.lr - recipe.lr_start) * step / warmup
    lowest = min(recipe.lr_end, recipe.lr)
    progress = (step - warmup) / max(1, total - 1 - warmup)
    return lowest + (recipe.lr - lowest) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


class AveragedWeights(AveragedModel):
    """Exponentially averaged weights: ``a ← d·a + (1 - d)·w`` with d = min(decay, (1 + n) / (10 + n)) at update n.

    The decay warms up, so that a short run does not average over its random start. torch's class holds the average; its
    update, though, sends a counter to the GPU and waits for it.

    Args:
        net: that is averaged, on its device.
        decay: in [0, 1).
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        super().__init__(net)
        self._decay = decay

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Take the network's weights into the average, the first time as they are; buffers are copied."""
        n = int(self.n_averaged)
        weight = 1 - min(self._decay, (1 + n) / (10 + n)) if n else 1.0
        torch._foreach_lerp_(list(self.module.parameters()), list(model.parameters()), weight)
        for own, other in zip(self.module.buffers(), model.buffers(), strict=True):
            own.copy_(other)
        self.n_averaged += 1
