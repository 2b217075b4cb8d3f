"""GEGLU with gain for GPUs, in Triton; `nacbench.kernels.operators.geglu` has the formulas.

The twin of ``geglu.h``: one pass each way, and the sums of the gain's gradient over the batch in a fixed order.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 256  # columns of a program
EXAMPLES = 16  # of a chunk, whose sum one program makes


@triton.jit  # type: ignore[untyped-decorator]
def _forward(hidden, gain, out, rows, width, block: tl.constexpr):  # type: ignore[no-untyped-def]
    row = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * block + tl.arange(0, block)
    there = column < width
    a = tl.load(hidden + row * 2 * width + column, there, 0).to(tl.float32)
    b = tl.load(hidden + row * 2 * width + width + column, there, 0).to(tl.float32)
    g = tl.load(gain + (row % rows) * width + column, there, 0).to(tl.float32)
    below = 0.5 * (1 + tl.erf(b * 0.7071067811865476))
    tl.store(out + row * width + column, (a * b * below * g).to(out.dtype.element_ty), there)


@triton.jit  # type: ignore[untyped-decorator]
def _backward(  # type: ignore[no-untyped-def]
    grad, hidden, gain, grad_hidden, sums, examples, rows, width, chunk: tl.constexpr, block: tl.constexpr
):
    row = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * block + tl.arange(0, block)
    first = tl.program_id(2) * chunk
    there = column < width
    g = tl.load(gain + row * width + column, there, 0).to(tl.float32)
    total = tl.zeros((block,), tl.float32)
    for example in range(first, tl.minimum(first + chunk, examples)):
        at = example * rows + row
        a = tl.load(hidden + at * 2 * width + column, there, 0).to(tl.float32)
        b = tl.load(hidden + at * 2 * width + width + column, there, 0).to(tl.float32)
        dy = tl.load(grad + at * width + column, there, 0).to(tl.float32)
        below = 0.5 * (1 + tl.erf(b * 0.7071067811865476))
        density = 0.3989422804014327 * tl.exp(-0.5 * b * b)
        total += dy * a * b * below
        da, db = dy * g * b * below, dy * g * a * (below + b * density)
        tl.store(grad_hidden + at * 2 * width + column, da.to(grad_hidden.dtype.element_ty), there)
        tl.store(grad_hidden + at * 2 * width + width + column, db.to(grad_hidden.dtype.element_ty), there)
    tl.store(sums + (tl.program_id(2).to(tl.int64) * rows + row) * width + column, total, there)


def geglu(hidden: Tensor, gain: Tensor) -> Tensor:
    """Return examples × rows × width for hidden, examples × rows × 2 width, and gain, rows × width."""
    hidden, gain = hidden.contiguous(), gain.contiguous()
    (examples, rows, _), width = hidden.shape, gain.shape[1]
    out = hidden.new_empty(examples, rows, width)
    if out.numel():
        _forward[examples * rows, triton.cdiv(width, BLOCK)](hidden, gain, out, rows, width, BLOCK)
    return out


def geglu_backward(grad: Tensor, hidden: Tensor, gain: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients of hidden and gain."""
    grad, hidden, gain = grad.contiguous(), hidden.contiguous(), gain.contiguous()
    (examples, rows, _), width = hidden.shape, gain.shape[1]
    chunks = triton.cdiv(examples, EXAMPLES)
    grad_hidden, sums = torch.empty_like(hidden), gain.new_empty(chunks, rows, width, dtype=torch.float32)
    if sums.numel():
        grid = rows, triton.cdiv(width, BLOCK), chunks
        _backward[grid](grad, hidden, gain, grad_hidden, sums, examples, rows, width, EXAMPLES, BLOCK)
    return grad_hidden, sums.sum(0).to(gain.dtype)


KERNELS = (geglu, geglu_backward)  # by the names of the operators
