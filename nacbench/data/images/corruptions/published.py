"""The published corruptions of CIFAR-10-C, CIFAR-100-C, Tiny-ImageNet-C and ImageNet-C, from their definitions.

Hendrycks and Dietterich 2019 (arXiv 1903.12261) and their code (hendrycks/robustness, commit 8190fe3) define fifteen
corruptions, and four more for choosing a method, with amounts of their own for 32, 64 and 224 pixels. The code here is
the suite's, with draws of its own; ``tests/data/images/corruptions`` compares the two. Frost differs: the
photographs of ice are replaced (`nacbench.data.images.corruptions.ice`).

Each corruption is a function of images (float32 N×3×side×side in [0, 1]), of a random generator for each, and of the
figures of its severity (`nacbench.data.images.corruptions.severities`). Its result may leave the range [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from nacbench.data.images.corruptions.blur import defocus_blur, gaussian_blur, glass_blur, motion_blur, zoom_blur
from nacbench.data.images.corruptions.digital import (
    brightness,
    contrast,
    elastic_transform,
    jpeg_compression,
    pixelate,
    saturate,
)
from nacbench.data.images.corruptions.ice import frost
from nacbench.data.images.corruptions.noise import gaussian_noise, impulse_noise, shot_noise, speckle_noise
from nacbench.data.images.corruptions.portions import Draws, check, in_portions
from nacbench.data.images.corruptions.severities import AMOUNTS
from nacbench.data.images.corruptions.spatter import spatter
from nacbench.data.images.corruptions.weather import fog, snow
from nacbench.errors import UserError, unknown

VERSION = 1  # increase it with every change that changes an image: it is part of the task's version
_OPERATIONS: Mapping[str, Callable[..., np.ndarray]] = {
    "gaussian-noise": gaussian_noise,
    "shot-noise": shot_noise,
    "impulse-noise": impulse_noise,
    "defocus-blur": defocus_blur,
    "glass-blur": glass_blur,
    "motion-blur": motion_blur,
    "zoom-blur": zoom_blur,
    "snow": snow,
    "frost": frost,
    "fog": fog,
    "brightness": brightness,
    "contrast": contrast,
    "elastic-transform": elastic_transform,
    "pixelate": pixelate,
    "jpeg-compression": jpeg_compression,
    "speckle-noise": speckle_noise,
    "gaussian-blur": gaussian_blur,
    "spatter": spatter,
    "saturate": saturate,
}
#: Names of the fifteen corruptions of the benchmark, and of the four that are not part of its mean.
CORRUPTIONS: tuple[str, ...] = tuple(_OPERATIONS)[:15]
EXTRA: tuple[str, ...] = tuple(_OPERATIONS)[15:]


def corrupt(
    images: np.ndarray, name: str, severity: int, indices: Sequence[int] | np.ndarray, seed: int = 0
) -> np.ndarray:
    """Apply a corruption to images. The result for an image depends on its pixels and index, not on the batch.

    Args:
        images: uint8 N×3×side×side (red, green, blue), side 32, 64 or 224.
        name: one of ``CORRUPTIONS`` or ``EXTRA``.
        severity: 1 (mild) to 5.
        indices: N integers that identify the images; with name, severity and seed they seed the random numbers.
        seed: of the random numbers.

    Returns:
        A new uint8 array N×3×side×side.

    Raises:
        UserError: if the name is unknown, or severity, images or indices are not as described.
    """
    if name not in _OPERATIONS:
        raise unknown("corruption", name, _OPERATIONS)
    check(images, indices, severity)
    side = images.shape[-1]
    if side not in AMOUNTS or images.shape[1:] != (3, side, side):
        sides = ", ".join(str(own) for own in AMOUNTS)
        raise UserError(f"images are {images.shape}; they must be N×3×side×side, with a published side of {sides}")
    operation, amounts = _OPERATIONS[name], AMOUNTS[side][name][int(severity) - 1]

    def corrupted(some: np.ndarray, draws: Draws) -> np.ndarray:
        # As published, fractions of a byte are cut off; the small number is above the error of float32
        return (operation(some, draws, *amounts).clip(0, 1) * 255 + 1e-3).astype(np.uint8)

    return in_portions(images, indices, corrupted, seed, "published corruption", name, int(severity))
