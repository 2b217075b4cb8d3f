"""Compare a kernel with its formula in float64: values and gradients."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

TYPES = (torch.float32, torch.bfloat16)
# Error of a value of size 1: float32 rounds some ten times, bfloat16 once at the end
ERROR = {torch.float32: 2e-6, torch.bfloat16: 2**-8}


def results(function: Callable[..., Tensor], inputs: tuple[Tensor, ...], seed: Tensor) -> list[Tensor]:
    """The value and the gradients of the inputs."""
    leaves = [tensor.detach().clone().requires_grad_() for tensor in inputs]
    out = function(*leaves)
    return [out, *torch.autograd.grad(out, leaves, seed.to(out.dtype))]


def distance(found: Tensor, exact: Tensor) -> float:
    """|found - exact| / |exact|; 0 for nothing at all."""
    return float((found.detach().double() - exact.detach()).norm() / exact.detach().norm().clamp(min=1e-300))


def both(kernel: Any, formula: Any, inputs: tuple[Tensor, ...]) -> list[tuple[Tensor, Tensor]]:
    """Pairs of what a kernel and what the formula in float64 gives, for the same inputs."""
    exact = tuple(tensor.double() for tensor in inputs)
    seed = torch.randn_like(formula(*exact)).to(inputs[0].dtype)
    found = results(kernel, inputs, seed)
    assert [tensor.dtype for tensor in found[1:]] == [tensor.dtype for tensor in inputs]
    return list(zip(found, results(formula, exact, seed), strict=True))
