"""Point Transformer baseline (Zhao et al. 2021, arXiv 2012.09164): attention of each point to its neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from nacbench.contracts.model import Model, Operations, product, products
from nacbench.contracts.numbers import Count, Doublings
from nacbench.contracts.spec import TaskSpec

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class PointTransformer(Model):
    """The classification network of the paper, of torch-geometric's PointTransformerConv.

    Each stage after the first keeps a quarter of the points (farthest points), takes the maximum of their neighbours'
    features, and doubles the width. Layer norm stands in place of batch norm, so that an example does not depend on its
    batch.

    Attributes:
        width: of the first stage; the published one is 32.
        stages: the published number is 5, for 1,024 points; fewer points need fewer.
        depth: attention layers of each stage.
        neighbours: of a point, itself among them.
    """

    title = "Point Transformer"
    citation = (
        "Zhao et al. 2021, arXiv 2012.09164; layers of PyTorch Geometric (Fey and Lenssen 2019, arXiv 1903.02428)"
    )
    reads = "points"
    resized_by = ("depth", "width")
    presets = {
        "tiny": {"width": 38, "stages": 3, "neighbours": 8},
        "mini": {"width": 58, "stages": 3, "neighbours": 8},
        "paper": {},
    }

    width: Count = 128
    stages: Doublings = 5
    depth: Count = 1
    neighbours: Count = 16

    def operations(self, spec: TaskSpec, tokens: int, words: int = 0) -> Operations:
        assert spec.point_shape is not None
        total = embed = product(tokens, spec.point_shape[1], self.width)
        raw, points = embed, tokens
        for number, width in enumerate(self._widths()):
            if number:
                total += product(points, width // 2, width)  # before the maximum
                points = self._kept(spec, number)
            rows = points * min(self.neighbours, points)
            place = product(rows, spec.point_shape[1], self.width)  # of differences of coordinates
            hidden = 3 * product(rows, self.width, width)  # of places, and into and out of the attention's network
            total += self.depth * (5 * product(points, width, width) + place + hidden)
            raw += self.depth * place
        return Operations(example=total + products(1, self._head(spec)), raw=raw)

    def build(self, spec: TaskSpec) -> nn.Module:
        from torch import nn

        from nacbench.nn.geometric import MaxAggregation, mlp
        from nacbench.nn.masks import mean_token
        from nacbench.nn.points import at, edges, farthest_points, nearest_points

        assert spec.point_shape is not None
        coordinates = spec.point_shape[1]
        widths, head, depth, narrow = self._widths(), self._head(spec), self.depth, self.width
        kept = [self._kept(spec, number) for number in range(1, self.stages)]
        neighbours = self.neighbours

        def lines(queries: Tensor, points: Tensor, asked: Tensor | None, mask: Tensor | None) -> Tensor:
            """Return the edges from each query's neighbours."""
            near, found = nearest_points(queries, points, neighbours, mask)
            return edges(near, found, asked, points.shape[1])

        class Classifier(nn.Module):
            """Takes points B×N×3 in place of tokens."""

            def __init__(self) -> None:
                super().__init__()
                self.embed = mlp(coordinates, widths[0], plain_last=False)
                self.down = nn.ModuleList(mlp(before, after, plain_last=False) for before, after in pairwise(widths))
                self.stages = nn.ModuleList(stage_of(width, narrow, coordinates, depth) for width in widths)
                self.pool = MaxAggregation()
                self.norm = nn.LayerNorm(widths[-1])
                self.logits = mlp(*head)

            def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
                points, features = tokens, self.embed(tokens)
                for number, stage in enumerate(self.stages):
                    if number:
                        index, there = farthest_points(points, kept[number - 1], mask)
                        centres = at(points, index)
                        source, target = lines(centres, points, there, mask)
                        own = self.down[number - 1](features).flatten(0, 1)[source]
                        pooled = self.pool(own, target, dim_size=len(centres) * centres.shape[1])
                        points, mask, features = centres, there, pooled.unflatten(0, centres.shape[:2])
                    near = lines(points, points, mask, mask)
                    flat, places = features.flatten(0, 1), points.flatten(0, 1)
                    features = stage(flat, places, near).unflatten(0, points.shape[:2])
                logits: Tensor = self.logits(mean_token(self.norm(features), mask))
                return logits

        return Classifier()

    def _widths(self) -> list[int]:
        return [self.width * 2**number for number in range(self.stages)]

    def _head(self, spec: TaskSpec) -> list[int]:
        last = self._widths()[-1]
        return [last, last // 2, last // 4, spec.classes]

    def _kept(self, spec: TaskSpec, stage: int) -> int:
        """Return the number of points of a stage, counted from 0."""
        assert spec.point_shape is not None
        return max(1, spec.point_shape[0] // 4**stage)


def stage_of(width: int, narrow: int, coordinates: int, depth: int) -> nn.Module:
    """Return the attention layers of a stage.

    Args:
        width: of the features.
        narrow: of the hidden layers of the networks of places and of attention.
        coordinates: of a point.
        depth: number of layers.
    """
    from torch import nn

    from nacbench.nn.geometric import PointTransformerConv, mlp

    class Attention(nn.Module):
        """A layer that adds to the features what a point gathers from its neighbours."""

        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(width)
            self.before = nn.Linear(width, width)
            place, weigh = mlp(coordinates, narrow, width), mlp(width, narrow, width)
            self.gather = PointTransformerConv(width, width, place, weigh, add_self_loops=False)
            self.after = nn.Linear(width, width)

        def forward(self, features: Tensor, points: Tensor, near: Tensor) -> Tensor:
            own = self.gather(self.before(self.norm(features)), points, near)
            out: Tensor = features + self.after(own)
            return out

    class Stage(nn.Module):
        """Attention layers among the same neighbours."""

        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(Attention() for _ in range(depth))

        def forward(self, features: Tensor, points: Tensor, near: Tensor) -> Tensor:
            for layer in self.layers:
                features = layer(features, points, near)
            return features

    return Stage()
