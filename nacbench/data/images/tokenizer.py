"""Image tokenizer: patch stem, one ConvNeXt block, strided convolution, and learned position channels."""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.convnext import CNBlock

from nacbench.contracts.spec import Tokens

Start = Literal["ours", "published"]

TAPS = 7  # rows and columns of a depthwise convolution


class PatchConv(nn.Conv2d):
    """Convolution of patches that do not overlap, as one matrix product, with the channels last.

    Args:
        in_channels, out_channels: C and D.
        patch: P, size and stride; rows and columns that fill no patch are left out.
    """

    def __init__(self, in_channels: int, out_channels: int, patch: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size=patch, stride=patch)
        self.patch = patch

    def forward(self, x: Tensor) -> Tensor:
        """Return B×(height/P)×(width/P)×D for x, B×height×width×C."""
        side = self.patch
        rows, columns = x.shape[1] // side, x.shape[2] // side
        cut = x[:, : rows * side, : columns * side].unflatten(2, (columns, side)).unflatten(1, (rows, side))
        patches = cut.transpose(2, 3).flatten(3)  # row, column and channel of a pixel in one axis, in this order
        return F.linear(patches, self.weight.permute(0, 2, 3, 1).flatten(1), self.bias)


class DepthwiseConv(nn.Conv2d):
    """Depthwise 7×7 convolution with padding and the channels last, in float32 under CPU autocast.

    Args:
        width: C.
    """

    def __init__(self, width: int) -> None:
        super().__init__(width, width, kernel_size=TAPS, padding=TAPS // 2, groups=width)

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of x, B×height×width×C, in the same shape."""
        first = x.permute(0, 3, 1, 2)
        if x.device.type != "cpu":
            return super().forward(first).permute(0, 2, 3, 1)
        assert self.bias is not None
        # On a CPU the backward pass in bf16 is slower than in float32 (docs/speed.md)
        with torch.autocast("cpu", enabled=False):
            same = first.to(self.weight.dtype)
            result: Tensor = _DepthwiseOnCPU.apply(same, self.weight, self.bias)
            return result.permute(0, 2, 3, 1)


class _DepthwiseOnCPU(torch.autograd.Function):
    """torch's depthwise convolution with another gradient of the weights, which torch computes one number at a time.

    With g the gradient of the output, it is Σ x[b, c, i + p - 3, j + q - 3] · g[b, c, i, j] over examples b, rows i and
    columns j, for row p and column q of the weight. For each p, matrix products sum over b and i for all pairs of a
    column of x and one of g; the pairs that belong to q lie on one diagonal. 7.8 → 3.9 ms for 128 grids of 8×8×48.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight, bias, padding=TAPS // 2, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        own = grads[0]
        with torch.autocast("cpu", enabled=False):
            before = None
            if ctx.needs_input_grad[0]:
                before = F.conv2d(own, weight.flip(2, 3), padding=TAPS // 2, groups=len(weight))
            return before, _gradient_of_taps(x, own), own.sum((0, 2, 3))


def _gradient_of_taps(x: Tensor, own: Tensor) -> Tensor:
    """Return the gradient C×1×7×7 of a depthwise convolution's weight for input and gradient, B×C×height×width."""
    batch, _, rows, _ = x.shape
    half = TAPS // 2
    inputs = F.pad(x.permute(1, 3, 2, 0), (0, 0, half, half)).flatten(2)  # C, column, (row, example)
    outputs = own.permute(1, 2, 0, 3).flatten(1, 2)  # C, (row, example), column
    shifted = (inputs[..., row * batch : (row + rows) * batch] for row in range(TAPS))
    pairs = torch.stack([part @ outputs for part in shifted], dim=1)  # C, row of the weight, column of x, column of g
    sums = [pairs.diagonal(half - column, dim1=2, dim2=3).sum(-1) for column in range(TAPS)]
    return torch.stack(sums, dim=-1).unsqueeze(1)


class ConvNeXtBlock(CNBlock):
    """torchvision's ConvNeXt block with the channels last throughout, where it permutes them twice."""

    def __init__(self, width: int, layer_scale: float) -> None:
        super().__init__(width, layer_scale, stochastic_depth_prob=0.0)
        self.block[0] = DepthwiseConv(width)
        self.block[1] = self.block[6] = nn.Identity()

    def forward(self, input: Tensor) -> Tensor:
        """Return x + scale · block(x) for x, B×height×width×C."""
        changed: Tensor = self.layer_scale.flatten() * self.block(input)
        return changed + input


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
        block = ConvNeXtBlock(width, layer_scale=1e-6 if start == "published" else 1.0)
        self.stem = nn.Sequential(
            PatchConv(channels, width, patch),
            nn.LayerNorm(width, eps=1e-6),
            block,
            nn.LayerNorm(width, eps=1e-6),
            PatchConv(width, 2 * width, 2),
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
        features = self.stem(image.permute(0, 2, 3, 1)).flatten(1, 2)
        position = self.position.to(features.dtype).flatten(1).T.expand(len(image), -1, -1)
        return Tokens(torch.cat([features, position], dim=2))


def _start_as_convnext(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d | nn.Linear):
        nn.init.trunc_normal_(layer.weight, std=0.02)
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
