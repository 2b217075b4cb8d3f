"""Linear and feed-forward layers whose computation is modulated by a module's code."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn import Parameter, init


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

    def gain(self, codes: Tensor) -> Tensor:
        """The factor ``1 + α · LN(W_z z)`` that each module's input is multiplied by.

        Args:
            codes: U×Z, or B×U×Z where every example has a circuit of its own.

        Returns:
            U×in_dim, or B×U×in_dim. It depends on the codes alone.
        """
        direction = F.linear(codes, self.code_proj)
        return 1 + self.alpha * F.layer_norm(direction, direction.shape[-1:])

    def forward(self, x: Tensor, codes: Tensor) -> Tensor:
        """Apply the layer to one state a module.

        Args:
            x: …×U×in_dim.
            codes: U×Z or B×U×Z.

        Returns:
            …×U×out_dim.
        """
        return F.linear(x * self.gain(codes), self.weight, self.bias)


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
        value, gate = self.up(self.norm(x), codes).chunk(2, dim=-1)
        return x + self.down(value * F.gelu(gate), codes)
