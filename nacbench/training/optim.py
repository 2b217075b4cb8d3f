"""Optimiser (AdamW with weight-decay groups), learning-rate schedule (warm-up, cosine) and averaged weights (EMA)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from nacbench.contracts.recipe import Recipe
from nacbench.nn.flat import FlatParameters
from nacbench.training.adamw import FlatAdamW

MOST_INITIAL = 0.1  # largest share of the initial weights in an average that is worth scoring


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


def make_optimizer(net: nn.Module, recipe: Recipe) -> FlatAdamW:
    """Return AdamW over all trainable parameters in two groups, with and without weight decay.

    Its learning rate is torch's default: the loop sets that of `learning_rate` before each step.
    """
    spared = undecayed(net)
    trained = [name for name, parameter in net.named_parameters() if parameter.requires_grad]
    groups = [
        ([name for name in trained if name not in spared], recipe.weight_decay),
        ([name for name in trained if name in spared], 0.0),
    ]
    return FlatAdamW(net, groups, (recipe.beta1, recipe.beta2))


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate of a step: linear warm-up from ``lr_start`` to ``lr``, then cosine decay to ``lr_end``.

    In the schedule ``cosine`` the last step has exactly ``lr_end`` (Loshchilov and Hutter 2017, arXiv 1608.03983,
    equation 5, without restarts). In ``epoch-cosine`` the rate changes once an epoch, and the cosine is that of the
    whole training, of which the warm-up hides the beginning: the first epoch has ``lr_start``, and ``lr_end`` would
    come after the last one (timm 0.4.12, ``CosineLRScheduler`` with ``warmup_prefix=False``).

    Args:
        recipe: provides the three rates, the epochs and the warm-up epochs.
        step: optimiser step from 0.
        steps_per_epoch: at least 1.
    """
    if recipe.schedule == "epoch-cosine":
        now: float = step // steps_per_epoch
        warmup, begin, end = recipe.warmup_epochs, 0.0, float(recipe.epochs)
    else:
        now, warmup = step, round(recipe.warmup_epochs * steps_per_epoch)
        begin, end = warmup, recipe.epochs * steps_per_epoch - 1
    if now < warmup:
        return recipe.lr_start + (recipe.lr - recipe.lr_start) * now / warmup
    lowest = min(recipe.lr_end, recipe.lr)  # a rate below lr_end (for example in tuning) must not rise to it
    progress = (now - begin) / max(1, end - begin)
    return lowest + (recipe.lr - lowest) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


class AveragedWeights(AveragedModel):
    """Exponential moving average (EMA) of weights: ``a ← d·a + (1 - d)·w``, from the initial weights on.

    Args:
        net: the network to average, on its device.
        decay: d, in [0, 1).
        warmup: let d be min(decay, (1 + n) / (10 + n)) after n updates, and 0 in the first one, so that a short run
            does not average over its random initial weights; as TensorFlow's ``ExponentialMovingAverage`` with
            ``num_updates``.
        flat: the network's flat parameters, if it has them: then they are averaged as one tensor.
    """

    def __init__(
        self, net: nn.Module, decay: float, *, warmup: bool = False, flat: FlatParameters | None = None
    ) -> None:
        super().__init__(net)
        self._decay = decay
        self._warmup = warmup
        self._flat = (FlatParameters(self.module, flat.layout), flat) if flat else None

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Update the average with the network's weights. Buffers are always copied."""
        # Overrides torch 2.14's own method, which compares a counter on the GPU and so synchronises at every step
        decay = warm_decay(self._decay, int(self.n_averaged)) if self._warmup else self._decay
        if self._flat and all(flat.is_whole for flat in self._flat):
            averages, weights = ([flat.tensor, *flat.others] for flat in self._flat)
            self._flat[0].changed()
        else:
            averages, weights = list[Tensor](self.module.parameters()), list[Tensor](model.parameters())
        torch._foreach_lerp_(averages, weights, 1 - decay)
        for own, other in zip(self.module.buffers(), model.buffers(), strict=True):
            own.copy_(other)
        self.n_averaged += 1


def make_update(net: nn.Module, recipe: Recipe) -> Callable[[], None]:
    """Return what a step does once a network has its gradients: clipping, AdamW and averaged weights.

    The learning rate is torch's default.

    Args:
        net: the network, on its device.
        recipe: says how.
    """
    optimizer = make_optimizer(net, recipe)
    ema, warmup = recipe.ema, recipe.ema_warmup
    average = AveragedWeights(net, ema, warmup=warmup, flat=optimizer.flat) if ema else None

    def update() -> None:
        if recipe.clip_norm:
            optimizer.clip(recipe.clip_norm)
        optimizer.step()
        optimizer.zero_grad()
        if average is not None:
            average.update_parameters(net)

    return update


def warm_decay(decay: float, updates: int) -> float:
    """Return the decay of the warm-up after this many updates: 0 before the first one."""
    return min(decay, (1 + updates) / (10 + updates)) if updates else 0.0


def average_caveat(recipe: Recipe, steps: int, usual: Recipe | None = None) -> str | None:
    """Return why the average of weights is not what ``training.ema`` promises in a run of so few steps, or None.

    Args:
        recipe: of the run. An average that is not scored needs no caveat.
        steps: of the whole run.
        usual: the task's own recipe. A short run under its decay and warm-up averages fewer steps, as the warm-up is
            there for; a decay that the user chose would never apply.
    """
    if not recipe.ema or not recipe.score_ema:
        return None
    reached = warm_decay(recipe.ema, steps - 1)
    is_usual = usual is not None and (usual.ema, usual.ema_warmup) == (recipe.ema, recipe.ema_warmup)
    if recipe.ema_warmup and reached < recipe.ema and not is_usual:
        return (
            f"training.ema = {recipe.ema:g} never applies: in {steps:,} steps its warm-up has come to {reached:.6g}; "
            "train longer, lower it, or switch training.ema_warmup off"
        )
    initial = recipe.ema**steps
    if not recipe.ema_warmup and initial > MOST_INITIAL:
        return (
            f"training.ema = {recipe.ema:g}: after {steps:,} steps {100 * initial:.0f} % of the average are still the "
            "initial weights; train longer, lower it, or set training.ema_warmup=true"
        )
    return None
