"""Attention kernel selection: override PyTorch's choice of scaled-dot-product-attention backend where it is slow."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

# Longest input in tokens. Beyond it, storing the V×V scores, which the fused kernel never materialises, costs more than
# the faster products save.
LONGEST = 512


@contextmanager
def kernels_with_gradients(device: str, tokens: int) -> Iterator[None]:
    """Use the math backend of scaled-dot-product attention for training steps in bf16 on a CPU.

    The backward pass of PyTorch's fused CPU kernel does not use the processor's matrix units (AMX) in bf16; the same
    mathematics as separate matrix products takes a fraction of the time. Measured with PyTorch 2.14 on a Xeon with AMX:
    a Transformer's training step falls from 238 to 110 ms (docs/speed.md). Without gradients, in fp32, on a GPU and
    above ``LONGEST`` tokens PyTorch chooses.

    Args:
        device: ``cpu`` or ``cuda``.
        tokens: largest number of tokens that a model attends over; the scores need memory quadratic in it.
    """
    if device != "cpu" or not torch.is_autocast_enabled("cpu") or tokens > LONGEST:
        yield
        return
    # Without this flag the math backend computes in float32, also on a CPU, although the flag is named after CUDA
    before = torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed()
    torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(True)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(before)
