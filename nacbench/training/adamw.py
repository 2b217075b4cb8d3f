"""AdamW over flat parameters: clipping and update are one operation for all of them, not one for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim import AdamW

from nacbench.nn.flat import FlatLayout, FlatParameters

# Elements whose squares are summed in one go. In float32 the norm of 20 million at once is off by 1e-3, that of the
# norms of such pieces by 2e-6 (torch 2.14, CPU).
PIECE = 65536
STATE = ("step", "exp_avg", "exp_avg_sq")  # torch's names for the state of a parameter


class FlatAdamW(AdamW):
    """`torch.optim.AdamW`, which clips and steps on flat tensors wherever that gives the same weights.

    Groups, states and checkpoints are those of AdamW, parameter by parameter; the states are views of flat tensors.

    One rule says which way a step goes. It is flat if the parameters can be (see `nacbench.nn.flat.FlatLayout.of`) and
    still lie in the flat tensor, if all of them have a gradient, and if all have made as many steps. Otherwise it is
    torch's own, parameter by parameter: AdamW leaves a parameter without a gradient as it is, with its moments and its
    number of steps.

    Args:
        net: the network, on its device. Its trainable parameters become views of one tensor.
        groups: names of trainable parameters, each once, and the ``weight_decay`` of each group.
        betas: of AdamW.

    Attributes:
        flat: the parameters as one tensor; None if they cannot be.
    """

    def __init__(
        self, net: nn.Module, groups: Sequence[tuple[Sequence[str], float]], betas: tuple[float, float]
    ) -> None:
        named = dict(net.named_parameters())
        apart: list[dict[str, Any]] = [
            {"params": [named[name] for name in names], "weight_decay": decay} for names, decay in groups
        ]
        super().__init__(apart, betas=betas, fused=True)
        layout = FlatLayout.of(net, [names for names, _ in groups])
        self.flat = FlatParameters(net, layout) if layout else None
        self._counts: list[int] = []  # steps of each parameter
        if self.flat:
            self._joint = _Joint(self.flat, betas, [decay for _, decay in groups])
            self._share(self.flat)

    def clip(self, norm: float) -> None:
        """Scale all gradients so that their L2 norm over all parameters is at most this."""
        if self._gather():
            self._joint.clip(norm)
        else:
            nn.utils.clip_grad_norm_([p for group in self.param_groups for p in group["params"]], norm)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Make a step with the gradients that the parameters have; there is no ``closure``."""
        if not self._gather():
            for index, parameter in enumerate(self.flat.parameters if self.flat else ()):
                self._counts[index] += parameter.grad is not None
            super().step()
            return
        assert self.flat is not None
        self._joint.step(self._counts[0], [group["lr"] for group in self.param_groups])
        self._steps += 1
        self._counts = [count + 1 for count in self._counts]
        self.flat.changed()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load what ``state_dict`` gave, also that of `torch.optim.AdamW` for these parameters."""
        super().load_state_dict(dict(state_dict))
        if self.flat:
            self._share(self.flat)

    def _share(self, flat: FlatParameters) -> None:
        """Move the states of all parameters, of which those that have made no step have none, into flat tensors."""
        # Copies, because they may lie in these very tensors
        given = {key: {name: value.clone() for name, value in state.items()} for key, state in self.state.items()}
        self._steps = torch.zeros(len(flat.parameters), device=flat.tensor.device)
        for moment in self._joint.moments:
            moment.zero_()
        views = zip(self._steps, *map(flat.layout.views, self._joint.moments), strict=True)
        for parameter, own in zip(flat.parameters, views, strict=True):
            self.state[parameter] = dict(zip(STATE, own, strict=True))
            for name, value in given.get(parameter, {}).items():
                self.state[parameter][name].copy_(value)
        self._counts = [int(count) for count in self._steps.tolist()]

    def _gather(self) -> bool:
        """Copy all gradients into the flat one, of which they become views; return whether the step is a flat one."""
        if self.flat is None or not self.flat.is_whole or len(set(self._counts)) > 1:
            return False
        gradients = [parameter.grad for parameter in self.flat.parameters]
        found = [gradient for gradient in gradients if gradient is not None]
        if len(found) < len(gradients):
            return False
        views = self._joint.gradients
        if any(gradient is not view for gradient, view in zip(found, views, strict=True)):  # not gathered yet
            torch._foreach_copy_(views, found)
            for parameter, view in zip(self.flat.parameters, views, strict=True):
                parameter.grad = view
        return True


class _Joint:
    """AdamW of which each group is one flat tensor.

    Args:
        flat: the parameters.
        betas: of AdamW.
        decays: weight decay of each group.
    """

    def __init__(self, flat: FlatParameters, betas: tuple[float, float], decays: Sequence[float]) -> None:
        layout, device = flat.layout, flat.tensor.device
        self._gradient = layout.empty(device)
        self._pieces = self._gradient.split(PIECE)
        self.gradients = layout.views(self._gradient)
        self.moments = (layout.empty(device), layout.empty(device))
        self._ranges = layout.ranges(flat.tensor)
        for own, gradient in zip(self._ranges, layout.ranges(self._gradient), strict=True):
            own.grad = gradient
        groups = [{"params": [own], "weight_decay": decay} for own, decay in zip(self._ranges, decays, strict=True)]
        self._adamw = AdamW(groups, betas=betas, fused=True)
        for own, *moments in zip(self._ranges, *map(layout.ranges, self.moments), strict=True):
            step = torch.zeros((), device=device)
            self._adamw.state[own] = dict(zip(STATE, (step, *moments), strict=True))

    def clip(self, norm: float) -> None:
        """Scale the gradient so that its norm is at most this."""
        total = nn.utils.get_total_norm(self._pieces)
        # As torch's clip_grad_norm_, without a branch: that would wait for a GPU
        self._gradient.mul_((norm / (total + 1e-6)).clamp(max=1.0))

    def step(self, before: int, rates: Sequence[float]) -> None:
        """Make a step.

        Args:
            before: number of steps so far.
            rates: learning rate of each group.
        """
        for group, rate, own in zip(self._adamw.param_groups, rates, self._ranges, strict=True):
            group["lr"] = rate
            self._adamw.state[own]["step"].fill_(before)
        self._adamw.step()
