"""Attention written out in training: where it is chosen, and that it computes the same."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest
import torch
import torch.nn.functional as F
from torch.nn.attention import _cur_sdpa_kernel_backends

from nacbench.nn.kernels import LONGEST, kernels_with_gradients

FLASH = torch.nn.attention.SDPBackend.FLASH_ATTENTION


@contextmanager
def chosen(device: str, tokens: int, *, bf16: bool) -> Iterator[bool]:
    """Whether attention is written out."""
    with torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext(), kernels_with_gradients(device, tokens):
        yield FLASH not in _cur_sdpa_kernel_backends()


@pytest.mark.parametrize(
    ("device", "tokens", "bf16", "expected"),
    [
        ("cpu", LONGEST, True, True),
        ("cpu", LONGEST + 1, True, False),
        ("cpu", 1, False, False),
        ("cuda", 1, True, False),
    ],
)
def test_math_attention_is_used_for_short_inputs_in_bf16_on_a_cpu(
    device: str, tokens: int, *, bf16: bool, expected: bool
) -> None:
    with chosen(device, tokens, bf16=bf16) as written_out:
        assert written_out == expected


def test_settings_are_restored_after_an_error() -> None:
    before = torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed(), _cur_sdpa_kernel_backends()
    with pytest.raises(RuntimeError), chosen("cpu", 1, bf16=True):
        assert torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed()
        raise RuntimeError
    assert (torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed(), _cur_sdpa_kernel_backends()) == before


def test_math_and_fused_attention_agree_in_outputs_and_gradients() -> None:
    torch.manual_seed(0)
    inputs = [torch.randn(2, 4, 32, 16) for _ in range(3)]

    def results(bf16: bool) -> list[torch.Tensor]:
        kind = torch.bfloat16 if bf16 else torch.float64
        query, key, value = (x.to(kind).requires_grad_() for x in inputs)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16), kernels_with_gradients("cpu", 32):
            out = F.scaled_dot_product_attention(query, key, value)
        out.float().square().sum().backward()
        return [out, *(x.grad for x in (query, key, value) if x.grad is not None)]

    for ours, exact in zip(results(True), results(False), strict=True):
        error = (ours.double() - exact).norm() / exact.norm()
        assert 0 < error < 0.02
