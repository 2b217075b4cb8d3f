"""What the kernels have in common as PyTorch operators; the module of each has its schema, shapes and gradients.

``library.cpp`` implements them for CPUs once it is built and loaded, the Triton modules for GPUs. Being operators of
PyTorch, they work in a compiled network, under fake tensors and with autograd.
"""

from typing import Any

import torch
from torch import Tensor

TYPES = (torch.float32, torch.bfloat16)  # of all tensors that are not said to be in float32


def no_second_gradients(ctx: Any, *grads: Tensor) -> Any:
    """Refuse gradients of gradients, which PyTorch would take for zero, with a warning only."""
    raise NotImplementedError("nacbench's own kernels have no gradients of gradients")


def rows_of(gain: Tensor, width: int) -> Tensor:
    """Return a gain, …×U×K or one number, as rows × K."""
    return gain.expand(1, width) if gain.numel() == 1 else gain.reshape(-1, width)
