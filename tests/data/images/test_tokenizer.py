"""The image tokenizer's depthwise convolution in both precisions."""

import pytest
import torch

from nacbench.data.images.tokenizer import DepthwiseConv, ImageTokenizer


def test_depthwise_convolution_is_float32_under_cpu_autocast() -> None:
    torch.manual_seed(0)
    conv = DepthwiseConv(8, 8, kernel_size=7, padding=3, groups=8)
    x = torch.randn(2, 8, 6, 6)
    plain = torch.nn.Conv2d.forward(conv, x)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(conv(x), plain)
        assert conv(x.bfloat16()).dtype == torch.float32
        assert torch.nn.Conv2d.forward(conv, x).dtype == torch.bfloat16, "else there would be nothing to mend"
    assert torch.equal(conv(x), plain)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_tokens_have_the_dtype_of_weights_and_image(kind: torch.dtype) -> None:
    tokenizer = ImageTokenizer((3, 16, 16), patch=2, width=8, position_dim=4).to(kind)
    tokens = tokenizer(torch.randn(2, 3, 16, 16, dtype=kind)).tokens
    assert tokens.shape == (2, 16, 20)
    assert tokens.dtype == kind
