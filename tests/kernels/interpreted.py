"""Compute the Triton kernels by Triton's interpreter, on the CPU, and print their errors; TRITON_INTERPRET=1 is set."""

import json
import sys
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from nacbench.kernels import triton_geglu, triton_softmax

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


def all_errors() -> dict[str, list[list[float]]]:
    """Errors by type."""
    torch.manual_seed(0)
    return {
        str(dtype): [
            geglu(dtype, 20, 3, 17),
            geglu(dtype, 2, 1, 300),
            geglu(dtype, 0, 3, 4),
            softmax(dtype, 20, 2, 3, 17, 1),
            softmax(dtype, 3, 2, 1, 5, 3),
            softmax(dtype, 0, 2, 3, 4, 1),
        ]
        for dtype in TYPES
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(all_errors()))
