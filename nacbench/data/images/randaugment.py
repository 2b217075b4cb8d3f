"""RandAugment in the variant "rand-m9-mstd0.5-inc1" of timm: two of fifteen operations, each applied half of the time.

The operations and their ranges are those of Cubuk et al. 2020 (arXiv 1909.13719); that an operation may be left out,
that the magnitude is drawn, and that every operation grows with it, is of timm 0.4.12, which the paper's authors used.
torchvision's RandAugment has fourteen operations, always applies them, and has no bicubic interpolation of tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from PIL.Image import Image

STRONGEST = 10.0  # the largest magnitude
PER_IMAGE = 2  # operations that are drawn for an image, with replacement

Fill = tuple[int, ...]
Operation = Callable[["Image", float, float, Fill], "Image"]


class RandAugment(torch.nn.Module):
    """Draw two operations for each image of a batch, and apply each with some probability.

    Magnitudes are normal around the mean, cut to [0, 10]. Corners that a rotation, shear or shift uncovers get the fill
    colour. Random numbers come from torch's global generator.

    Args:
        magnitude, std: mean and standard deviation of the magnitude, on a scale of 0 to 10.
        probability: of applying each of the two.
        fill: colour, a number in [0, 1] for each channel: the mean of the normalisation.
    """

    def __init__(self, magnitude: float, std: float, probability: float, fill: Sequence[float]) -> None:
        super().__init__()
        self.magnitude, self.std, self.probability = magnitude, std, probability
        self.fill = tuple(min(255, round(255 * channel)) for channel in fill)

    def forward(self, images: Tensor) -> Tensor:
        """Return augmented images, uint8 B×channels×height×width; channels are 1 or 3."""
        shape = (len(images), PER_IMAGE)
        chosen = torch.randint(len(OPERATIONS), shape)
        applied = torch.rand(shape) < self.probability
        levels = (self.magnitude + self.std * torch.randn(shape)).clamp(0, STRONGEST) / STRONGEST
        signs = torch.randint(2, shape) * 2 - 1
        out = images.clone()
        for index in applied.any(dim=1).nonzero().flatten().tolist():
            image = as_pillow(images[index])
            for turn in applied[index].nonzero().flatten().tolist():
                operation = OPERATIONS[int(chosen[index, turn])]
                image = operation(image, float(levels[index, turn]), float(signs[index, turn]), self.fill)
            out[index] = as_tensor(image)
        return out


def as_pillow(image: Tensor) -> Image:
    """Return an image, uint8 channels×height×width with 1 or 3 channels, as Pillow's."""
    from PIL import Image

    return Image.fromarray(image[0].numpy() if len(image) == 1 else image.permute(1, 2, 0).contiguous().numpy())


def as_tensor(image: Image) -> Tensor:
    """Return one of Pillow's images, of mode ``L`` or ``RGB``, as uint8 channels×height×width."""
    grid = torch.from_numpy(np.array(image))
    return grid[None] if grid.ndim == 2 else grid.permute(2, 0, 1)


# Each takes an image, the level in [0, 1], a random sign, and the fill colour


def auto_contrast(image: Image, level: float, sign: float, fill: Fill) -> Image:
    """Stretch each channel to the range 0 to 255."""
    from PIL import ImageOps

    return ImageOps.autocontrast(image)


def equalize(image: Image, level: float, sign: float, fill: Fill) -> Image:
    """Equalise the histogram of each channel."""
    from PIL import ImageOps

    return ImageOps.equalize(image)


def invert(image: Image, level: float, sign: float, fill: Fill) -> Image:
    """Negate the colours."""
    from PIL import ImageOps

    return ImageOps.invert(image)


def rotate(image: Image, level: float, sign: float, fill: Fill) -> Image:
    """Rotate by up to 30 degrees either way."""
    from PIL import Image as Pillow

    return image.rotate(30 * level * sign, Pillow.Resampling.BICUBIC, fillcolor=_colour(image, fill))


def posterize(image: Image, level: float, sign: float, fill: Fill) -> Image:
    """Keep the four down to one highest bits of each channel."""
    from PIL import ImageOps

    # At the strongest level timm keeps none: a black image with Pillow 11, an error with Pillow 13
    return ImageOps.posterize(image, max(1, 4 - int(4 * level)))


def solarize(image: Image, level: float, sign: float, fill: Fill) -> Image:
    """Negate what is brighter than a threshold, from 256 down to 0."""
    from PIL import ImageOps

    return ImageOps.solarize(image, 256 - int(256 * level))


def solarize_add(image: Image, level: float, sign: float, fill: Fill) -> Image:
    """Brighten what is darker than 128 by up to 110."""
    added = int(110 * level)
    table = [min(255, value + added) if value < 128 else value for value in range(256)]
    return image.point(table * len(image.getbands()))


def color(image: Image, level: float, sign: float, fill: Fill) -> Image:
    """Change the saturation by up to 90 %."""
    from PIL import ImageEnhance

    return ImageEnhance.Color(image).enhance(1 + 0.9 * level * sign)


def contrast(image: Image, level: float, sign: float, fill: Fill) -> Image:
    """Change the contrast by up to 90 %."""
    from PIL import ImageEnhance

    return ImageEnhance.Contrast(image).enhance(1 + 0.9 * level * sign)


def brightness(image: Image, level: float, sign: float, fill: Fill) -> Image:
    """Change the brightness by up to 90 %."""
    from PIL import ImageEnhance

    return ImageEnhance.Brightness(image).enhance(1 + 0.9 * level * sign)


def sharpness(image: Image, level: float, sign: float, fill: Fill) -> Image:
    """Change the sharpness by up to 90 %."""
    from PIL import ImageEnhance

    return ImageEnhance.Sharpness(image).enhance(1 + 0.9 * level * sign)


def shear_x(image: Image, level: float, sign: float, fill: Fill) -> Image:
    """Shift rows by up to 0.3 pixels per row, from none at the top."""
    return _moved(image, (1, 0.3 * level * sign, 0, 0, 1, 0), fill)


def shear_y(image: Image, level: float, sign: float, fill: Fill) -> Image:
    """Shift columns by up to 0.3 pixels per column, from none at the left."""
    return _moved(image, (1, 0, 0, 0.3 * level * sign, 1, 0), fill)


def translate_x(image: Image, level: float, sign: float, fill: Fill) -> Image:
    """Shift by up to 45 % of the width."""
    return _moved(image, (1, 0, 0.45 * level * sign * image.width, 0, 1, 0), fill)


def translate_y(image: Image, level: float, sign: float, fill: Fill) -> Image:
    """Shift by up to 45 % of the height."""
    return _moved(image, (1, 0, 0, 0, 1, 0.45 * level * sign * image.height), fill)


def _moved(image: Image, matrix: tuple[float, ...], fill: Fill) -> Image:
    """Return the image seen through an affine map from new to old pixels: the rows (a, b, c) and (d, e, f)."""
    from PIL import Image as Pillow

    bicubic = Pillow.Resampling.BICUBIC
    return image.transform(
        image.size, Pillow.Transform.AFFINE, matrix, resample=bicubic, fillcolor=_colour(image, fill)
    )


def _colour(image: Image, fill: Fill) -> Fill | int:
    return fill[0] if image.mode == "L" else fill


OPERATIONS: tuple[Operation, ...] = (
    auto_contrast,
    equalize,
    invert,
    rotate,
    posterize,
    solarize,
    solarize_add,
    color,
    contrast,
    brightness,
    sharpness,
    shear_x,
    shear_y,
    translate_x,
    translate_y,
)
