"""Layer norm with gains for GPUs, in Triton; `nacbench.kernels.norm.norm_gains` has the formulas.

The twin of ``norm.h``: a program has whole rows. There are always three pointers to gains; those beyond ``count`` are
not used.
"""

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

EXAMPLES = 16  # of a chunk, whose sums one program makes


@triton.jit  # type: ignore[untyped-decorator]
def _forward(  # type: ignore[no-untyped-def]
    x, weight, bias, g0, g1, g2, y0, y1, y2, statistics, eps, rows, width, count: tl.constexpr, block: tl.constexpr
):
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, block)
    there = column < width
    at, at_gain = row * width + column, (row % rows) * width + column
    value = tl.load(x + at, there, 0).to(tl.float32)
    mean = tl.sum(value, 0) / width
    off = tl.where(there, value - mean, 0.0)
    scale = 1 / tl.sqrt(tl.sum(off * off, 0) / width + eps)
    tl.store(statistics + 2 * row, mean)
    tl.store(statistics + 2 * row + 1, scale)
    h = off * scale * tl.load(weight + column, there, 0) + tl.load(bias + column, there, 0)
    tl.store(y0 + at, (h * tl.load(g0 + at_gain, there, 0).to(tl.float32)).to(y0.dtype.element_ty), there)
    if count > 1:
        tl.store(y1 + at, (h * tl.load(g1 + at_gain, there, 0).to(tl.float32)).to(y1.dtype.element_ty), there)
    if count > 2:
        tl.store(y2 + at, (h * tl.load(g2 + at_gain, there, 0).to(tl.float32)).to(y2.dtype.element_ty), there)


@triton.jit  # type: ignore[untyped-decorator]
def _backward(  # type: ignore[no-untyped-def]
    x, statistics, weight, bias, g0, g1, g2, d0, d1, d2, y0, y1, y2, grad_x, sums, examples, rows, width,
    count: tl.constexpr, chunk: tl.constexpr, block: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    first = tl.program_id(1) * chunk
    column = tl.arange(0, block)
    there = column < width
    w, b = tl.load(weight + column, there, 0), tl.load(bias + column, there, 0)
    gain0 = tl.load(g0 + row * width + column, there, 0).to(tl.float32)
    gain1 = tl.load(g1 + row * width + column, there, 0).to(tl.float32)
    gain2 = tl.load(g2 + row * width + column, there, 0).to(tl.float32)
    of_gain0, of_gain1 = tl.zeros((block,), tl.float32), tl.zeros((block,), tl.float32)
    of_gain2, of_weight = tl.zeros((block,), tl.float32), tl.zeros((block,), tl.float32)
    of_bias = tl.zeros((block,), tl.float32)
    for example in range(first, tl.minimum(first + chunk, examples)):
        line = example * rows + row
        at = line * width + column
        mean, scale = tl.load(statistics + 2 * line), tl.load(statistics + 2 * line + 1)
        n = tl.where(there, (tl.load(x + at, there, 0).to(tl.float32) - mean) * scale, 0.0)
        h = n * w + b
        dy = tl.load(d0 + at, there, 0).to(tl.float32)
        tl.store(y0 + at, (h * gain0).to(y0.dtype.element_ty), there)
        of_gain0 += dy * h
        dh = dy * gain0
        if count > 1:
            dy = tl.load(d1 + at, there, 0).to(tl.float32)
            tl.store(y1 + at, (h * gain1).to(y1.dtype.element_ty), there)
            of_gain1 += dy * h
            dh += dy * gain1
        if count > 2:
            dy = tl.load(d2 + at, there, 0).to(tl.float32)
            tl.store(y2 + at, (h * gain2).to(y2.dtype.element_ty), there)
            of_gain2 += dy * h
            dh += dy * gain2
        of_weight += dh * n
        of_bias += dh
        dn = dh * w
        dx = scale * (dn - tl.sum(dn, 0) / width - n * (tl.sum(dn * n, 0) / width))
        tl.store(grad_x + at, dx.to(grad_x.dtype.element_ty), there)
    # Of each chunk and row: the sums of weight and bias, then those of all gains
    to = sums + (tl.program_id(1).to(tl.int64) * rows + row) * (count + 2) * width + column
    tl.store(to, of_weight, there)
    tl.store(to + width, of_bias, there)
    tl.store(to + 2 * width, of_gain0, there)
    if count > 1:
        tl.store(to + 3 * width, of_gain1, there)
    if count > 2:
        tl.store(to + 4 * width, of_gain2, there)


def _three(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return three tensors: the last one again for those that are missing."""
    return [*tensors, *[tensors[-1]] * (3 - len(tensors))]


def norm_gains(
    x: Tensor, weight: Tensor, bias: Tensor, gains: Sequence[Tensor], eps: float
) -> tuple[list[Tensor], Tensor]:
    """Return the products of x, examples × rows × width, with each gain, rows × width; and mean and 1/σ of each row."""
    x, gains = x.contiguous(), [gain.contiguous() for gain in gains]
    (examples, rows, width), count = x.shape, len(gains)
    outs, statistics = [gain.new_empty(x.shape) for gain in gains], weight.new_empty(examples, rows, 2)
    if x.numel():
        args = (*_three(gains), *_three(outs), statistics, eps, rows, width, count, triton.next_power_of_2(width))
        _forward[(examples * rows,)](x, weight.contiguous(), bias.contiguous(), *args)
    return outs, statistics


def norm_gains_backward(
    grads: Sequence[Tensor], x: Tensor, statistics: Tensor, weight: Tensor, bias: Tensor, gains: Sequence[Tensor]
) -> tuple[Tensor, Tensor, Tensor, list[Tensor], list[Tensor]]:
    """Return the gradients of x, weight, bias and each gain, and the products."""
    x, gains, grads = x.contiguous(), [gain.contiguous() for gain in gains], [grad.contiguous() for grad in grads]
    (examples, rows, width), count = x.shape, len(gains)
    chunks = triton.cdiv(examples, EXAMPLES)
    outs, grad_x = [gain.new_empty(x.shape) for gain in gains], torch.empty_like(x)
    sums = weight.new_empty(chunks, rows, count + 2, width)
    if sums.numel():
        parts = (*_three(gains), *_three(grads), *_three(outs))
        sizes = (examples, rows, width, count, EXAMPLES, triton.next_power_of_2(width))
        _backward[rows, chunks](x, statistics, weight.contiguous(), bias.contiguous(), *parts, grad_x, sums, *sizes)
    of_rows = sums.sum(0)
    of_weight, of_bias = of_rows[:, 0].sum(0), of_rows[:, 1].sum(0)
    return grad_x, of_weight, of_bias, [of_rows[:, 2 + i].to(gain.dtype) for i, gain in enumerate(gains)], outs


KERNELS = (norm_gains, norm_gains_backward)  # by the names of the operators
