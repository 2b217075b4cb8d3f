"""The kernels as PyTorch operators: schemas, shapes and gradients.

``library.cpp`` implements them for CPUs once it is built and loaded, the Triton modules for GPUs. Being operators of
PyTorch, they work in a compiled network, under fake tensors and with autograd.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.library import define, register_autograd, register_fake

TYPES = (torch.float32, torch.bfloat16)

define("nacbench::geglu", "(Tensor hidden, Tensor bias, Tensor gain) -> Tensor")
define("nacbench::geglu_backward", "(Tensor grad, Tensor hidden, Tensor bias, Tensor gain) -> (Tensor, Tensor, Tensor)")
define(
    "nacbench::norm_gains", "(Tensor x, Tensor weight, Tensor bias, Tensor[] gains, float eps) -> (Tensor[], Tensor)"
)
define(
    "nacbench::norm_gains_backward",
    "(Tensor[] grads, Tensor x, Tensor statistics, Tensor weight, Tensor bias, Tensor[] gains)"
    " -> (Tensor, Tensor, Tensor, Tensor[], Tensor[])",
)
define("nacbench::biased_softmax", "(Tensor scores, Tensor bias, float scale) -> Tensor")
define(
    "nacbench::biased_softmax_backward", "(Tensor grad, Tensor weights, float scale, int biases) -> (Tensor, Tensor)"
)


def no_second_gradients(ctx: Any, *grads: Tensor) -> Any:
    """Refuse gradients of gradients, which PyTorch would take for zero, with a warning only."""
    raise NotImplementedError("nacbench's own kernels have no gradients of gradients")


# -- GEGLU with gain ---------------------------------------------------------------------------------------------------


def geglu(hidden: Tensor, bias: Tensor, gain: Tensor) -> Tensor:
    """Return ``a ⊙ gelu(b) ⊙ gain``, where (a, b) are the two halves of ``hidden + bias``; gelu(b) = b Φ(b).

    The gradients are ``dy g gelu(b)`` for a, ``dy g a (Φ(b) + b φ(b))`` for b, their sum over all rows for the bias,
    and for the gain the sum of ``dy a gelu(b)`` over all rows that share it, in an order that does not depend on the
    number of threads. Arithmetic is in float32. Nothing is kept for the backward pass but the inputs.

    Sources: Shazeer 2020, arXiv 2002.05202; Hendrycks and Gimpel 2016, arXiv 1606.08415.

    Args:
        hidden: …×U×2K, float32 or bfloat16.
        bias: 2K, of any floating-point type; it is not rounded to that of ``hidden``.
        gain: U×K, …×U×K or one number, of the type of ``hidden``.

    Returns:
        …×U×K.
    """
    width = hidden.shape[-1] // 2
    rows = rows_of(gain, width)
    # reshape(-1, …) cannot tell the number of examples if there are no rows
    examples = hidden.shape[:-1].numel() // max(1, len(rows))
    out: Tensor = torch.ops.nacbench.geglu(hidden.reshape(examples, len(rows), 2 * width), bias.float(), rows)
    return out.view(*hidden.shape[:-1], width)


def fits_geglu(hidden: Tensor, gain: Tensor) -> bool:
    """Whether `geglu` takes these tensors."""
    same = hidden.dtype == gain.dtype and hidden.dtype in TYPES and hidden.device == gain.device
    rows = (*hidden.shape[:-1], hidden.shape[-1] // 2)
    return same and (gain.numel() == 1 or (gain.dim() >= 2 and gain.shape == rows[-gain.dim() :]))


def _empty_geglu(hidden: Tensor, bias: Tensor, gain: Tensor) -> Tensor:
    return hidden.new_empty(*hidden.shape[:-1], gain.shape[-1])


def _empty_geglu_gradients(grad: Tensor, hidden: Tensor, bias: Tensor, gain: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return hidden.new_empty(hidden.shape), bias.new_empty(bias.shape), gain.new_empty(gain.shape)


def _keep_geglu(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _geglu_gradients(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    gradients: tuple[Tensor, Tensor, Tensor] = torch.ops.nacbench.geglu_backward(grad, *ctx.saved_tensors)
    return gradients


register_fake("nacbench::geglu", _empty_geglu)
register_fake("nacbench::geglu_backward", _empty_geglu_gradients)
register_autograd("nacbench::geglu", _geglu_gradients, setup_context=_keep_geglu)
register_autograd("nacbench::geglu_backward", no_second_gradients)


# -- layer norm with gains ---------------------------------------------------------------------------------------------

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


def rows_of(gain: Tensor, width: int) -> Tensor:
    """Return a gain, …×U×K or one number, as rows × K."""
    return gain.expand(1, width) if gain.numel() == 1 else gain.reshape(-1, width)


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


# -- softmax with a bias -----------------------------------------------------------------------------------------------


def biased_softmax(scores: Tensor, bias: Tensor, scale: float) -> Tensor:
    """Return ``softmax(scale · scores + bias)`` over the last axis, with a bias that all heads share.

    With ``d = p ⊙ (dp - Σ_v p ⊙ dp)``, the gradient of the scores is ``scale · d``, that of the bias the sum of d over
    the heads, and over the batch if that shares one bias. Arithmetic is in float32. A row of which all scores are -∞ is
    NaN, as in PyTorch.

    Source: Vaswani et al. 2017, arXiv 1706.03762, section 3.2.1, with the bias of arXiv 2210.08031.

    Args:
        scores: B×H×U×V, float32 or bfloat16.
        bias: (1 or B)×1×U×V, of any floating-point type; it is not rounded to that of the scores.
        scale: factor of the scores.

    Returns:
        B×H×U×V in the type of the scores.
    """
    out: Tensor = torch.ops.nacbench.biased_softmax(scores, bias.squeeze(1).float(), scale)
    return out


def fits_biased_softmax(query: Tensor, key: Tensor, bias: Tensor) -> bool:
    """Whether `biased_softmax` takes the scores of queries B×H×U×D and keys B×H×V×D, and this bias."""
    links = (1, query.shape[-2], key.shape[-2])
    same = query.dtype == key.dtype and query.dtype in TYPES and query.device == bias.device
    return same and bias.is_floating_point() and bias.shape in ((1, *links), (len(query), *links))


def _empty_softmax(scores: Tensor, bias: Tensor, scale: float) -> Tensor:
    return scores.new_empty(scores.shape)


def _empty_softmax_gradients(grad: Tensor, weights: Tensor, scale: float, biases: int) -> tuple[Tensor, Tensor]:
    grad_bias = weights.new_empty(biases, *weights.shape[2:], dtype=torch.float32)
    return weights.new_empty(weights.shape), grad_bias


def _keep_softmax(ctx: Any, inputs: tuple[Tensor, Tensor, float], output: Tensor) -> None:
    ctx.save_for_backward(output)
    ctx.biases, ctx.scale = len(inputs[1]), inputs[2]


def _softmax_gradients(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
    (weights,) = ctx.saved_tensors
    backward = torch.ops.nacbench.biased_softmax_backward
    grad_scores, grad_bias = backward(grad.to(weights.dtype), weights, ctx.scale, ctx.biases)
    return grad_scores, grad_bias, None


register_fake("nacbench::biased_softmax", _empty_softmax)
register_fake("nacbench::biased_softmax_backward", _empty_softmax_gradients)
register_autograd("nacbench::biased_softmax", _softmax_gradients, setup_context=_keep_softmax)
register_autograd("nacbench::biased_softmax_backward", no_second_gradients)
