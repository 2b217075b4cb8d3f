"""Mixup and cutmix of a batch: each example with the one half a batch away, with one share for all, as in timm."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from nacbench.data.images.recipe import ImageAugment

Mixing = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def mixing(settings: ImageAugment, classes: int) -> Mixing:
    """Return mixup and cutmix of a whole batch: images and class indices B → images and probabilities B×classes.

    Labels and values B×classes are mixed as they are.

    Without either, labels stay class indices. Random numbers come from torch's global generator.
    """
    mixup, cutmix = settings.mixup, settings.cutmix
    if not mixup and not cutmix:
        return lambda images, labels: (images, labels)
    cutmix_probability = settings.cutmix_probability if mixup and cutmix else float(bool(cutmix))

    def mix(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        is_cutmix = float(torch.rand(())) < cutmix_probability
        alpha = cutmix if is_cutmix else mixup
        share = float(torch.distributions.Beta(alpha, alpha).sample())
        images, share = cut_and_pasted(images, share) if is_cutmix else (blended(images, share), share)
        targets = (labels if labels.is_floating_point() else F.one_hot(labels, classes)).to(images.dtype)
        return images, blended(targets, share)

    return mix


def partners(batch: Tensor) -> Tensor:
    """Return the batch with each example in the place of its partner, the example half a batch away.

    timm flips the batch, torchvision shifts it by one. All three pair a shuffled batch at random; but copies of an
    example (repeated augmentation) lie side by side, and only half a batch keeps them apart wherever they lie.
    """
    return batch.roll(len(batch) // 2, 0)


def blended(batch: Tensor, share: float) -> Tensor:
    """Return ``share`` of each example and the rest of its partner (Zhang et al. 2018, arXiv 1710.09412)."""
    return batch * share + partners(batch) * (1 - share)


def cut_and_pasted(images: Tensor, share: float) -> tuple[Tensor, float]:
    """Replace a rectangle in each image by its partner's (Yun et al. 2019, arXiv 1905.04899).

    Args:
        images: B×channels×height×width.
        share: of the image's area outside the rectangle, if its centre were so far inside that it fits.

    Returns:
        The images, and the share of the area that was kept: rectangles are cut at the border.
    """
    height, width = images.shape[-2:]
    side = math.sqrt(1 - share)
    (top, bottom), (left, right) = (_span(int(length * side) // 2, length) for length in (height, width))
    pasted = images.clone()
    pasted[..., top:bottom, left:right] = partners(images)[..., top:bottom, left:right]
    return pasted, 1 - (bottom - top) * (right - left) / (height * width)


def _span(half: int, length: int) -> tuple[int, int]:
    centre = int(torch.randint(length, ()))
    return max(0, centre - half), min(length, centre + half)
