"""Optimiser (AdamW with weight-decay groups), learning-rate schedule (warm-up, cosine) and averaged weights (EMA)."""

import math
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from nacbench.contracts.recipe import Recipe


def undecayed(net: nn.Module) -> set[str]:
    """Return the names of parameters without weight decay.

    These are biases, parameters with at most one axis, and those that a module lists in its class attribute
    ``no_weight_decay`` (signatures, position grids, …).
    """
    parameters = dict(net.named_parameters())
    names = {name for name, p in parameters.items() if p.dim() <= 1 or name.rpartition(".")[2] == "bias"}
    for prefix, module in net.named_modules():
        own = getattr(module, "no_weight_decay", ())
        names |= {f"{prefix}.{name}" if prefix else name for name in own}
    return names & parameters.keys()


def make_optimizer(net: nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    """Return AdamW over all trainable parameters in two groups, with and without weight decay.

    Its learning rate is torch's default: the loop sets that of `learning_rate` before each step.
    """
    spared = undecayed(net)
    named = [(name, parameter) for name, parameter in net.named_parameters() if parameter.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for name, p in named if name not in spared], "weight_decay": recipe.weight_decay},
        {"params": [p for name, p in named if name in spared], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, betas=(recipe.beta1, recipe.beta2), fused=True)


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate of a step: linear warm-up from ``lr_start`` to ``lr``, then cosine decay to ``lr_end``.

    The last step has exactly ``lr_end`` (Loshchilov and Hutter 2017, arXiv 1608.03983, equation 5, without restarts).

    Args:
        recipe: provides the three rates, the epochs and the warm-up epochs.
        step: optimiser step from 0.
        steps_per_epoch: at least 1.
    """
    total = recipe.epochs * steps_per_epoch
    warmup = round(recipe.warmup_epochs * steps_per_epoch)
    if step < warmup:
        return recipe.lr_start + (recipe.lr - recipe.lr_start) * step / warmup
    lowest = min(recipe.lr_end, recipe.lr)  # a rate below lr_end (for example in tuning) must not rise to it
    progress = (step - warmup) / max(1, total - 1 - warmup)
    return lowest + (recipe.lr - lowest) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


class AveragedWeights(AveragedModel):
    """Exponential moving average (EMA) of weights: ``a ← d·a + (1 - d)·w``, d = min(decay, (1 + n) / (10 + n)).

    n is the number of updates so far. The decay warms up, so that a short run does not average over its random initial
    weights. Same rule as TensorFlow's ``ExponentialMovingAverage`` with ``num_updates``.

    Args:
        net: the network to average, on its device.
        decay: in [0, 1).
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        super().__init__(net)
        self._decay = decay

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Update the average with the network's weights; the first update copies them. Buffers are always copied."""
        # Overrides torch 2.14's own method, which compares a counter on the GPU and so synchronises at every step
        n = int(self.n_averaged)
        weight = 1 - min(self._decay, (1 + n) / (10 + n)) if n else 1.0
        torch._foreach_lerp_(list(self.module.parameters()), list(model.parameters()), weight)
        for own, other in zip(self.module.buffers(), model.buffers(), strict=True):
            own.copy_(other)
        self.n_averaged += 1
