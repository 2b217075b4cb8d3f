"""ResNet baseline (He et al. 2016, arXiv 1512.03385): torchvision's blocks with group norm, on raw images."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from nacbench.contracts.model import Model, Operations, product
from nacbench.contracts.numbers import Count, Doublings
from nacbench.contracts.spec import TaskSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

SMALL_IMAGE = 64  # pixels; larger images are halved twice before the first stage


@dataclass(frozen=True, kw_only=True)
class ResNet(Model):
    """Convolutions with residual connections, in stages of half the height and width and twice the channels.

    Its norm is over groups of channels of one example (Wu and He 2018, arXiv 1803.08494), since batch norm would make
    an example depend on its batch. Images of up to 64 pixels have the stem of the paper's section 4.2, a 3×3
    convolution at full size; larger ones that of its table 1, 7×7 of stride 2 and a max pooling. ``depth`` is the
    number of blocks of two convolutions in each stage.

    Attributes:
        width: channels of the first stage; must be a multiple of the groups.
        depth: residual blocks of each stage.
        stages: each with half the height and width and twice the channels of the one before.
        groups: of the group normalisation.
    """

    title = "ResNet"
    idea = "convolutions with residual connections, in stages of falling resolution"
    citation = (
        "He et al. 2016, arXiv 1512.03385; group norm: Wu and He 2018, arXiv 1803.08494; torchvision's BasicBlock"
    )
    library = "torchvision"
    kept_by = "the PyTorch developers"
    reads = "image"
    resized_by = ("depth", "width")
    presets = {
        "tiny": {"width": 28, "depth": 1, "stages": 3, "groups": 4},
        "mini": {"width": 28, "depth": 2, "stages": 3, "groups": 4},
        "paper": {},
    }

    width: Count = 64
    depth: Count = 6
    stages: Doublings = 4
    groups: Count = 32

    def __post_init__(self) -> None:
        if self.width % self.groups:
            raise ValueError(f"model.width = {self.width} must be a multiple of model.groups = {self.groups}")

    def operations(self, spec: TaskSpec, tokens: int, words: int = 0) -> Operations:
        assert spec.image_shape is not None
        channels, *sides = spec.image_shape
        large = max(sides) > SMALL_IMAGE
        if large:
            sides = [_halved(side) for side in sides]
        stem = product(sides[0] * sides[1], channels * (49 if large else 9), self.width)
        if large:
            sides = [_halved(side) for side in sides]
        total, inner, outer = stem, self.width, self.width
        for stage in range(self.stages):
            if stage:
                sides, outer = [_halved(side) for side in sides], 2 * inner
                total += product(sides[0] * sides[1], inner, outer)  # of the shortcut
            convolutions = 9 * (inner + (2 * self.depth - 1) * outer)
            total += product(sides[0] * sides[1], convolutions, outer)
            inner = outer
        return Operations(example=total + product(1, outer, spec.classes), raw=stem)

    def build(self, spec: TaskSpec) -> nn.Module:
        import torch
        from torch import nn
        from torchvision.models.resnet import BasicBlock

        assert spec.image_shape is not None
        channels, *sides = spec.image_shape

        def norm(count: int) -> nn.Module:
            return nn.GroupNorm(self.groups, count)

        def stage(inner: int, outer: int, depth: int, stride: int) -> nn.Module:
            shortcut = None
            if stride != 1:
                shortcut = nn.Sequential(nn.Conv2d(inner, outer, 1, stride, bias=False), norm(outer))
            first = BasicBlock(inner, outer, stride, shortcut, norm_layer=norm)
            return nn.Sequential(first, *(BasicBlock(outer, outer, norm_layer=norm) for _ in range(1, depth)))

        class Classifier(nn.Module):
            """Takes the image B×channels×height×width in place of tokens; the mean over positions gives the logits."""

            capturable = True

            def __init__(self, width: int, depth: int, stages: int) -> None:
                super().__init__()
                large = max(sides) > SMALL_IMAGE
                size, stride = (7, 2) if large else (3, 1)
                self.stem = nn.Sequential(
                    nn.Conv2d(channels, width, size, stride, size // 2, bias=False), norm(width), nn.ReLU()
                )
                self.pool = nn.MaxPool2d(3, 2, 1) if large else nn.Identity()
                widths = [width * 2**index for index in range(stages)]
                self.stages = nn.Sequential(
                    stage(width, width, depth, 1),
                    *(stage(a, b, depth, 2) for a, b in pairwise(widths)),
                )
                self.logits = nn.Linear(widths[-1], spec.classes)
                for part in self.modules():
                    if isinstance(part, nn.Conv2d):  # as torchvision's
                        nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")

            def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
                x = self.stages(self.pool(self.stem(tokens)))
                logits: Tensor = self.logits(torch.mean(x, dim=(2, 3)))
                return logits

        return Classifier(self.width, self.depth, self.stages)


def _halved(side: int) -> int:
    """Return the height or width after a convolution or pooling of stride 2 with padding."""
    return (side + 1) // 2
