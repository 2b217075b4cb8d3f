"""Compute the Triton kernels by Triton's interpreter, on the CPU, and print their errors; TRITON_INTERPRET=1 is set."""

import json
import sys
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from nacbench.kernels import triton_attention, triton_geglu, triton_links, triton_norm, triton_softmax

TYPES = (torch.float32, torch.bfloat16)


def distances(found: Sequence[Tensor], exact: Sequence[Tensor]) -> list[float]:
    """|found - exact| / |exact| of each tensor."""
    pairs = zip(found, exact, strict=True)
    return [
        float((own.double() - right.detach()).norm() / right.detach().norm().clamp(min=1e-300)) for own, right in pairs
    ]


def geglu(dtype: torch.dtype, examples: int, rows: int, width: int) -> list[float]:
    """Errors of the value and of the gradients of hidden, bias and gain."""
    hidden, gain = torch.randn(examples, rows, 2 * width).to(dtype), torch.randn(rows, width).to(dtype)
    bias = torch.randn(2 * width)
    seed = torch.randn(examples, rows, width).to(dtype)
    exact = [tensor.double().requires_grad_() for tensor in (hidden, bias, gain)]
    a, b = (exact[0] + exact[1]).chunk(2, dim=-1)
    right = a * F.gelu(b) * exact[2]
    own = triton_geglu.geglu(hidden, bias, gain), *triton_geglu.geglu_backward(seed, hidden, bias, gain)
    return distances(own, (right, *torch.autograd.grad(right, exact, seed.double())))


def softmax(dtype: torch.dtype, batch: int, heads: int, rows: int, width: int, biases: int) -> list[float]:
    """Errors of the value and of the gradients of scores and bias."""
    scores, bias = torch.randn(batch, heads, rows, width).to(dtype), torch.randn(biases, rows, width)
    seed = torch.randn(batch, heads, rows, width).to(dtype)
    exact = scores.double().requires_grad_(), bias.double().requires_grad_()
    right = (0.25 * exact[0] + exact[1][:, None]).softmax(-1)
    weights = triton_softmax.biased_softmax(scores, bias, 0.25)
    own = weights, *triton_softmax.biased_softmax_backward(seed, weights, 0.25, biases)
    return distances(own, (right, *torch.autograd.grad(right, exact, seed.double())))


def attention(
    dtype: torch.dtype, batch: int, rows: int, columns: int, heads: int, depth: int, biases: int
) -> list[float]:
    """Errors of the value and of the gradients of query, key, value and bias."""
    query, key, value = (torch.randn(batch, count, heads * depth).to(dtype) for count in (rows, columns, columns))
    bias, seed = torch.randn(biases, rows, columns), torch.randn(query.shape).to(dtype)
    exact = [tensor.double().requires_grad_() for tensor in (query, key, value, bias)]
    q, k, v = (tensor.unflatten(-1, (heads, depth)).transpose(1, 2) for tensor in exact[:3])
    weights = (q @ k.mT / depth**0.5 + exact[3][:, None]).softmax(-1)
    right = (weights @ v).transpose(1, 2).flatten(2)
    given = query, key, value, bias, heads
    own = triton_attention.biased_attention(*given), *triton_attention.biased_attention_backward(seed, *given)
    return distances(own, (right, *torch.autograd.grad(right, exact, seed.double())))


def norm(wide: torch.dtype, dtype: torch.dtype, examples: int, rows: int, width: int, count: int) -> list[float]:
    """Errors of the products, of the gradients of x, weight, bias and gains, and of the products made again."""
    x, vectors = torch.randn(examples, rows, width).to(wide), (torch.randn(width), torch.randn(width))
    gains = [torch.randn(rows, width).to(dtype) for _ in range(count)]
    seeds = [torch.randn(x.shape).to(dtype) for _ in gains]
    exact = [tensor.double().requires_grad_() for tensor in (x, *vectors, *gains)]
    normal = F.layer_norm(exact[0], (width,), exact[1], exact[2], 1e-5)
    right = [normal * gain for gain in exact[3:]]
    products, statistics = triton_norm.norm_gains(x, *vectors, gains, 1e-5)
    *single, of_gains, again = triton_norm.norm_gains_backward(seeds, x, statistics, *vectors, gains)
    gradients = torch.autograd.grad(right, exact, [seed.double() for seed in seeds])
    return distances([*products, *single, *of_gains, *again], [*right, *gradients, *right])


def links(batch: int, rows: int, width: int, logits: int) -> list[float]:
    """Errors of the value and of the gradient of the logit; there is no other type than float32."""
    logit, uniform, seed = torch.randn(logits, rows, width), torch.rand(batch, rows, width), torch.randn(rows, width)
    exact = 4 * logit.double().requires_grad_()
    right = F.logsigmoid((exact + uniform.double().logit()) / 0.5)
    found = triton_links.log_links(4 * logit, uniform, 0.5)
    seeds = seed.expand(batch, rows, width)
    own = triton_links.log_links_backward(seeds, found, 0.5, logits)
    return distances((found, own), (right, *torch.autograd.grad(right, exact, seeds.double())))


def all_errors() -> dict[str, list[list[float]]]:
    """Errors by type."""
    torch.manual_seed(0)
    return {
        str(dtype): [
            attention(dtype, 20, 3, 17, 2, 5, 1),
            attention(dtype, 3, 19, 4, 1, 18, 3),
            attention(dtype, 0, 3, 4, 2, 5, 1),
            geglu(dtype, 20, 3, 17),
            geglu(dtype, 2, 1, 300),
            geglu(dtype, 0, 3, 4),
            norm(dtype, dtype, 20, 3, 17, 3),
            norm(torch.float32, dtype, 3, 1, 64, 1),
            norm(dtype, dtype, 0, 3, 4, 2),
            links(20, 3, 17, 1),
            links(3, 30, 20, 3),
            links(0, 3, 4, 1),
            softmax(dtype, 20, 2, 3, 17, 1),
            softmax(dtype, 3, 2, 1, 5, 3),
            softmax(dtype, 0, 2, 3, 4, 1),
        ]
        for dtype in TYPES
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(all_errors()))
