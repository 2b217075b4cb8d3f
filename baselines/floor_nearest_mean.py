"""Floor: the nearest class mean of raw pixels. It shows how far images can be told apart without any feature."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from nacbench.contracts.model import Model, Operations, product
from nacbench.contracts.spec import TaskSpec

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class FloorNearestMean(Model):
    """The class whose mean training image is nearest, by squared Euclidean distance over all pixels.

    The means are counted, not descended to: sums over all training images as the recipe augments them, each image
    weighted by its target (Hastie, Tibshirani and Friedman 2009, The Elements of Statistical Learning, section 4.3:
    linear discriminant analysis with one covariance, a multiple of the identity, and equal priors). Only the scale of
    the distances is learned; it decides the negative log-likelihood, and no prediction. All sizes are the same.
    """

    title = "Floor: nearest mean"
    idea = "the class whose mean training image is nearest"
    reads = "image"
    presets = {"tiny": {}, "mini": {}, "paper": {}}

    def unsupported(self, spec: TaskSpec) -> str | None:
        reason = super().unsupported(spec)
        return reason if reason or spec.targets == "classes" else "it has means of classes only"

    def operations(self, spec: TaskSpec, tokens: int, words: int = 0) -> Operations:
        assert spec.image_shape is not None
        pixels = prod(spec.image_shape)
        return Operations(example=product(1, pixels, spec.classes), raw=product(1, pixels, spec.classes))

    def build(self, spec: TaskSpec) -> nn.Module:
        import torch
        import torch.nn.functional as F
        from torch import nn

        assert spec.image_shape is not None
        pixels = prod(spec.image_shape)

        class Classifier(nn.Module):
            """Takes the image B×channels×height×width in place of tokens; its state is a sum and a count by class."""

            sums: Tensor
            counts: Tensor

            def __init__(self) -> None:
                super().__init__()
                self.register_buffer("sums", torch.zeros(spec.classes, pixels))
                self.register_buffer("counts", torch.zeros(spec.classes))
                self.scale = nn.Parameter(torch.zeros(()))  # logarithm of the distances' factor

            def learn(self, tokens: Tensor, mask: Tensor | None, target: Tensor) -> None:
                shares = target if target.is_floating_point() else F.one_hot(target, len(self.counts))
                shares = shares.to(self.sums.dtype)
                self.sums += shares.T @ tokens.flatten(1).to(self.sums.dtype)
                self.counts += shares.sum(dim=0)

            def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
                means = self.sums / self.counts.clamp(min=1).unsqueeze(1)
                # |x − m|² without |x|², which is the same for all classes. In bf16 the difference of two distances,
                # which decides, would be lost in the rounding of each
                with torch.autocast(tokens.device.type, enabled=False):
                    distance = means.square().sum(dim=1) - 2 * tokens.flatten(1).float() @ means.T
                return -self.scale.exp() * distance / pixels

        return Classifier()
