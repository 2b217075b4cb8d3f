"""Which of PyTorch's kernels training takes, where its own choice is slow."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

LONGEST = 512  # tokens: beyond it the matrix of scores, which the fused kernel never keeps, outgrows what it saves


@contextmanager
def kernels_with_gradients(device: str, tokens: int) -> Iterator[None]:
    """Attention for training steps in bf16 on a CPU, written out for all models alike.

    PyTorch's fused attention on a CPU computes its backward pass in bf16 without the processor's matrix units; the same
    mathematics as separate products takes a fraction of the time (a Transformer's whole step less than half). Without
    gradients, in fp32, on a GPU and for long inputs PyTorch's own choice stays.

    Args:
        device: ``cpu`` or ``cuda``.
        tokens: the most that a model attends over at once; the scores take memory as its square.
    """
    if device != "cpu" or not torch.is_autocast_enabled("cpu") or tokens > LONGEST:
        yield
        return
    before = torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed()  # for the CPU, too, whatever the name says
    torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(True)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(before)
