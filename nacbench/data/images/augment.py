"""Image augmentation of whole batches (torchvision transforms v2): crop, flip, RandAugment, jitter, erasing.

All random numbers come from torch's global CPU generator.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from nacbench.data.images.mixing import mixing
from nacbench.data.images.randaugment import RandAugment, as_pillow, as_tensor

if TYPE_CHECKING:
    from nacbench.data.images.recipe import ImageAugment
    from nacbench.data.live import Inputs, Stored

Images = Tensor | list[Tensor]  # of one size, or each of its own: uint8 channels×height×width


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


class ResizedCropEach(torch.nn.Module):
    """Crop a random rectangle from each image and resize it (bicubic), as Szegedy et al. 2015 (arXiv 1409.4842).

    Args:
        least: smallest area of the rectangle as a share of the image's, in (0, 1]; its ratio is 3/4 to 4/3.
        size: height and width of the result.
    """

    def __init__(self, least: float, size: tuple[int, int]) -> None:
        super().__init__()
        bicubic = v2.InterpolationMode.BICUBIC
        self._crop = v2.RandomResizedCrop(size, scale=(least, 1.0), interpolation=bicubic, antialias=True)

    def forward(self, images: Images) -> Tensor:
        return torch.stack([self._crop(image) for image in images])


class InGroups(torch.nn.Module):
    """Apply a transform to small groups of a batch: torchvision's draw their parameters once per call."""

    def __init__(self, transform: torch.nn.Module, group: int) -> None:
        super().__init__()
        self._transform = transform
        self._group = group

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([self._transform(part) for part in images.split(self._group)])


def centre_cropped(images: Images, size: tuple[int, int], shorter: int = 0) -> Tensor:
    """Resize images (bicubic), keeping their aspect ratio, and crop the centre; images that fit stay as they are.

    Args:
        images: uint8 B×channels×height×width, or a list of images of different sizes.
        size: height and width of the result.
        shorter: resize the shorter side to this before the crop; 0: as small as the crop allows.
    """
    if shorter:
        bicubic = v2.InterpolationMode.BICUBIC
        resized = (functional.resize(image, [shorter], bicubic, antialias=True) for image in images)
        return torch.stack([functional.center_crop(image, list(size)) for image in resized])
    if isinstance(images, Tensor) and images.shape[-2:] == size:
        return images
    return torch.stack([_fitted(image, size) for image in images])


def _fitted(image: Tensor, size: tuple[int, int]) -> Tensor:
    from PIL import Image, ImageOps

    height, width = size
    return as_tensor(ImageOps.fit(as_pillow(image), (width, height), Image.Resampling.BICUBIC))


def augmentation(
    settings: ImageAugment, mean: Sequence[float], std: Sequence[float], size: tuple[int, int]
) -> v2.Compose:
    """Return the transform from uint8 images B×channels×height×width to augmented and normalised float32 images.

    Args:
        settings: augmentation, applied in the order of its fields.
        mean, std: of the channels, on a scale of 0 to 1.
        size: height and width of the result.
    """
    steps: list[torch.nn.Module] = []
    if settings.crop_padding:
        steps.append(CropEach(settings.crop_padding))
    if settings.resized_crop:
        steps.append(ResizedCropEach(settings.resized_crop, size))
    if settings.flip:
        steps.append(FlipEach())
    if settings.randaugment:
        drawn = settings.randaugment, settings.randaugment_std, settings.randaugment_probability
        steps.append(RandAugment(*drawn, fill=mean))
    if settings.color_jitter:
        change = settings.color_jitter
        jitter = v2.ColorJitter(brightness=change, contrast=change, saturation=change)
        steps.append(InGroups(jitter, settings.images_per_draw))
    steps += [v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean, std)]
    if settings.erasing:  # after the normalisation: the noise has the mean and deviation of the images
        erasing = v2.RandomErasing(settings.erasing, (0.02, 1 / 3), (0.3, 1 / 0.3), value="random")
        steps.append(InGroups(erasing, settings.images_per_draw))
    return v2.Compose(steps)


class ImagePreparation:
    """Converts stored uint8 ``images`` to the tokenizer's normalised ``image``; see `nacbench.data.live.Preparation`.

    Images may have sizes of their own (photographs in files): random resized crops are taken from the whole.

    Args:
        settings: augmentation in training.
        mean, std: of the channels, on a scale of 0 to 1.
        classes: number of classes, for mixup and cutmix.
        size: height and width that the tokenizer takes.
        test_resize: shorter side in pixels that images get for scoring, before the centre crop; 0: as the crop needs.
    """

    def __init__(
        self,
        settings: ImageAugment,
        mean: Sequence[float],
        std: Sequence[float],
        classes: int,
        size: tuple[int, int],
        test_resize: int = 0,
    ) -> None:
        self._crops = bool(settings.resized_crop)
        self._size = size
        self._test_resize = test_resize
        self._augment = augmentation(settings, mean, std, size)
        self._mix = mixing(settings, classes)
        self._plain = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean, std)])

    def train(self, inputs: Stored, labels: Tensor) -> tuple[Inputs, Tensor]:
        images = inputs["images"] if self._crops else centre_cropped(inputs["images"], self._size)
        images, target = self._mix(self._augment(images), labels)
        return {"image": images}, target

    def plain(self, inputs: Stored, first: int) -> Inputs:
        return {"image": self._plain(centre_cropped(inputs["images"], self._size, self._test_resize))}
