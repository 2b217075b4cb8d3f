"""Changes of colour, shape and encoding, as published; see `nacbench.data.images.corruptions.published`."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np

from nacbench.data.images.corruptions.filters import blurred, displaced
from nacbench.data.images.corruptions.portions import Draws


def brightness(images: np.ndarray, draws: Draws, more: float) -> np.ndarray:
    """Raise the value of the HSV colour model; black becomes grey."""
    value = images.max(axis=1, keepdims=True)
    brighter = (value + more).clip(0, 1)
    return np.where(value > 0, images * (brighter / value.clip(1 / 255)), brighter)


def saturate(images: np.ndarray, draws: Draws, factor: float, more: float) -> np.ndarray:
    """Change the saturation of the HSV colour model; where there is no colour it is given that of hue 0, red."""
    value = images.max(axis=1, keepdims=True)
    span = value - images.min(axis=1, keepdims=True)
    red = np.array([0, 1, 1], dtype=np.float32).reshape(3, 1, 1)
    below = np.where(
        span > 0, (value - images) / span.clip(1 / 255), red
    )  # 0 in the channel of the value, 1 in the least
    saturation = (span / value.clip(1 / 255) * factor + more).clip(0, 1)
    return value * (1 - saturation * below)


def contrast(images: np.ndarray, draws: Draws, share: float) -> np.ndarray:
    """Scale each channel's deviation from its mean over the image by ``share``."""
    mean = images.reshape(*images.shape[:2], -1).mean(axis=2)[..., None, None]
    return mean + share * (images - mean)


def elastic_transform(images: np.ndarray, draws: Draws, amount: float, sigma: float, corner: float) -> np.ndarray:
    """Move three points by up to ``corner`` pixels each, which gives an affine map, and then each pixel by noise that
    is smoothed over ``sigma`` pixels and multiplied by ``amount``."""
    side = images.shape[-1]
    drawn = [(draw.uniform(-corner, corner, (3, 2)), draw.uniform(-1, 1, (2, side, side))) for draw in draws]
    tipped = displaced(images, np.stack([_affine(side, moved) for moved, _ in drawn]), "reflect")
    if not amount:
        return tipped
    noise = blurred(np.stack([noise for _, noise in drawn]), sigma, "symmetric", truncate=3)
    return displaced(tipped, amount * noise, "symmetric")


def _affine(side: int, moved: np.ndarray) -> np.ndarray:
    """Return how far from each pixel (2×side×side: down, right) its value is taken, if three points are moved (3×2)."""
    middle, third = side // 2, side // 3
    points = np.array([[middle + third, middle + third], [middle + third, middle - third], [middle - third] * 2])
    ones = np.ones((3, 1))
    back = np.linalg.solve(np.hstack([points + moved, ones]), np.hstack([points, ones]))[:, :2]
    grid = np.indices((side, side))
    return np.einsum("yxk,kd->dyx", np.stack([*grid, np.ones((side, side))], axis=-1), back) - grid


def pixelate(images: np.ndarray, draws: Draws, share: float) -> np.ndarray:
    """Shrink the image to ``share`` of its side, and enlarge it again, both by means over boxes."""
    from PIL import Image

    side = images.shape[-1]
    small = int(side * share)

    def through(image: Image.Image) -> Image.Image:
        return image.resize((small, small), Image.Resampling.BOX).resize((side, side), Image.Resampling.BOX)

    return _by_pillow(images, through)


def jpeg_compression(images: np.ndarray, draws: Draws, quality: float) -> np.ndarray:
    from PIL import Image

    def through(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=int(quality))
        return Image.open(file)

    return _by_pillow(images, through)


def _by_pillow(images: np.ndarray, through: Callable[..., object]) -> np.ndarray:
    """Return images N×3×H×W after a change by Pillow, as float32 in [0, 1]."""
    from PIL import Image

    values = np.rint(images * 255).astype(np.uint8).transpose(0, 2, 3, 1)
    changed = [np.asarray(through(Image.fromarray(image))) for image in values]
    return np.stack(changed).transpose(0, 3, 1, 2) / np.float32(255)
