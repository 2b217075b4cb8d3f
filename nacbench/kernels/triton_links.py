"""Sampled links for GPUs, in Triton; `nacbench.kernels.links` has the formulas. The twin of ``links.h``."""

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 512  # links of a program
EXAMPLES = 16  # of a chunk, whose sum one program makes if the batch shares one logit


@triton.jit  # type: ignore[untyped-decorator]
def _forward(logit, uniform, out, factor, size, count, block: tl.constexpr):  # type: ignore[no-untyped-def]
    at = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    there = at < size
    u = tl.maximum(tl.load(uniform + at, there, 0.5), 1.1754943508222875e-38)
    x = (tl.load(logit + at % count, there, 0) + tl.log(u / (1 - u))) * factor
    e = tl.exp(-tl.abs(x))
    # log(1 + e) by e - e²/2 where 1 + e would lose the digits of e
    tl.store(out + at, tl.minimum(x, 0.0) - tl.where(e < 1e-3, e - 0.5 * e * e, tl.log(1 + e)), there)


@triton.jit  # type: ignore[untyped-decorator]
def _backward(  # type: ignore[no-untyped-def]
    grad, links, sums, factor, examples, count, chunk: tl.constexpr, block: tl.constexpr
):
    first = tl.program_id(1) * chunk
    at = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    there = at < count
    total = tl.zeros((block,), tl.float32)
    for example in range(first, tl.minimum(first + chunk, examples)):
        y = tl.load(links + example * count + at, there, 0)
        dropped = tl.where(y > -1e-3, -(y + 0.5 * y * y), 1 - tl.exp(y))
        total += factor * tl.load(grad + example * count + at, there, 0) * dropped
    tl.store(sums + tl.program_id(1).to(tl.int64) * count + at, total, there)


def log_links(logit: Tensor, uniform: Tensor, temperature: float) -> Tensor:
    """Return log K, B × U × V, for logits (1 or B) × U × V and noise B × U × V."""
    logit, uniform = logit.contiguous(), uniform.contiguous()
    out = torch.empty_like(uniform)
    if size := out.numel():
        _forward[(triton.cdiv(size, BLOCK),)](logit, uniform, out, 1 / temperature, size, logit.numel(), BLOCK)
    return out


def log_links_backward(grad: Tensor, links: Tensor, temperature: float, logits: int) -> Tensor:
    """Return the gradient of the logits."""
    grad, links = grad.contiguous(), links.contiguous()
    chunk, count = EXAMPLES if logits == 1 else 1, links.shape[1:].numel()
    chunks = triton.cdiv(len(links), chunk)
    sums = torch.empty(chunks, *links.shape[1:], dtype=torch.float32, device=links.device)
    if sums.numel():
        grid = triton.cdiv(count, BLOCK), chunks
        _backward[grid](grad, links, sums, 1 / temperature, len(links), count, chunk, BLOCK)
    return sums.sum(0, keepdim=True) if logits == 1 else sums


KERNELS = (log_links, log_links_backward)  # by the names of the operators
