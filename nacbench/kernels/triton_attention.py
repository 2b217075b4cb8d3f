"""Attention with a bias for GPUs, in Triton; `nacbench.kernels.attention.biased_attention` has the formulas.

The twin of ``attention.h``: a program has whole heads, whose few rows, columns and numbers fit into one block.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

EXAMPLES = 16  # of a chunk, whose sum one program makes if the batch shares one bias
SMALLEST = 16  # of a block: Triton multiplies no smaller ones


@triton.jit  # type: ignore[untyped-decorator]
def _weights(q, k, c, scale, there, columns, width, precision: tl.constexpr):  # type: ignore[no-untyped-def]
    """Softmax over the columns; 0 in columns that there are not."""
    s = scale * tl.dot(q, tl.trans(k), input_precision=precision)
    x = tl.where((columns < width)[None, :], s + c, -float("inf"))
    e = tl.exp(x - tl.max(x, 1)[:, None])
    return tl.where(there, e / tl.sum(e, 1)[:, None], 0.0)


@triton.jit  # type: ignore[untyped-decorator]
def _forward(  # type: ignore[no-untyped-def]
    query, key, value, bias, out, scale, heads, rows, width, depth, bias_step,
    precision: tl.constexpr, u_block: tl.constexpr, v_block: tl.constexpr, d_block: tl.constexpr,
):  # fmt: skip
    example, head = (tl.program_id(0) // heads).to(tl.int64), tl.program_id(0) % heads
    u, v, i = tl.arange(0, u_block), tl.arange(0, v_block), tl.arange(0, d_block)
    at_u = (example * rows + u[:, None]) * heads * depth + head * depth + i[None, :]
    at_v = (example * width + v[:, None]) * heads * depth + head * depth + i[None, :]
    in_u, in_v = (u < rows)[:, None] & (i < depth)[None, :], (v < width)[:, None] & (i < depth)[None, :]
    linked = (u < rows)[:, None] & (v < width)[None, :]
    q, k = tl.load(query + at_u, in_u, 0).to(tl.float32), tl.load(key + at_v, in_v, 0).to(tl.float32)
    x = tl.load(value + at_v, in_v, 0).to(tl.float32)
    c = tl.load(bias + example * bias_step + u[:, None] * width + v[None, :], linked, 0)
    p = _weights(q, k, c, scale, linked, v, width, precision)
    y = tl.dot(p, x, input_precision=precision)
    tl.store(out + at_u, y.to(out.dtype.element_ty), in_u)


@triton.jit  # type: ignore[untyped-decorator]
def _backward(  # type: ignore[no-untyped-def]
    grad, query, key, value, bias, grad_query, grad_key, grad_value, sums,
    scale, examples, heads, rows, width, depth, bias_step,
    chunk: tl.constexpr, precision: tl.constexpr,
    u_block: tl.constexpr, v_block: tl.constexpr, d_block: tl.constexpr,
):  # fmt: skip
    first = tl.program_id(0).to(tl.int64) * chunk
    u, v, i = tl.arange(0, u_block), tl.arange(0, v_block), tl.arange(0, d_block)
    in_u, in_v = (u < rows)[:, None] & (i < depth)[None, :], (v < width)[:, None] & (i < depth)[None, :]
    linked, at_link = (u < rows)[:, None] & (v < width)[None, :], u[:, None] * width + v[None, :]
    total = tl.zeros((u_block, v_block), tl.float32)
    for example in range(first, tl.minimum(first + chunk, examples)):
        c = tl.load(bias + example * bias_step + at_link, linked, 0)
        for head in range(heads):
            at_u = (example * rows + u[:, None]) * heads * depth + head * depth + i[None, :]
            at_v = (example * width + v[:, None]) * heads * depth + head * depth + i[None, :]
            q, k = tl.load(query + at_u, in_u, 0).to(tl.float32), tl.load(key + at_v, in_v, 0).to(tl.float32)
            x = tl.load(value + at_v, in_v, 0).to(tl.float32)
            dy = tl.load(grad + at_u, in_u, 0).to(tl.float32)
            p = _weights(q, k, c, scale, linked, v, width, precision)
            dx = tl.dot(tl.trans(p), dy, input_precision=precision)
            tl.store(grad_value + at_v, dx.to(grad_value.dtype.element_ty), in_v)
            dp = tl.dot(dy, tl.trans(x), input_precision=precision)
            d = p * (dp - tl.sum(p * dp, 1)[:, None])
            total += d
            dq = scale * tl.dot(d, k, input_precision=precision)
            tl.store(grad_query + at_u, dq.to(grad_query.dtype.element_ty), in_u)
            dk = scale * tl.dot(tl.trans(d), q, input_precision=precision)
            tl.store(grad_key + at_v, dk.to(grad_key.dtype.element_ty), in_v)
    tl.store(sums + tl.program_id(0).to(tl.int64) * rows * width + at_link, total, linked)


def _settings(query: Tensor, *sizes: int) -> list[str | int]:
    """Return the precision of products and the sizes of blocks."""
    # Numbers of bf16 are numbers of TF32, too, with which a GPU multiplies much faster
    precision = "tf32" if query.dtype == torch.bfloat16 else "ieee"
    return [precision, *(max(SMALLEST, triton.next_power_of_2(size)) for size in sizes)]


def biased_attention(query: Tensor, key: Tensor, value: Tensor, bias: Tensor, heads: int) -> Tensor:
    """Return the sums B × U × H D of queries B × U × H D, keys and values B × V × H D, bias (1 or B) × U × V."""
    query, key, value, bias = query.contiguous(), key.contiguous(), value.contiguous(), bias.contiguous()
    out = torch.empty_like(query)
    (batch, rows, _), width, depth = query.shape, key.shape[1], query.shape[2] // heads
    if out.numel():
        bias_step = 0 if len(bias) == 1 else rows * width
        args = query, key, value, bias, out, depth**-0.5, heads, rows, width, depth, bias_step
        _forward[(batch * heads,)](*args, *_settings(query, rows, width, depth))
    return out


def biased_attention_backward(
    grad: Tensor, query: Tensor, key: Tensor, value: Tensor, bias: Tensor, heads: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of query, key, value and bias."""
    given = [tensor.contiguous() for tensor in (grad, query, key, value, bias)]
    (batch, rows, _), width, depth = query.shape, key.shape[1], query.shape[2] // heads
    shared = len(bias) == 1
    chunk = EXAMPLES if shared else 1
    chunks = triton.cdiv(batch, chunk)
    of_query, of_key, of_value = (torch.empty_like(tensor) for tensor in given[1:4])
    sums = bias.new_empty(chunks, rows, width)
    if sums.numel():
        sizes = depth**-0.5, batch, heads, rows, width, depth, 0 if shared else rows * width
        _backward[(chunks,)](
            *given, of_query, of_key, of_value, sums, *sizes, chunk, *_settings(query, rows, width, depth)
        )
    return of_query, of_key, of_value, sums.sum(0, keepdim=True) if shared else sums


KERNELS = (biased_attention, biased_attention_backward)  # by the names of the operators
