"""Linear and feed-forward layers whose computation is modulated by a module's code."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn import Parameter, init


def narrow(x: Tensor) -> Tensor:
    """In the precision that matrix products have here, so that the element-wise work around them is not wider."""
    kind = x.device.type
    return x.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else x


class ModFC(nn.Module):
    """A linear layer modulated by a code: ``ModFC(x; z) = W (x ⊙ (1 + α · LN(W_z z))) + b``.

    Args:
        in_dim: width of the input.
        out_dim: width of the output.
        code_dim: width Z of the code.
        bias: whether the layer adds b.

    Every module shares W, W_z, b and α; only its code makes it compute something of its own. With α = 0 this is a
    plain linear layer. Source of the formula: arXiv 2210.08031, section 3.
    """

    def __init__(self, in_dim: int, out_dim: int, code_dim: int, *, bias: bool = True) -> None:
        super().__init__()
        self.weight = Parameter(torch.empty(out_dim, in_dim))
        self.code_proj = Parameter(torch.empty(in_dim, code_dim))
        self.alpha = Parameter(torch.tensor(0.1))
        self.bias = Parameter(torch.zeros(out_dim)) if bias else None
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        init.kaiming_uniform_(self.code_proj, a=math.sqrt(5))
        self._remembered: tuple[Tensor, Any, Tensor] | None = None  # codes, state of the weights, gain

    def gain(self, codes: Tensor) -> Tensor:
        """The factor ``1 + α · LN(W_z z)`` that each module's input is multiplied by.

        Args:
            codes: U×Z, or B×U×Z where every example has a circuit of its own.

        Returns:
            U×in_dim, or B×U×in_dim, in the precision of matrix products. It depends on the codes alone: where no
            gradients are asked for, that of learned codes is computed once.
        """
        if torch.is_grad_enabled() or not isinstance(codes, Parameter) or torch.compiler.is_compiling():
            return self._gain(codes)
        made_of = (codes, self.code_proj, self.alpha)
        state = (codes.device, torch.is_autocast_enabled(codes.device.type), *(x._version for x in made_of))
        if self._remembered is None or self._remembered[0] is not codes or self._remembered[1] != state:
            self._remembered = codes, state, self._gain(codes)
        return self._remembered[2]

    def train(self, mode: bool = True) -> "ModFC":
        """Whatever was remembered of the weights ends with a change between training and evaluation."""
        self._remembered = None
        return super().train(mode)

    def __getstate__(self) -> dict[str, Any]:
        """A copy remembers nothing."""
        return {**self.__dict__, "_remembered": None}

    def _gain(self, codes: Tensor) -> Tensor:
        direction = F.linear(codes, self.code_proj)
        return narrow(1 + self.alpha * F.layer_norm(direction, direction.shape[-1:]))

    def forward(self, x: Tensor, codes: Tensor) -> Tensor:
        """Apply the layer to one state a module.

        Args:
            x: …×U×in_dim.
            codes: U×Z or B×U×Z.

        Returns:
            …×U×out_dim.
        """
        return F.linear(narrow(x) * self.gain(codes), self.weight, self.bias)


class ModFFN(nn.Module):
    """The modulated feed-forward layer, always residual: ``x + down(GEGLU(up(LN(x); z)); z)``.

    GEGLU(a, b) = a ⊙ gelu(b), where (a, b) are the two halves, in this order, of what ``up`` gives.

    Args:
        state_dim: width C of a module's state.
        code_dim: width Z of a code.
        mult: the hidden width is ``mult`` times C.
    """

    def __init__(self, state_dim: int, code_dim: int, mult: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(state_dim)
        self.up = ModFC(state_dim, 2 * mult * state_dim, code_dim)
        self.down = ModFC(mult * state_dim, state_dim, code_dim)

    def forward(self, x: Tensor, codes: Tensor) -> Tensor:
        """Update the states x (…×U×C) of modules with these codes (U×Z or B×U×Z); returns …×U×C."""
        hidden = modulated_geglu(self.up(self.norm(x), codes), self.down.gain(codes))
        return x + F.linear(hidden, self.down.weight, self.down.bias)


def modulated_geglu(hidden: Tensor, gain: Tensor) -> Tensor:
    """``a ⊙ gelu(b) ⊙ gain``, where (a, b) are the two halves of what is given.

    Args:
        hidden: …×U×2K.
        gain: U×K or B×U×K.

    Returns:
        …×U×K.
    """
    if torch.compiler.is_compiling():  # which fuses the obvious way better than this one
        value, gate = hidden.chunk(2, dim=-1)
        return value * F.gelu(gate) * gain
    result: Tensor = _ModulatedGEGLU.apply(hidden, gain)
    return result


class _ModulatedGEGLU(torch.autograd.Function):
    """The hidden layer is a circuit's largest tensor: passes over it that autograd would add are saved here, and both
    halves of its gradient are written where they belong instead of being put together afterwards."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, gain: Tensor) -> Tensor:
        value, gate = hidden.chunk(2, dim=-1)
        active = F.gelu(gate)
        product = value * active
        ctx.save_for_backward(hidden, gain, active, product)
        return product * gain

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        hidden, gain, active, product = ctx.saved_tensors
        value, gate = hidden.chunk(2, dim=-1)
        grad_hidden = torch.empty_like(hidden)
        grad_value, grad_gate = grad_hidden.chunk(2, dim=-1)
        grad_gain = (grads[0] * product).sum_to_size(gain.shape)
        scaled = grads[0] * gain
        torch.mul(scaled, active, out=grad_value)
        torch.ops.aten.gelu_backward.grad_input(scaled * value, gate, grad_input=grad_gate)
        return grad_hidden, grad_gain
