"""ModFC and ModFFN: linear and feed-forward layers modulated by a module's code (arXiv 2210.08031)."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import Parameter, init

from nacbench.kernels.geglu import fits_geglu, geglu
from nacbench.kernels.norm import fits_norm_gains, norm_gains, norm_gains_gradients
from nacbench.kernels.operators import rows_of
from nacbench.kernels.path import in_use

# The gain on each layer's input; see `gains_of`
Gains = Mapping["ModFC", Tensor]


def narrow(x: Tensor) -> Tensor:
    """Cast to the autocast dtype if autocast is on, so that element-wise work is no wider than the matrix products."""
    kind = x.device.type
    return x.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else x


class ModFC(nn.Module):
    """A linear layer modulated by a code: ``ModFC(x; z) = W (x ⊙ (1 + α · LN(W_z z))) + b``.

    Args:
        in_dim: width of the input.
        out_dim: width of the output.
        code_dim: width Z of the code; None for a plain linear layer, without W_z and α.
        bias: whether the layer adds b.

    All modules share W (out×in), W_z (in×Z), b and α; only the code z differs from module to module. With α = 0 this is
    a plain linear layer, too. LN has no affine parameters and eps 1e-5. Source: arXiv 2210.08031, section 3.
    """

    def __init__(self, in_dim: int, out_dim: int, code_dim: int | None, *, bias: bool = True) -> None:
        super().__init__()
        self.weight = Parameter(torch.empty(out_dim, in_dim))
        self.code_proj = None if code_dim is None else Parameter(torch.empty(in_dim, code_dim))
        # Initial value of the authors' settings
        self.alpha = None if code_dim is None else Parameter(torch.tensor(0.1))
        self.bias = Parameter(torch.zeros(out_dim)) if bias else None
        # as torch.nn.Linear initialises its weight
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.code_proj is not None:
            init.kaiming_uniform_(self.code_proj, a=math.sqrt(5))

    def forward(self, x: Tensor, gains: Gains, *, biased: bool = True) -> Tensor:
        """Apply the layer, or all of it but its bias, to one vector per module: x …×U×in_dim → …×U×out_dim."""
        return linear_of_product(narrow(x), gains[self], self.weight, self.bias if biased else None)


def linear_of_product(x: Tensor, gain: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return ``W (x ⊙ gain) + b``, whose backward pass computes the product x ⊙ gain again instead of keeping it.

    The five products of a propagator would be an eighth of all that a step keeps; x and the gain are kept anyway.

    Args:
        x: …×U×in.
        gain: U×in, B×U×in or one number, of the same dtype.
        weight: out×in.
        bias: out, or None.
    """
    product = x * gain
    if not product.requires_grad or torch.compiler.is_compiling():  # the compiler chooses what to keep by itself
        return F.linear(product, weight, bias)
    place, size = product.data_ptr(), product.numel()
    factors = x.detach(), gain.detach()

    def shape_if_product(saved: Tensor) -> Tensor | torch.Size:
        return saved.shape if saved.data_ptr() == place and saved.numel() == size else saved

    def product_again(kept: Tensor | torch.Size) -> Tensor:
        return kept if isinstance(kept, Tensor) else torch.mul(*factors).view(kept)

    with saved_tensors_hooks(shape_if_product, product_again):
        return F.linear(product, weight, bias)


