"""The kernel of layer norm with gains as a PyTorch operator."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.library import define, register_autograd, register_fake

from nacbench.kernels.operators import TYPES

define(
    "nacbench::norm_gains", "(Tensor x, Tensor weight, Tensor bias, Tensor[] gains, float eps) -> (Tensor[], Tensor)"
)
define(
    "nacbench::norm_gains_backward",
    "(Tensor[] grads, Tensor x, Tensor statistics, Tensor weight, Tensor bias, Tensor[] gains)"
    " -> (Tensor, Tensor, Tensor, Tensor[], Tensor[])",
)


READERS = 3  # the most gains that `norm_gains` takes: those of query, key and value


def norm_gains(
    x: Tensor, weight: Tensor, bias: Tensor, gains: Sequence[Tensor], eps: float
) -> tuple[list[Tensor], Tensor]:
    """Return ``LN(x) ⊙ gain`` for each gain, with ``LN(x) = n ⊙ weight + bias`` and ``n = (x - mean) / σ``.

    With ``dh = Σ_i dy_i g_i`` over the products and ``dn = dh weight``, the gradient of x is
    ``(dn - mean(dn) - n mean(dn n)) / σ``; that of a gain is the sum of ``dy_i LN(x)`` over all rows that share it,
    those of weight and bias the sums of ``dh n`` and ``dh`` over all rows, in an order that does not depend on the
    number of threads. Arithmetic is in float32. Nothing is kept for the backward pass but the inputs and the
    statistics.

    Source: Ba et al. 2016, arXiv 1607.06450; the gains are those of arXiv 2210.08031, section 3.

    Args:
        x: B×U×C, float32, or of the type of the gains.
        weight: C, float32.
        bias: C, float32.
        gains: one to three, float32 or bfloat16, each U×C.
        eps: added to the variance σ².

    Returns:
        The products, B×U×C each, in the type of the gains; and the statistics, mean and 1/σ of each row.
    """
    found: tuple[list[Tensor], Tensor] = torch.ops.nacbench.norm_gains(x, weight, bias, gains, eps)
    return found


def norm_gains_gradients(
    grads: Sequence[Tensor], x: Tensor, statistics: Tensor, weight: Tensor, bias: Tensor, gains: Sequence[Tensor]
) -> tuple[Tensor, Tensor, Tensor, list[Tensor], list[Tensor]]:
    """Return the gradients of x, weight, bias and each gain, and the products of `norm_gains` again, bit for bit.

    Args:
        grads: of the products.
        x: as given to `norm_gains`, as all others.
        statistics: as returned by it.
        weight: C.
        bias: C.
        gains: all of them.
    """
    found: tuple[Tensor, Tensor, Tensor, list[Tensor], list[Tensor]]
    found = torch.ops.nacbench.norm_gains_backward(grads, x, statistics, weight, bias, gains)
    return found


def fits_norm_gains(x: Tensor, weight: Tensor, bias: Tensor, gains: Sequence[Tensor]) -> bool:
    """Whether `norm_gains` takes these tensors."""
    first = gains[0]
    types = x.dtype in (torch.float32, first.dtype) and first.dtype in TYPES
    plain = weight.dtype == bias.dtype == torch.float32 and weight.shape == bias.shape == x.shape[-1:]
    return (
        types
        and plain
        and len(gains) <= READERS
        and x.dim() >= 2
        and all(
            gain.dtype == first.dtype
            and gain.device == x.device
            and gain.shape == first.shape
            and (gain.numel() == 1 or (gain.dim() >= 2 and gain.shape == x.shape[-gain.dim() :]))
            for gain in gains
        )
    )


def _empty_norm_gains(
    x: Tensor, weight: Tensor, bias: Tensor, gains: Sequence[Tensor], eps: float
) -> tuple[list[Tensor], Tensor]:
    return [gain.new_empty(x.shape) for gain in gains], weight.new_empty(*x.shape[:2], 2)


def _empty_norm_gains_gradients(
    grads: Sequence[Tensor], x: Tensor, statistics: Tensor, weight: Tensor, bias: Tensor, gains: Sequence[Tensor]
) -> tuple[Tensor, Tensor, Tensor, list[Tensor], list[Tensor]]:
    of_gains, products = ([gain.new_empty(shape) for gain in gains] for shape in (gains[0].shape, x.shape))
    return x.new_empty(x.shape), weight.new_empty(weight.shape), bias.new_empty(bias.shape), of_gains, products


def _keep_norm_gains(
    ctx: Any, inputs: tuple[Tensor, Tensor, Tensor, Sequence[Tensor], float], output: tuple[Sequence[Tensor], Tensor]
) -> None:
    x, weight, bias, gains, _ = inputs
    ctx.mark_non_differentiable(output[1])
    ctx.save_for_backward(x, output[1], weight, bias, *gains)


def _norm_gains_gradients(
    ctx: Any, grads: Sequence[Tensor], _: Tensor
) -> tuple[Tensor, Tensor, Tensor, list[Tensor], None]:
    x, statistics, weight, bias, *gains = ctx.saved_tensors
    gradients = norm_gains_gradients(grads, x, statistics, weight, bias, gains)
    return *gradients[:4], None


register_fake("nacbench::norm_gains", _empty_norm_gains)
register_fake("nacbench::norm_gains_backward", _empty_norm_gains_gradients)
register_autograd("nacbench::norm_gains", _norm_gains_gradients, setup_context=_keep_norm_gains)
