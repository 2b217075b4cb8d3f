"""Geometry of point clouds in plain torch: farthest points, nearest points, and the edges between them.

All choices are of indices and without gradients. They are computed in float32, whatever the points are, and example by
example. Equal distances: the smallest index is taken first, which torch's own ``topk`` and ``sort`` do not promise.
torch-geometric's farthest points and neighbours need a compiled extension, pyg-lib.
"""

import torch
from torch import Tensor

from nacbench.nn.masks import mean_token


@torch.no_grad()
def farthest_points(points: Tensor, count: int, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
    """Choose points that are far from each other: each is the one farthest from those before (Eldar et al. 1997).

    The first is the point farthest from the mean of all, so that the order of the points decides nothing.

    Args:
        points: B×N×C.
        count: M, number of points to choose.
        mask: boolean B×N, false for padding, which is never chosen; None if nothing is padding.

    Returns:
        Indices int64 B×M, and boolean B×M, false from where an example has no more points; None if no example lacks
        any.
    """
    wide = points.float()
    real = torch.ones_like(wide[..., 0]) if mask is None else mask.float()
    mean = mean_token(wide, mask)[:, None]
    place = torch.arange(wide.shape[1], device=wide.device)
    taken = torch.full_like(real, -1.0)  # less than any distance: chosen already, or padding
    distance = torch.where(real > 0, (wide - mean).square().sum(-1), taken)
    chosen, there = [], []
    for step in range(count):
        index = distance.argmax(1, keepdim=True)  # of equal ones the first
        chosen.append(index)
        there.append(distance.gather(1, index) >= 0)
        own = (wide - at(wide, index)).square().sum(-1)
        nearest = torch.where(distance < 0, taken, own if step == 0 else torch.minimum(distance, own))
        distance = torch.where(place == index, taken, nearest)
    lacking = mask is not None or count > wide.shape[1]
    return torch.cat(chosen, 1), torch.cat(there, 1) if lacking else None


@torch.no_grad()
def nearest_points(
    queries: Tensor, points: Tensor, count: int, mask: Tensor | None = None, radius: float | None = None
) -> tuple[Tensor, Tensor | None]:
    """Return the nearest points of each query, nearest first.

    Args:
        queries: B×M×C.
        points: B×N×C, of which each example has one at least.
        count: K, number of neighbours; N if there are fewer points.
        mask: boolean B×N, false for padding, which is no neighbour; None if nothing is padding.
        radius: in place of a neighbour that is farther away stands the nearest one once more.

    Returns:
        Indices int64 B×M×K, and boolean B×M×K, false where an example has no more points; None if no example lacks any.
    """
    # Not by matrix products, whose rounding depends on the size of the batch
    distance = torch.cdist(queries.float(), points.float(), compute_mode="donot_use_mm_for_euclid_dist")
    if mask is not None:
        distance = distance.masked_fill(~mask[:, None], torch.inf)
    # The bits of floats from zero on are ordered as the floats: distance and index together make a key without equals
    place = torch.arange(points.shape[1], device=points.device)
    key = (distance.view(torch.int32).long() << 32) | place
    index = key.topk(min(count, points.shape[1]), largest=False).values & 0xFFFFFFFF
    found = distance.gather(2, index)
    if radius is not None:
        index = torch.where(found <= radius, index, index[..., :1])
    return index, None if mask is None else found.isfinite()


def at(points: Tensor, index: Tensor) -> Tensor:
    """Return the rows B×M×C of points B×N×C at indices B×M."""
    return points.gather(1, index[..., None].expand(-1, -1, points.shape[-1]))


def edges(index: Tensor, found: Tensor | None, asked: Tensor | None, points: int) -> Tensor:
    """Return the edges from neighbours to queries as torch-geometric has them: int64 2×E, sources above targets.

    The rows of all examples count on: neighbour n of example b is b·N + n, query m is b·M + m.

    Args:
        index: of neighbours, B×M×K.
        found: boolean B×M×K, false for what is no neighbour; None if all are.
        asked: boolean B×M, false for queries that are padding, which get no edges; None if none is.
        points: N.
    """
    batch, queries, _ = index.shape
    example = torch.arange(batch, device=index.device)[:, None, None]
    target = torch.arange(queries, device=index.device)[None, :, None] + example * queries
    both = torch.stack([index + example * points, target.expand_as(index)])
    masks = [mask for mask in (found, None if asked is None else asked[..., None]) if mask is not None]
    wanted = [mask.expand_as(index) for mask in masks]
    return both[:, torch.stack(wanted).all(0)] if wanted else both.flatten(1)


def maximum(features: Tensor, mask: Tensor | None) -> Tensor:
    """Return the maximum B×C over the points of features B×N×C that the mask B×N leaves; zeros where it leaves none."""
    if mask is None:
        return features.amax(1)
    most = features.masked_fill(~mask[..., None], -torch.inf).amax(1)
    return torch.where(mask.any(1, keepdim=True), most, 0)
