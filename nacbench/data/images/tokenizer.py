"""Images to tokens: a patch stem, one ConvNeXt block, a halving convolution, and learned position channels."""

import torch
from torch import Tensor, nn
from torchvision.models.convnext import CNBlock, LayerNorm2d

from nacbench.contracts.spec import Tokens


class DepthwiseConv(nn.Conv2d):
    """A depthwise convolution, in full precision where a CPU's autocast asks for less: in bf16 its backward pass is
    slower there."""

    def forward(self, x: Tensor) -> Tensor:
        """B×C×height×width → the same."""
        if x.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.float())


class ImageTokenizer(nn.Module):
    """The paper's image tokenizer (arXiv 2210.08031), with its sizes as arguments.

    Args:
        shape: channels, height and width of an image.
        patch: P, size and stride of the stem's convolution; a token covers 2P × 2P pixels.
        width: channels of the stem; twice as many after the halving convolution.
        position_dim: learned channels that say where a token lies, concatenated to it.
    """

    no_weight_decay = ("position",)

    def __init__(self, shape: tuple[int, int, int], patch: int, width: int, position_dim: int) -> None:
        super().__init__()
        channels, height, side = shape
        block = CNBlock(width, layer_scale=1.0, stochastic_depth_prob=0.0)  # 1e-6 is for networks of many blocks
        block.block[0] = DepthwiseConv(width, width, kernel_size=7, padding=3, groups=width)
        self.stem = nn.Sequential(
            nn.Conv2d(channels, width, kernel_size=patch, stride=patch),
            LayerNorm2d(width, eps=1e-6),
            block,
            LayerNorm2d(width, eps=1e-6),
            nn.Conv2d(width, 2 * width, kernel_size=2, stride=2),
        )
        grid = (height // (2 * patch), side // (2 * patch))
        self.position = nn.Parameter(torch.randn(position_dim, *grid))

    def forward(self, image: Tensor) -> Tokens:
        """Normalised images B×channels×height×width → tokens B×V×(2·width + position_dim), row by row."""
        features = self.stem(image)
        position = self.position.to(features.dtype).expand(len(image), -1, -1, -1)
        grid = torch.cat([features, position], dim=1)
        return Tokens(grid.flatten(2).transpose(1, 2))
