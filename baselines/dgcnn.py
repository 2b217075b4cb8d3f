"""DGCNN baseline (Wang et al. 2019, arXiv 1801.07829): convolutions on edges to the nearest points in feature space."""

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
class DGCNN(Model):
    """The classification network of the paper, of torch-geometric's EdgeConv; neighbours are found anew in each layer.

    Layer norm stands in place of batch norm, so that an example does not depend on its batch.

    Attributes:
        width: of the first two layers, each later one has twice that of the layer before; the published one is 64.
        depth: number of layers.
        neighbours: of a point, itself among them.
    """

    title = "DGCNN"
    citation = (
        "Wang et al. 2019, arXiv 1801.07829; layers of PyTorch Geometric (Fey and Lenssen 2019, arXiv 1903.02428)"
    )
    reads = "points"
    resized_by = ("depth", "width")
    presets = {
        "tiny": {"width": 22, "neighbours": 10},
        "mini": {"width": 34, "neighbours": 10},
        "paper": {},
    }

    width: Count = 286
    depth: Doublings = 4
    neighbours: Count = 20

    def operations(self, spec: TaskSpec, tokens: int, words: int = 0) -> Operations:
        widths, embedded, head = self._widths(spec)
        rows = tokens * min(self.neighbours, tokens)
        layers = [product(rows, 2 * before, after) for before, after in pairwise(widths)]
        whole = product(tokens, sum(widths[1:]), embedded) + products(1, head)
        return Operations(example=sum(layers) + whole, raw=layers[0])

    def build(self, spec: TaskSpec) -> nn.Module:
        import torch
        from torch import nn

        from nacbench.nn.geometric import EdgeConv, mlp
        from nacbench.nn.masks import mean_token
        from nacbench.nn.points import edges, maximum, nearest_points

        widths, embedded, head = self._widths(spec)
        neighbours = self.neighbours

        class Classifier(nn.Module):
            """Takes points B×N×3 in place of tokens."""

            def __init__(self) -> None:
                super().__init__()
                self.layers = nn.ModuleList(
                    EdgeConv(mlp(2 * before, after, plain_last=False), aggr="max") for before, after in pairwise(widths)
                )
                self.embed = mlp(sum(widths[1:]), embedded, plain_last=False)
                self.logits = mlp(*head)

            def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
                batch, points = tokens.shape[:2]
                features, found = tokens, []
                for layer in self.layers:
                    near, known = nearest_points(features, features, neighbours, mask)
                    flat = layer(features.flatten(0, 1), edges(near, known, mask, points))
                    features = flat.unflatten(0, (batch, points))
                    found.append(features)
                whole = self.embed(torch.cat(found, dim=-1))
                logits: Tensor = self.logits(torch.cat([maximum(whole, mask), mean_token(whole, mask)], dim=-1))
                return logits

        return Classifier()

    def _widths(self, spec: TaskSpec) -> tuple[list[int], int, list[int]]:
        """Return the widths before and after each layer, that of each point's last features, and those of the head."""
        assert spec.point_shape is not None
        layers = [self.width * max(1, 2 ** (number - 1)) for number in range(self.depth)]
        head = [2 * 16 * self.width, 8 * self.width, 4 * self.width, spec.classes]
        return [spec.point_shape[1], *layers], 16 * self.width, head
