"""PointNet++ baseline (Qi et al. 2017, arXiv 1706.02413): PointNets of neighbourhoods, level by level."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NamedTuple

from pydantic import Field

from nacbench.contracts.model import Model, Operations, product, products
from nacbench.contracts.numbers import Count, Doublings
from nacbench.contracts.spec import TaskSpec

if TYPE_CHECKING:
    from torch import Tensor, nn


class Level(NamedTuple):
    """A set abstraction: how many centres, their neighbours at most and radius, and the widths of its network."""

    centres: int
    neighbours: int
    radius: float
    widths: list[int]


@dataclass(frozen=True, kw_only=True)
class PointNet2(Model):
    """PointNet++ with single-scale grouping, of torch-geometric's PointNetConv.

    Level i has N/2, N/8, N/32 … centres, twice the neighbours and the radius of the level before, and twice its width.
    Layer norm stands in place of batch norm, so that an example does not depend on its batch. Where a ball has more
    points than there may be neighbours, the nearest are taken; the authors' code takes the first in the file's order.

    Attributes:
        width: of the first level; the published one is 64.
        depth: number of levels before the last, which takes all that is left.
        radius: of the first level, where the cloud fills the unit ball; fewer points need a larger one.
        neighbours: of a centre, at the first level.
    """

    title = "PointNet++"
    citation = "Qi et al. 2017, arXiv 1706.02413; layers of PyTorch Geometric (Fey and Lenssen 2019, arXiv 1903.02428)"
    reads = "points"
    resized_by = ("depth", "width")
    presets = {
        "tiny": {"width": 25, "radius": 0.5, "neighbours": 16},
        "mini": {"width": 37, "radius": 0.5, "neighbours": 16},
        "paper": {},
    }

    width: Count = 318
    depth: Doublings = 2
    radius: Annotated[float, Field(gt=0, le=2**20)] = 0.2
    neighbours: Count = 32

    def operations(self, spec: TaskSpec, tokens: int, words: int = 0) -> Operations:
        assert spec.point_shape is not None
        total, raw, points = 0, 0, tokens
        for level in self._levels(spec):
            rows = level.centres * min(level.neighbours, points)
            raw = raw or product(rows, *level.widths[:2])  # of coordinates alone
            total += products(rows, level.widths)
            points = level.centres
        whole, head = self._last(spec)
        return Operations(example=total + products(points, whole) + products(1, head), raw=raw)

    def build(self, spec: TaskSpec) -> nn.Module:
        import torch
        from torch import nn

        from nacbench.nn.geometric import PointNetConv, mlp
        from nacbench.nn.points import at, edges, farthest_points, maximum, nearest_points

        levels = list(self._levels(spec))
        whole, head = self._last(spec)

        class Classifier(nn.Module):
            """Takes points B×N×3 in place of tokens."""

            def __init__(self) -> None:
                super().__init__()
                self.levels = nn.ModuleList(
                    PointNetConv(mlp(*level.widths, plain_last=False), add_self_loops=False) for level in levels
                )
                self.whole = mlp(*whole, plain_last=False)
                self.logits = mlp(*head)

            def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
                points, features = tokens, None
                for level, conv in zip(levels, self.levels, strict=True):
                    index, there = farthest_points(points, level.centres, mask)
                    centres = at(points, index)
                    near, found = nearest_points(centres, points, level.neighbours, mask, level.radius)
                    places = (points.flatten(0, 1), centres.flatten(0, 1))
                    flat = conv((features, None), places, edges(near, found, there, points.shape[1]))
                    points, mask, features = centres, there, flat
                assert features is not None
                own = torch.cat([features.unflatten(0, points.shape[:2]), points], dim=-1)
                logits: Tensor = self.logits(maximum(self.whole(own), mask))
                return logits

        return Classifier()

    def _levels(self, spec: TaskSpec) -> Iterator[Level]:
        """Yield the levels before the last."""
        assert spec.point_shape is not None
        points, coordinates = spec.point_shape
        before = 0
        for number in range(self.depth):
            width = self.width * 2**number
            centres = max(1, points // (2 * 4**number))
            inputs = before + coordinates
            yield Level(
                centres, self.neighbours * 2**number, self.radius * 2**number, [inputs, width, width, 2 * width]
            )
            before = 2 * width

    def _last(self, spec: TaskSpec) -> tuple[list[int], list[int]]:
        """Return the widths of the network of the last centres, and of that of the whole."""
        assert spec.point_shape is not None
        width = self.width * 2**self.depth
        return [width + spec.point_shape[1], width, 2 * width, 4 * width], [
            4 * width,
            2 * width,
            width,
            spec.classes,
        ]
