"""GEGLU with gain for GPUs, in Triton; `nacbench.kernels.geglu.geglu` has the formulas.

The twin of ``geglu.h``: one pass each way, and the sums of the gain's gradient over the batch in a fixed order.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 256  # columns of a program
EXAMPLES = 16  # of a chunk, whose sum one program makes


@triton.jit  # type: ignore[untyped-decorator]
def _forward(hidden, bias, gain, out, rows, width, block: tl.constexpr):  # type: ignore[no-untyped-def]
    row = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * block + tl.arange(0, block)
    there = column < width
    a = tl.load(hidden + row * 2 * width + column, there, 0).to(tl.float32) + tl.load(bias + column, there, 0)
    b = tl.load(hidden + row * 2 * width + width + column, there, 0).to(tl.float32)
    b += tl.load(bias + width + column, there, 0)
    g = tl.load(gain + (row % rows) * width + column, there, 0).to(tl.float32)
    below = 0.5 * (1 + tl.erf(b * 0.7071067811865476))
    tl.store(out + row * width + column, (a * b * below * g).to(out.dtype.element_ty), there)


@triton.jit  # type: ignore[untyped-decorator]
def _backward(  # type: ignore[no-untyped-def]
    grad,
    hidden,
    bias,
    gain,
    grad_hidden,
    bias_sums,
    sums,
    examples,
    rows,
    width,
    chunk: tl.constexpr,
    block: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * block + tl.arange(0, block)
    first = tl.program_id(2) * chunk
    there = column < width
    g = tl.load(gain + row * width + column, there, 0).to(tl.float32)
    bias_a, bias_b = tl.load(bias + column, there, 0), tl.load(bias + width + column, there, 0)
    total = tl.zeros((block,), tl.float32)
    total_a, total_b = total, total
    for example in range(first, tl.minimum(first + chunk, examples)):
        at = example * rows + row
        a = tl.load(hidden + at * 2 * width + column, there, 0).to(tl.float32) + bias_a
        b = tl.load(hidden + at * 2 * width + width + column, there, 0).to(tl.float32) + bias_b
        dy = tl.load(grad + at * width + column, there, 0).to(tl.float32)
        below = 0.5 * (1 + tl.erf(b * 0.7071067811865476))
        density = 0.3989422804014327 * tl.exp(-0.5 * b * b)
        total += dy * a * b * below
        da, db = dy * g * b * below, dy * g * a * (below + b * density)
        total_a += da
        total_b += db
        tl.store(grad_hidden + at * 2 * width + column, da.to(grad_hidden.dtype.element_ty), there)
        tl.store(grad_hidden + at * 2 * width + width + column, db.to(grad_hidden.dtype.element_ty), there)
    own = tl.program_id(2).to(tl.int64) * rows + row
    tl.store(sums + own * width + column, total, there)
    tl.store(bias_sums + own * 2 * width + column, total_a, there)
    tl.store(bias_sums + own * 2 * width + width + column, total_b, there)


def geglu(hidden: Tensor, bias: Tensor, gain: Tensor) -> Tensor:
    """Return examples × rows × width for hidden, examples × rows × 2 width, bias, 2 width, and gain, rows × width."""
    hidden, bias, gain = hidden.contiguous(), bias.contiguous(), gain.contiguous()
    (examples, rows, _), width = hidden.shape, gain.shape[1]
    out = hidden.new_empty(examples, rows, width)
    if out.numel():
        _forward[examples * rows, triton.cdiv(width, BLOCK)](hidden, bias, gain, out, rows, width, BLOCK)
    return out


def geglu_backward(grad: Tensor, hidden: Tensor, bias: Tensor, gain: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of hidden, bias and gain."""
    grad, hidden, bias, gain = (tensor.contiguous() for tensor in (grad, hidden, bias, gain))
    (examples, rows, _), width = hidden.shape, gain.shape[1]
    chunks = triton.cdiv(examples, EXAMPLES)
    grad_hidden, sums = torch.empty_like(hidden), bias.new_empty(chunks, rows, width)
    bias_sums = bias.new_empty(chunks * rows, 2 * width)
    if sums.numel():
        grid = rows, triton.cdiv(width, BLOCK), chunks
        _backward[grid](grad, hidden, bias, gain, grad_hidden, bias_sums, sums, examples, rows, width, EXAMPLES, BLOCK)
    return grad_hidden, bias_sums.sum(0), sums.sum(0).to(gain.dtype)


KERNELS = (geglu, geglu_backward)  # by the names of the operators
