"""Image tokenizer: patch stem, one ConvNeXt block, strided convolution, and learned position channels."""

from typing import Literal

import torch
from torch import Tensor, nn
from torchvision.models.convnext import CNBlock, LayerNorm2d

from nacbench.contracts.spec import Tokens

Start = Literal["ours", "published"]


class DepthwiseConv(nn.Conv2d):
    """Depthwise convolution that runs in float32 under CPU autocast.

    On a CPU its backward pass in bf16 is slower than in float32 (8 to 10 ms per training step, docs/speed.md).
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of x, B×C×height×width, in the same shape."""
        if x.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.float())


class ImageTokenizer(nn.Module):
    """The paper's image tokenizer (arXiv 2210.08031), with its sizes as arguments.

    Args:
        shape: channels, height and width of an image.
        patch: P, size and stride of the stem's convolution; a token covers 2P×2P pixels.
        width: channels of the stem; the strided convolution doubles them.
        position_dim: number of learned position channels, concatenated to each token.
        start: ``published``: ConvNeXt's (Liu et al. 2022, arXiv 2201.03545), as the authors have it: a layer scale of
            1e-6 without weight decay, weights from a truncated normal of deviation 0.02, no biases. ``ours``: a layer
            scale of 1 and torch's weights.
    """

    no_weight_decay = ("position",)

    def __init__(
        self, shape: tuple[int, int, int], patch: int, width: int, position_dim: int, start: Start = "ours"
    ) -> None:
        super().__init__()
        channels, height, side = shape
        # A layer scale of 1e-6 is for many blocks; with one block it only delays learning, too long for short trainings
        block = CNBlock(width, layer_scale=1e-6 if start == "published" else 1.0, stochastic_depth_prob=0.0)
        block.block[0] = DepthwiseConv(width, width, kernel_size=7, padding=3, groups=width)
        self.stem = nn.Sequential(
            nn.Conv2d(channels, width, kernel_size=patch, stride=patch),
            LayerNorm2d(width, eps=1e-6),
            block,
            LayerNorm2d(width, eps=1e-6),
            nn.Conv2d(width, 2 * width, kernel_size=2, stride=2),
        )
        if start == "published":
            block.no_weight_decay = ("layer_scale",)
            self.stem.apply(_start_as_convnext)
        grid = (height // (2 * patch), side // (2 * patch))
        # Unit normals: at 0.02, usual for *added* embeddings, concatenated channels are drowned by the patch's own
        # (digits, 300 steps: NAC 34 % instead of 69 %)
        self.position = nn.Parameter(torch.randn(position_dim, *grid))

    def forward(self, image: Tensor) -> Tokens:
        """Return tokens B×V×(2·width + position_dim), row by row, for normalised images B×channels×height×width."""
        features = self.stem(image)
        position = self.position.to(features.dtype).expand(len(image), -1, -1, -1)
        grid = torch.cat([features, position], dim=1)
        return Tokens(grid.flatten(2).transpose(1, 2))


def _start_as_convnext(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d | nn.Linear):
        nn.init.trunc_normal_(layer.weight, std=0.02)
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
