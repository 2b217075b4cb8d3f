"""The image tokenizer's depthwise convolution in both precisions."""

import pytest
import torch

from nacbench.data.images.tokenizer import DepthwiseConv, ImageTokenizer
from nacbench.registry import TASKS
from nacbench.training.optim import undecayed


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


def test_published_start_is_that_of_convnext() -> None:
    torch.manual_seed(0)
    task = TASKS.training("tiny-imagenet").configured("task", "paper", {"tokenizer_start": "published"})
    tokenizer = task.tokenizer()
    scale = tokenizer.get_parameter("stem.2.layer_scale")
    assert scale.unique().tolist() == pytest.approx([1e-6])
    assert "stem.2.layer_scale" in undecayed(tokenizer)  # the authors' has one axis, torchvision's three
    weights = [layer for layer in tokenizer.modules() if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear)]
    assert len(weights) == 5
    for layer in weights:
        assert float(layer.weight.detach().std()) == pytest.approx(0.02, rel=0.05)
        assert layer.bias is not None
        assert not layer.bias.any()


def test_short_trainings_start_with_the_block_at_work() -> None:
    tokenizer = TASKS.training("tiny-imagenet").configured("task", "mini", {}).tokenizer()
    assert tokenizer.get_parameter("stem.2.layer_scale").unique().tolist() == [1]
