"""PointNet baseline (Qi et al. 2017, arXiv 1612.00593): an MLP per point, then max pooling; no attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nacbench.contracts.model import Model, Operations, product, products
from nacbench.contracts.numbers import Count
from nacbench.contracts.spec import TaskSpec

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class PointNet(Model):
    """PointNet without its learned alignment networks (T-nets), made of torch-geometric's layers.

    Points interact only in the max pooling, so its score shows how much of a task needs no attention.

    Attributes:
        width: of each point's layers, and of the first layer after pooling.
        pooled_width: numbers of each point that the maximum is taken of.
        depth: number of each point's layers before these.
    """

    title = "PointNet"
    idea = "a small network for each token alone, then the maximum over tokens"
    citation = "Qi et al. 2017, arXiv 1612.00593; layers of PyTorch Geometric (Fey and Lenssen 2019, arXiv 1903.02428)"
    library = "torch-geometric"
    kept_by = "the PyG developers"
    reads = "points"
    resized_by = ("depth", "width")
    presets = {
        "tiny": {"width": 208, "pooled_width": 376},
        "mini": {"width": 288, "pooled_width": 576},
        "paper": {},
    }

    width: Count = 2560
    pooled_width: Count = 4928
    depth: Count = 2

    def operations(self, spec: TaskSpec, tokens: int, words: int = 0) -> Operations:
        each, head = self._widths(spec)
        return Operations(example=products(tokens, each) + products(1, head), raw=product(tokens, each[0], each[1]))

    def build(self, spec: TaskSpec) -> nn.Module:
        from torch import nn

        from nacbench.nn.geometric import mlp
        from nacbench.nn.points import maximum

        each, head = self._widths(spec)

        class Classifier(nn.Module):
            """Takes points B×N×3 in place of tokens."""

            capturable = True

            def __init__(self) -> None:
                super().__init__()
                self.each = mlp(*each)
                self.logits = mlp(*head)

            def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
                logits: Tensor = self.logits(maximum(self.each(tokens), mask))
                return logits

        return Classifier()

    def _widths(self, spec: TaskSpec) -> tuple[list[int], list[int]]:
        """Return the widths of the network of each point, and of that of the whole."""
        assert spec.point_shape is not None
        each = [spec.point_shape[1], *[self.width] * self.depth, self.pooled_width]
        return each, [self.pooled_width, self.width, self.width // 2, spec.classes]
