"""The kernel of attention with a bias as a PyTorch operator: scores, weights and sums in one pass."""

from typing import Any

import torch
from torch import Tensor
from torch.library import define, register_autograd, register_fake

from nacbench.kernels.operators import TYPES, no_second_gradients

define("nacbench::biased_attention", "(Tensor query, Tensor key, Tensor value, Tensor bias, int heads) -> Tensor")
define(
    "nacbench::biased_attention_backward",
    "(Tensor grad, Tensor query, Tensor key, Tensor value, Tensor bias, int heads) -> (Tensor, Tensor, Tensor, Tensor)",
)

# Beyond these sizes separate products are faster in bf16, by the matrix units of a processor: of 64 x 64 weights a pass
# forward and backward takes 0.7 of their time if D = 16, 0.9 if it is 32, 1.1 if it is 64
LONGEST, MOST = 64, 64 * 64 * 16


def biased_attention(query: Tensor, key: Tensor, value: Tensor, bias: Tensor, heads: int) -> Tensor:
    """Return ``softmax(q · k / √D + bias) · v`` of each head, with a bias that all heads share.

    With weights p, ``dp = dy vᵀ`` and ``d = p ⊙ (dp - Σ_v p ⊙ dp)``, the gradients are ``d k / √D`` for q,
    ``dᵀ q / √D`` for k, ``pᵀ dy`` for v, and for the bias the sum of d over the heads, and over the batch if that
    shares one bias, in an order that does not depend on the number of threads. Arithmetic is in float32, on a GPU in
    TF32 for products of bf16. Nothing is kept for the backward pass but the inputs. A row whose scores are all -∞ is
    NaN, as in PyTorch.

    Source: Vaswani et al. 2017, arXiv 1706.03762, section 3.2.1, with the bias of arXiv 2210.08031.

    Args:
        query: B×U×(H·D), float32 or bfloat16.
        key: B×V×(H·D).
        value: B×V×(H·D).
        bias: (1 or B)×1×U×V, of any floating-point type; it is not rounded to that of the query.
        heads: H.

    Returns:
        B×U×(H·D).
    """
    out: Tensor = torch.ops.nacbench.biased_attention(query, key, value, bias.squeeze(1).float(), heads)
    return out


def fits_biased_attention(query: Tensor, key: Tensor, value: Tensor, bias: Tensor, heads: int) -> bool:
    """Whether `biased_attention` takes these tensors, of its shapes, and is fast: U, V, D ≤ 64 and U·V·D ≤ 65,536."""
    sizes = query.shape[1], key.shape[1], query.shape[2] // heads
    links = (1, *sizes[:2])
    same = query.dtype == key.dtype == value.dtype and query.dtype in TYPES and query.device == bias.device
    few = max(sizes) <= LONGEST and sizes[0] * sizes[1] * sizes[2] <= MOST
    return same and few and bias.is_floating_point() and bias.shape in ((1, *links), (len(query), *links))


def _empty(query: Tensor, key: Tensor, value: Tensor, bias: Tensor, heads: int) -> Tensor:
    return query.new_empty(query.shape)


def _empty_gradients(
    grad: Tensor, query: Tensor, key: Tensor, value: Tensor, bias: Tensor, heads: int
) -> tuple[Tensor, ...]:
    return tuple(tensor.new_empty(tensor.shape) for tensor in (query, key, value, bias))


def _keep(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor, Tensor, int], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:4])
    ctx.heads = inputs[4]


def _gradients(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    query, key, value, bias = ctx.saved_tensors
    backward = torch.ops.nacbench.biased_attention_backward
    return *backward(grad.to(query.dtype), query, key, value, bias, ctx.heads), None


register_fake("nacbench::biased_attention", _empty)
register_fake("nacbench::biased_attention_backward", _empty_gradients)
register_autograd("nacbench::biased_attention", _gradients, setup_context=_keep)
register_autograd("nacbench::biased_attention_backward", no_second_gradients)
