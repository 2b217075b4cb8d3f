"""Image augmentation of whole batches (torchvision transforms v2): crop, flip, RandAugment, erasing, mixup, cutmix.

All random numbers come from torch's global CPU generator.
"""

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
    """Pad with zeros and crop back to the original size, at a random position for each image of a batch.

    torchvision's RandomCrop draws one position for the whole batch.
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
    """Flip each image of a batch horizontally with probability 1/2; torchvision's flip mirrors all or none."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"flip": torch.rand(len(flat_inputs[0])) < 0.5}

    def transform(self, inpt: Tensor, params: dict[str, Any]) -> Tensor:
        return torch.where(params["flip"].view(-1, 1, 1, 1), inpt.flip(-1), inpt)


class RandAugmentAround(v2.Transform):
    """RandAugment with two operations and a normally distributed magnitude (Cubuk et al. 2020, arXiv 1909.13719).

    Args:
        mean, std: of the magnitude, on torchvision's scale from 0 to 30 (timm's runs to 10: its m9 std 0.5 is 27, 1.5).
    """

    def __init__(self, mean: float, std: float) -> None:
        super().__init__()
        self.mean, self.std = mean, std
        # torchvision fixes the magnitude at construction, so there is a transform for each of its 31 levels. It always
        # applies its operations, where timm's "rand-m9-mstd0.5-inc1" applies each with probability 1/2.
        self.levels = torch.nn.ModuleList(v2.RandAugment(magnitude=level) for level in range(31))

    def forward(self, image: Tensor) -> Tensor:
        level = round(self.mean + self.std * float(torch.randn(())))
        augmented: Tensor = self.levels[min(max(level, 0), 30)](image)
        return augmented


class ResizedCropEach(v2.Transform):
    """Crop a random rectangle from each image and resize it to the original size.

    Args:
        least: smallest area of the rectangle as a share of the image's, in (0, 1].
    """

    def __init__(self, least: float) -> None:
        super().__init__()
        self.least = least

    def forward(self, images: Tensor) -> Tensor:
        crop = v2.RandomResizedCrop(list(images.shape[-2:]), scale=(self.least, 1.0), antialias=True)
        return torch.cat([crop(part) for part in images.split(1)])


class InGroups(v2.Transform):
    """Apply transforms to small groups of a batch.

    torchvision's transforms draw their parameters once per call, so each group gets its own.
    """

    def __init__(self, transforms: Sequence[torch.nn.Module], group: int) -> None:
        super().__init__()
        self.transforms = v2.Compose(transforms)
        self.group = group

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([self.transforms(part) for part in images.split(self.group)])


def augmentation(settings: ImageAugment, mean: Sequence[float], std: Sequence[float]) -> v2.Compose:
    """Return the transform from uint8 images B×channels×height×width to augmented and normalised float32 images.

    Args:
        settings: augmentation, applied in the order of the paper's recipe.
        mean, std: of the channels, on a scale of 0 to 1.
    """
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
    if settings.erasing:  # after the normalisation, so that erased rectangles have the value 0: the mean
        steps.append(InGroups([v2.RandomErasing(settings.erasing)], settings.images_per_draw))
    return v2.Compose(steps)


def mixing(settings: ImageAugment, classes: int) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return mixup and cutmix of a whole batch: images and class indices B → images and probabilities B×classes.

    Without either, labels stay class indices.
    """
    # torchvision pairs example i with i - 1, so with repeated augmentation most copies are mixed with each other
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
    """Converts stored uint8 ``images`` to the tokenizer's normalised ``image``; see `nacbench.data.live.Preparation`.

    Args:
        settings: augmentation in training.
        mean, std: of the channels, on a scale of 0 to 1.
        classes: number of classes, for mixup and cutmix.
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
