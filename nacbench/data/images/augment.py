"""Augmentation of whole batches with torchvision's transforms v2; all draws come from torch's CPU generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms import v2

if TYPE_CHECKING:
    from nacbench.data.images.recipe import ImageAugment
    from nacbench.data.live import Inputs


class CropEach(v2.Transform):
    """Pad with zeros and crop back to the old size at a place of its own for each image of a batch.

    torchvision's RandomCrop draws one place for the whole batch.
    """

    def __init__(self, padding: int) -> None:
        super().__init__()
        self.padding = padding

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"corner": torch.randint(0, 2 * self.padding + 1, (2, len(flat_inputs[0])))}

    def transform(self, inpt: Tensor, params: dict[str, Any]) -> Tensor:
        count, channels, height, width = inpt.shape
        padded = F.pad(inpt, [self.padding] * 4)
        top, left = params["corner"].view(2, count, 1, 1, 1)
        rows = top + torch.arange(height).view(1, 1, height, 1)
        columns = left + torch.arange(width).view(1, 1, 1, width)
        images = torch.arange(count).view(count, 1, 1, 1)
        return padded[images, torch.arange(channels).view(1, channels, 1, 1), rows, columns]


class FlipEach(v2.Transform):
    """Mirror each image of a batch with probability 1/2; torchvision's flip mirrors all or none."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"flip": torch.rand(len(flat_inputs[0])) < 0.5}

    def transform(self, inpt: Tensor, params: dict[str, Any]) -> Tensor:
        return torch.where(params["flip"].view(-1, 1, 1, 1), inpt.flip(-1), inpt)


class RandAugmentAround(v2.Transform):
    """RandAugment (Cubuk et al. 2020) with a magnitude drawn from a normal distribution, two operations."""

    def __init__(self, mean: float, std: float) -> None:
        super().__init__()
        self.mean, self.std = mean, std
        self.levels = torch.nn.ModuleList(v2.RandAugment(magnitude=level) for level in range(31))

    def forward(self, image: Tensor) -> Tensor:
        level = round(self.mean + self.std * float(torch.randn(())))
        augmented: Tensor = self.levels[min(max(level, 0), 30)](image)
        return augmented


class ResizedCropEach(v2.Transform):
    """Cut a rectangle out of each image at random and resize it to the old size.

    Args:
        least: share of the image's area that the rectangle has at least.
    """

    def __init__(self, least: float) -> None:
        super().__init__()
        self.least = least

    def forward(self, images: Tensor) -> Tensor:
        crop = v2.RandomResizedCrop(list(images.shape[-2:]), scale=(self.least, 1.0), antialias=True)
        return torch.cat([crop(part) for part in images.split(1)])


class InGroups(v2.Transform):
    """Apply transforms that draw once a call to small groups of a batch, so that each group has its own draw."""

    def __init__(self, transforms: Sequence[torch.nn.Module], group: int) -> None:
        super().__init__()
        self.transforms = v2.Compose(transforms)
        self.group = group

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([self.transforms(part) for part in images.split(self.group)])


def augmentation(settings: ImageAugment, mean: Sequence[float], std: Sequence[float]) -> v2.Compose:
    """uint8 images B×channels×height×width → augmented and normalised float32 images of the same shape."""
    steps: list[torch.nn.Module] = []
    if settings.crop_padding:
        steps.append(CropEach(settings.crop_padding))
    if settings.resized_crop:
        steps.append(ResizedCropEach(settings.resized_crop))
    if settings.flip:
        steps.append(FlipEach())
    drawn: list[torch.nn.Module] = []
    if settings.randaugment:
        drawn.append(RandAugmentAround(settings.randaugment, settings.randaugment_std))
    if settings.color_jitter:
        change = settings.color_jitter
        drawn.append(v2.ColorJitter(brightness=change, contrast=change, saturation=change))
    if drawn:
        steps.append(InGroups(drawn, settings.images_per_draw))
    steps += [v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean, std)]
    if settings.erasing:
        steps.append(InGroups([v2.RandomErasing(settings.erasing)], settings.images_per_draw))
    return v2.Compose(steps)


def mixing(settings: ImageAugment, classes: int) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Mixup and cutmix on a whole batch: images and labels (class indices) → images and targets (probabilities)."""
    choices: list[torch.nn.Module] = []
    weights = []
    if settings.mixup:
        choices.append(v2.MixUp(alpha=settings.mixup, num_classes=classes))
        weights.append(1 - settings.cutmix_probability if settings.cutmix else 1.0)
    if settings.cutmix:
        choices.append(v2.CutMix(alpha=settings.cutmix, num_classes=classes))
        weights.append(settings.cutmix_probability if settings.mixup else 1.0)
    if not choices:
        return lambda images, labels: (images, labels)
    return v2.RandomChoice(choices, p=weights)


class ImagePreparation:
    """See `nacbench.data.live.Preparation`: stored uint8 ``images`` → the tokenizer's normalised ``image``.

    Args:
        settings: augmentation in training.
        mean, std: of the channels, on a scale of 0 to 1.
        classes: how many there are, for mixup and cutmix.
    """

    def __init__(self, settings: ImageAugment, mean: Sequence[float], std: Sequence[float], classes: int) -> None:
        self._augment = augmentation(settings, mean, std)
        self._mix = mixing(settings, classes)
        self._plain = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean, std)])

    def train(self, inputs: Inputs, labels: Tensor) -> tuple[Inputs, Tensor]:
        images, target = self._mix(self._augment(inputs["images"]), labels)
        return {"image": images}, target

    def plain(self, inputs: Inputs, first: int) -> Inputs:
        return {"image": self._plain(inputs["images"])}
