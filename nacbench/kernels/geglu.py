"""The kernel of GEGLU with bias and gain as a PyTorch operator."""

from typing import Any

import torch
from torch import Tensor
from torch.library import define, register_autograd, register_fake

from nacbench.kernels.operators import TYPES, no_second_gradients, rows_of

define("nacbench::geglu", "(Tensor hidden, Tensor bias, Tensor gain) -> Tensor")
define("nacbench::geglu_backward", "(Tensor grad, Tensor hidden, Tensor bias, Tensor gain) -> (Tensor, Tensor, Tensor)")


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
