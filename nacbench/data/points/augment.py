"""Point-cloud augmentation of whole batches (rotation, scaling, shift, jitter), with torch's global CPU generator."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from nacbench.data.live import Inputs
    from nacbench.data.points.recipe import PointAugment


class PointPreparation:
    """Subsamples and, in training, augments point clouds; see `nacbench.data.live.Preparation`.

    Args:
        settings: augmentation in training.
        count: number of points V to take from each cloud.
    """

    def __init__(self, settings: PointAugment, count: int) -> None:
        self._settings = settings
        self._count = count

    def train(self, inputs: Inputs, labels: Tensor) -> tuple[Inputs, Tensor]:
        return {"points": augment(some_points(inputs["points"], self._count), self._settings)}, labels

    def plain(self, inputs: Inputs, first: int) -> Inputs:
        return {"points": inputs["points"][:, : self._count].float()}  # a random sample: points are stored shuffled


def some_points(clouds: Tensor, count: int) -> Tensor:
    """Sample ``count`` points of each cloud without replacement: B×P×3 → float32 B×count×3."""
    # The indices of the largest of P uniform numbers are a uniform sample without replacement
    chosen = torch.rand(clouds.shape[:2]).topk(count, dim=1).indices
    return clouds.gather(1, chosen.unsqueeze(-1).expand(-1, -1, 3)).float()


def augment(clouds: Tensor, settings: PointAugment) -> Tensor:
    """Return rotated, scaled, shifted and jittered clouds B×V×3, with separate random parameters for each cloud."""
    batch = len(clouds)
    if settings.turn:
        angle = (2 * torch.rand(batch) - 1) * settings.turn * math.pi
        zero, one = torch.zeros(batch), torch.ones(batch)
        rows = [angle.cos(), -angle.sin(), zero, angle.sin(), angle.cos(), zero, zero, zero, one]
        clouds = clouds @ torch.stack(rows, dim=-1).view(batch, 3, 3).transpose(1, 2)
    if settings.scale:
        clouds = clouds * (1 + settings.scale * (2 * torch.rand(batch, 1, 3) - 1))
    if settings.shift:
        clouds = clouds + settings.shift * (2 * torch.rand(batch, 1, 3) - 1)
    if settings.jitter:
        noise = torch.randn_like(clouds).clamp(-5, 5)
        clouds = clouds + settings.jitter * noise
    return clouds
