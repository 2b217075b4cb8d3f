"""The kernel of softmax with a bias as a PyTorch operator."""

from typing import Any

import torch
from torch import Tensor
from torch.library import define, register_autograd, register_fake

from nacbench.kernels.operators import TYPES, no_second_gradients

define("nacbench::biased_softmax", "(Tensor scores, Tensor bias, float scale) -> Tensor")
define(
    "nacbench::biased_softmax_backward", "(Tensor grad, Tensor weights, float scale, int biases) -> (Tensor, Tensor)"
)


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