def read_normal(
    x: Tensor, norm: nn.LayerNorm, layers: Sequence[ModFC], gains: Gains, *, biased: bool = True
) -> list[Tensor]:
    """Return what layers make of the same normalised states: ``W (LN(x) ⊙ gain) + b`` of each.

    Args:
        x: states, …×U×C.
        norm: LN, with weight and bias.
        layers: one to three, whose gains have one shape.
        gains: of these layers.
        biased: whether the layers add their biases.

    Returns:
        …×U×out_dim of each layer.
    """
    own, scale, shift = [gains[layer] for layer in layers], norm.weight, norm.bias
    # What the compiler fuses with the operations before and after is faster than the kernel. Without gradients there is
    # little to win, and of one example a pass takes a tenth longer (docs/speed.md)
    usable = in_use(x) and torch.is_grad_enabled() and not torch.compiler.is_compiling()
    if not (usable and fits_norm_gains(x, scale, shift, own)):
        normal = narrow(norm(x))
        return [layer(normal, gains, biased=biased) for layer in layers]
    rows = [rows_of(gain, x.shape[-1]) for gain in own]
    # view(-1, …) cannot tell the number of examples if there are no rows
    examples = x.reshape(x.shape[:-1].numel() // max(1, len(rows[0])), *rows[0].shape)
    biases = [layer.bias if biased else None for layer in layers]
    weights = [narrow(layer.weight) for layer in layers]
    narrowed = [None if bias is None else narrow(bias) for bias in biases]
    outs = _ReadNormal.apply(examples, scale, shift, norm.eps, *rows, *weights, *narrowed)
    return [out.view(*x.shape[:-1], out.shape[-1]) for out in outs]


class _ReadNormal(torch.autograd.Function):
    """Layer norm, gains and linear layers as one function, which keeps no product for the backward pass.

    Forward and backward, it takes 0.1 ms less to call than the operator, which has lists (PyTorch 2.14).

    ``parts``: all gains, then all weights, then all biases or None.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, shift: Tensor, eps: float, *parts: Any) -> tuple[Tensor, ...]:
        count = len(parts) // 3
        products, statistics = norm_gains(x, scale, shift, parts[:count], eps)
        ctx.save_for_backward(x, statistics, scale, shift, *parts[: 2 * count])
        return tuple(map(F.linear, products, parts[count : 2 * count], parts[2 * count :]))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        count, needed = len(grads), ctx.needs_input_grad[4:]
        x, statistics, scale, shift, *parts = ctx.saved_tensors
        flat = [grad.flatten(0, -2) for grad in grads]
        seeds = list(map(torch.mm, flat, parts[count:]))
        of_x, of_scale, of_shift, of_gains, products = norm_gains_gradients(
            seeds, x, statistics, scale, shift, parts[:count]
        )
        of_weights = (flat[i].t() @ products[i].flatten(0, -2) if needed[count + i] else None for i in range(count))
        of_biases = (flat[i].sum(0) if needed[2 * count + i] else None for i in range(count))
        return of_x, of_scale, of_shift, None, *of_gains, *of_weights, *of_biases


def modulated_layers(part: nn.Module) -> Iterator[ModFC]:
    """Yield all ModFC layers of a part of a circuit."""
    return (layer for layer in part.modules() if isinstance(layer, ModFC))


def gains_of(codes: Tensor, layers: Iterable[ModFC]) -> Gains:
    """Return the factor ``1 + α · LN(W_z z)`` on each layer's input.

    It depends on the codes alone, so layers whose inputs have the same width get theirs together, as one product, norm
    and cast: a circuit at ``mini`` has 26 gains in eight groups.

    Args:
        codes: U×Z, or B×U×Z if every example has a circuit of its own.
        layers: those that the codes modulate.

    Returns:
        U×in_dim or B×U×in_dim by layer, in the dtype of matrix products; a plain layer has the one number 1.
    """
    gains: dict[ModFC, Tensor] = {}
    groups: dict[int, list[ModFC]] = {}
    for layer in layers:
        if layer.code_proj is None:
            gains[layer] = narrow(codes.new_ones(()))
        else:
            groups.setdefault(len(layer.code_proj), []).append(layer)
    for group in groups.values():
        projections = torch.cat([layer.code_proj for layer in group if layer.code_proj is not None])
        alphas = torch.stack([layer.alpha for layer in group if layer.alpha is not None])
        directions = F.linear(codes, projections).unflatten(-1, (len(group), -1)).movedim(-2, 0)  # layers … width
        normal = F.layer_norm(directions, directions.shape[-1:])
        gains.update(zip(group, narrow(1 + alphas.view(-1, *[1] * codes.dim()) * normal), strict=True))
    return gains


class KeptGains:
    """The gains of a circuit, kept until a tensor that they were computed from or the precision changes.

    A copy keeps nothing: its circuit has tensors and layers of its own.
    """

    def __init__(self) -> None:
        self._kept: tuple[tuple[object, ...], Sequence[Tensor], Gains] | None = None

    def gains(self, made_of: Sequence[Tensor], compute: Callable[[], Gains]) -> Gains:
        """Return the gains that ``compute`` makes of parameters and buffers, computed if any of those has changed."""
        # Tensor._version counts in-place changes, such as those of an optimiser step or load_state_dict
        precision = narrow(made_of[0].new_empty(0)).dtype
        state = (precision, *((id(x), x.device, x.dtype, x._version) for x in made_of))
        if self._kept is None or self._kept[0] != state:
            # The tensors are held, too: the id of one that no longer exists could be that of another
            self._kept = state, made_of, compute()
        return self._kept[2]

    def __reduce__(self) -> tuple[type["KeptGains"], tuple[()]]:
        """Leave the gains out of copies."""
        return KeptGains, ()


class ModFFN(nn.Module):
    """Modulated feed-forward layer with residual: ``x + down(GEGLU(up(LN(x); z)); z)``.

    GEGLU(a, b) = a ⊙ gelu(b), where (a, b) are the two halves, in this order, of the output of ``up``
    (Shazeer 2020, arXiv 2002.05202).

    Args:
        state_dim: width C of a module's state.
        code_dim: width Z of a code; None for plain linear layers.
        mult: the hidden width is ``mult`` times C.
    """

    own_kernels = True  # see `nacbench.kernels.path`

    def __init__(self, state_dim: int, code_dim: int | None, mult: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(state_dim)
        self.up = ModFC(state_dim, 2 * mult * state_dim, code_dim)
        self.down = ModFC(mult * state_dim, state_dim, code_dim)

    def forward(self, x: Tensor, gains: Gains) -> Tensor:
        """Return the updated states: x …×U×C → …×U×C."""
        # The gain of ``down`` is applied inside the GEGLU function, which saves a pass over the hidden layer. So is the
        # bias of ``up`` by own kernels; PyTorch's product is faster with its bias than an addition after it
        bias = self.up.bias if in_use(x) else None
        (hidden,) = read_normal(x, self.norm, [self.up], gains, biased=bias is None)
        return x + F.linear(modulated_geglu(hidden, gains[self.down], bias), self.down.weight, self.down.bias)


def modulated_geglu(hidden: Tensor, gain: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return ``a ⊙ gelu(b) ⊙ gain``, where (a, b) are the two halves of ``hidden``, or of ``hidden + bias``.

    Args:
        hidden: …×U×2K.
        gain: U×K, B×U×K or one number.
        bias: 2K, or None.

    Returns:
        …×U×K.
    """
    if in_use(hidden) and fits_geglu(hidden, gain):
        return geglu(hidden, hidden.new_zeros(hidden.shape[-1]) if bias is None else bias, gain)
    if bias is not None:
        hidden = hidden + bias.to(hidden.dtype)
    if torch.compiler.is_compiling():  # inductor fuses the plain expression, but not a custom autograd function
        value, gate = hidden.chunk(2, dim=-1)
        return value * F.gelu(gate) * gain
    result: Tensor = _ModulatedGEGLU.apply(hidden, gain)
    return result


class _ModulatedGEGLU(torch.autograd.Function):
    """GEGLU with gain as one autograd function, to save passes over the hidden layer, a circuit's largest tensor.

    44 → 37 ms at the published size, one thread (docs/speed.md).
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, gain: Tensor) -> Tensor:
        value, gate = hidden.chunk(2, dim=-1)
        active = F.gelu(gate)
        ctx.save_for_backward(hidden, gain, active)
        return value * active * gain

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        hidden, gain, active = ctx.saved_tensors
        value, gate = hidden.chunk(2, dim=-1)
        # value * active is computed again instead of kept; this tensor is gone before the next ones are made
        grad_gain = (value * active).mul_(grads[0]).sum_to_size(gain.shape)
        # Both halves are written in place through views; autograd would concatenate two separate gradients afterwards
        grad_hidden = torch.empty_like(hidden)
        grad_value, grad_gate = grad_hidden.chunk(2, dim=-1)
        scaled = grads[0] * gain
        torch.mul(scaled, active, out=grad_value)
        torch.ops.aten.gelu_backward.grad_input(scaled.mul_(value), gate, grad_input=grad_gate)
        return grad_hidden, grad_gain
