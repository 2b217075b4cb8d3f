"""Softmax with a bias for GPUs, in Triton; `nacbench.kernels.softmax.biased_softmax` has the formulas.

The twin of ``softmax.h``: a program has whole rows, so that each is read once.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

EXAMPLES = 16  # of a chunk, whose sum one program makes if the batch shares one bias


@triton.jit  # type: ignore[untyped-decorator]
def _forward(scores, bias, out, scale, heads, rows, width, biases, block: tl.constexpr):  # type: ignore[no-untyped-def]
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, block)
    there = column < width
    at_bias = (row // (heads * rows) % biases) * rows + row % rows
    s = tl.load(scores + row * width + column, there, 0).to(tl.float32)
    x = tl.where(there, scale * s + tl.load(bias + at_bias * width + column, there, 0), -float("inf"))
    e = tl.exp(x - tl.max(x, 0))
    tl.store(out + row * width + column, (e / tl.sum(e, 0)).to(out.dtype.element_ty), there)


@triton.jit  # type: ignore[untyped-decorator]
def _backward(  # type: ignore[no-untyped-def]
    grad, weights, grad_scores, sums, scale, examples, heads, rows, width, chunk: tl.constexpr, block: tl.constexpr
):
    row = tl.program_id(0).to(tl.int64)
    first = tl.program_id(1) * chunk
    column = tl.arange(0, block)
    there = column < width
    total = tl.zeros((block,), tl.float32)
    for example in range(first, tl.minimum(first + chunk, examples)):
        for head in range(heads):
            at = ((example * heads + head) * rows + row) * width + column
            p = tl.load(weights + at, there, 0).to(tl.float32)
            dp = tl.load(grad + at, there, 0).to(tl.float32)
            d = p * (dp - tl.sum(p * dp, 0))
            total += d
            tl.store(grad_scores + at, (scale * d).to(grad_scores.dtype.element_ty), there)
    tl.store(sums + (tl.program_id(1).to(tl.int64) * rows + row) * width + column, total, there)


def biased_softmax(scores: Tensor, bias: Tensor, scale: float) -> Tensor:
    """Return the weights of scores B × H × U × V and a bias (1 or B) × U × V in float32."""
    scores, bias = scores.contiguous(), bias.contiguous()
    out = torch.empty_like(scores)
    batch, heads, rows, width = scores.shape
    if out.numel():
        block = triton.next_power_of_2(width)
        _forward[(batch * heads * rows,)](scores, bias, out, scale, heads, rows, width, len(bias), block)
    return out


def biased_softmax_backward(grad: Tensor, weights: Tensor, scale: float, biases: int) -> tuple[Tensor, Tensor]:
    """Return the gradients of scores and bias."""
    grad, weights = grad.contiguous(), weights.contiguous()
    batch, heads, rows, width = weights.shape
    chunk = EXAMPLES if biases == 1 else 1
    chunks = triton.cdiv(batch, chunk)
    grad_scores, sums = torch.empty_like(weights), weights.new_empty(chunks, rows, width, dtype=torch.float32)
    if sums.numel():
        block = triton.next_power_of_2(width)
        args = grad, weights, grad_scores, sums, scale, batch, heads, rows, width
        _backward[(rows, chunks)](*args, chunk, block)
    return grad_scores, sums.sum(0, keepdim=True) if biases == 1 else sums


KERNELS = (biased_softmax, biased_softmax_backward)  # by the names of the operators
