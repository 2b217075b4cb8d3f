"""Blur, as published; see `nacbench.data.images.corruptions.published` for what the functions take and return."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from nacbench.data.images.corruptions.filters import blurred, convolved
from nacbench.data.images.corruptions.portions import Draws

_SMALL_DISC = (
    8  # pixels: up to this radius the disc is drawn on a square of 17 pixels and smoothed over 3, above over 5
)


def gaussian_blur(images: np.ndarray, draws: Draws, sigma: float) -> np.ndarray:
    return blurred(images, sigma)


def defocus_blur(images: np.ndarray, draws: Draws, radius: float, smooth: float) -> np.ndarray:
    """Spread each pixel over a disc, whose edge is smoothed by a Gaussian of ``smooth`` pixels."""
    return convolved(images, disc(radius, smooth)[None], "reflect")


def disc(radius: float, smooth: float) -> np.ndarray:
    """Return a kernel K×K with sum 1: the pixels whose centres are within the radius, smoothed."""
    from scipy.ndimage import correlate1d

    reach = max(_SMALL_DISC, math.ceil(radius))
    along = np.arange(-reach, reach + 1)
    inside = (along[:, None] ** 2 + along**2 <= radius**2).astype(float)
    taps = np.arange(-1, 2) if radius <= _SMALL_DISC else np.arange(-2, 3)
    weights = np.exp(-(taps**2) / (2 * smooth**2))
    for axis in (0, 1):
        inside = correlate1d(inside, weights / weights.sum(), axis, mode="mirror")
    return (inside / inside.sum()).astype(np.float32)


def glass_blur(images: np.ndarray, draws: Draws, sigma: float, distance: float, times: float) -> np.ndarray:
    """Blur, copy each pixel from a random place near it, and blur again.

    The published code means to exchange two pixels, but both sides of its assignment are views: it copies one way.
    """
    reach, side = int(distance), images.shape[-1]
    generators = list(draws)
    soft = np.floor(blurred(images, sigma) * 255 + 1e-3) / np.float32(255)  # the published code goes on with bytes
    flat = soft.reshape(*soft.shape[:2], -1)
    for _ in range(int(times)):
        source = np.stack([_sources(draw, side, reach) for draw in generators])
        flat = np.take_along_axis(flat, source[:, None], axis=2)
    return blurred(flat.reshape(soft.shape), sigma)


def _sources(draw: np.random.Generator, side: int, reach: int) -> np.ndarray:
    """Return for each pixel of side×side the one that its value comes from, as positions in the flattened image.

    Pixels are overwritten in turn, from the last to the first, so a pixel may get the value that its neighbour has got
    before. These chains are followed for all pixels together, in steps that double.
    """
    rows, columns = np.mgrid[reach + 1 : side - reach + 1, reach + 1 : side - reach + 1].reshape(2, -1)
    shift = draw.integers(-reach, reach, (2, len(rows)))
    count = side * side
    target, neighbour = rows * side + columns, (rows + shift[0]) * side + columns + shift[1]
    overwritten = np.zeros(count, dtype=bool)
    overwritten[target] = True
    # Nodes 0 … count - 1 are pixels after they were overwritten, those from count on are pixels as they were
    follow = np.tile(np.arange(count, 2 * count), 2)
    follow[target] = np.where(overwritten[neighbour] & (neighbour > target), neighbour, neighbour + count)
    while not np.array_equal(further := follow[follow], follow):
        follow = further
    return follow[:count] - count


def motion_blur(images: np.ndarray, draws: Draws, radius: float, sigma: float) -> np.ndarray:
    """Trail each pixel along a line at most 45° from the horizontal."""
    angles = np.array([draw.uniform(-45, 45) for draw in draws])
    return trailed(images, radius, sigma, angles)


def trailed(images: np.ndarray, radius: float, sigma: float, degrees: np.ndarray) -> np.ndarray:
    """Apply ImageMagick's motion blur: a one-sided Gaussian trail over 2·radius + 1 whole pixels, N angles.

    Source: MotionBlurImage in ImageMagick's documentation and MagickCore/effect.c, which the published code calls.
    """
    width = 2 * math.ceil(radius) + 1
    along = np.arange(width)
    weights = np.exp(-(along**2) / (2 * sigma**2))
    radians = np.deg2rad(degrees)[:, None]
    down, right = (np.ceil(along * turned(radians) - 0.5).astype(int) for turned in (np.sin, np.cos))
    kernels = np.zeros((len(images), 2 * width - 1, 2 * width - 1), dtype=np.float32)
    # A convolution takes the pixel opposite to the kernel's offset
    places = (np.arange(len(images))[:, None], width - 1 - down, width - 1 - right)
    np.add.at(kernels, places, np.broadcast_to((weights / weights.sum()).astype(np.float32), down.shape))
    return convolved(images, kernels, "edge")


def zoom_blur(images: np.ndarray, draws: Draws, end: float, step: float) -> np.ndarray:
    """Average the image and magnifications of its centre."""
    factors = np.arange(1, end, step)  # as published: rounding decides whether ``end`` itself is among them
    total = sum((magnified(images, float(factor)) for factor in factors), start=images)
    return total / (len(factors) + 1)


def magnified(images: np.ndarray, factor: float) -> np.ndarray:
    """Magnify the centre of square images to their full size, bilinearly; the corners of the crop stay put."""
    weights = _magnification(images.shape[-1], factor)
    return weights @ images @ weights.T


@cache
def _magnification(side: int, factor: float) -> np.ndarray:
    """Return weights side×side that magnify the middle of a line, as scipy's zoom does."""
    from scipy.ndimage import zoom

    kept = math.ceil(side / factor)
    first = (side - kept) // 2
    lines = zoom(np.eye(side, dtype=np.float32)[first : first + kept], (factor, 1), order=1)
    trim = (len(lines) - side) // 2
    return np.ascontiguousarray(lines[trim : trim + side])
