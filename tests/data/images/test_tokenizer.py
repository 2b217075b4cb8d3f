"""The image tokenizer: the same numbers as torch's convolutions and torchvision's ConvNeXt block, computed faster."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.convnext import CNBlock, LayerNorm2d

from nacbench.data.images.tokenizer import DepthwiseConv, ImageTokenizer, PatchConv
from nacbench.registry import TASKS
from nacbench.training.optim import undecayed


def gradients(result: Tensor, *of: Tensor) -> tuple[Tensor, ...]:
    """The gradients of a sum in which every number of the result counts differently."""
    factors = torch.linspace(-1, 2, result.numel(), dtype=result.dtype).view_as(result)
    return torch.autograd.grad((result * factors).sum(), of)


def first(x: Tensor) -> Tensor:
    """B×height×width×C with the channels first, as torch's convolutions take them."""
    return x.permute(0, 3, 1, 2)


# Also grids with fewer rows or columns than the weight has
@pytest.mark.parametrize("grid", [(8, 8), (16, 16), (5, 9), (1, 1), (2, 12)])
def test_depthwise_convolution_is_torchs(grid: tuple[int, int]) -> None:
    torch.manual_seed(0)
    conv = DepthwiseConv(3).double()
    x = torch.randn(2, *grid, 3, dtype=torch.float64, requires_grad=True)
    assert conv.bias is not None
    made_of = (x, conv.weight, conv.bias)
    expected = F.conv2d(first(x), conv.weight, conv.bias, padding=3, groups=3).permute(0, 2, 3, 1)
    torch.testing.assert_close(conv(x), expected)
    torch.testing.assert_close(gradients(conv(x), *made_of), gradients(expected, *made_of))


def test_depthwise_convolution_is_float32_under_cpu_autocast() -> None:
    torch.manual_seed(0)
    conv = DepthwiseConv(8)
    x = torch.randn(2, 6, 6, 8)
    plain = conv(x)
    wanted = gradients(plain, conv.weight)[0]
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(conv(x), plain)
        assert torch.equal(gradients(conv(x), conv.weight)[0], wanted)
        assert conv(x.bfloat16()).dtype == torch.float32
        assert nn.Conv2d.forward(conv, first(x)).dtype == torch.bfloat16, "else there would be nothing to mend"


@pytest.mark.parametrize("grid", [(8, 8), (9, 11), (4, 4)])
def test_convolution_of_patches_is_torchs(grid: tuple[int, int]) -> None:
    torch.manual_seed(0)
    conv = PatchConv(3, 5, 4).double()
    x = torch.randn(2, *grid, 3, dtype=torch.float64, requires_grad=True)
    assert conv.bias is not None
    made_of = (x, conv.weight, conv.bias)
    expected = F.conv2d(first(x), conv.weight, conv.bias, stride=4).permute(0, 2, 3, 1)
    torch.testing.assert_close(conv(x), expected)
    torch.testing.assert_close(gradients(conv(x), *made_of), gradients(expected, *made_of))


def stem_of_torchvision() -> nn.Sequential:
    block = CNBlock(8, layer_scale=1.0, stochastic_depth_prob=0.0)
    block.block[0] = nn.Conv2d(8, 8, kernel_size=7, padding=3, groups=8)
    layers = nn.Conv2d(3, 8, 2, 2), LayerNorm2d(8, eps=1e-6), block, LayerNorm2d(8, eps=1e-6), nn.Conv2d(8, 16, 2, 2)
    return nn.Sequential(*layers)


def test_stem_is_that_of_torchvisions_layers_and_starts_with_the_same_weights() -> None:
    torch.manual_seed(0)
    theirs = stem_of_torchvision()
    torch.manual_seed(0)
    ours = ImageTokenizer((3, 16, 12), patch=2, width=8, position_dim=4)
    assert {name: w.tolist() for name, w in ours.stem.state_dict().items()} == {
        name: w.tolist() for name, w in theirs.state_dict().items()
    }
    ours, theirs = copy.deepcopy(ours).double(), theirs.double()
    for own, other in zip(ours.stem.parameters(), theirs.parameters(), strict=True):
        other.data.copy_(own.data.add_(0.1 * torch.randn_like(own)))  # no bias or norm is left out
    image = torch.randn(2, 3, 16, 12, dtype=torch.float64)
    tokens = ours(image).tokens
    grid = torch.cat([theirs(image), ours.position.expand(2, -1, -1, -1)], dim=1)
    expected = grid.flatten(2).transpose(1, 2)
    torch.testing.assert_close(tokens, expected)
    torch.testing.assert_close(
        gradients(tokens, ours.position, *ours.stem.parameters()),
        gradients(expected, ours.position, *theirs.parameters()),
    )


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
