"""Weather, as published; see `nacbench.data.images.corruptions.published` for what the functions take and return."""

from __future__ import annotations

import numpy as np

from nacbench.data.images.corruptions.blur import magnified, trailed
from nacbench.data.images.corruptions.portions import Draws

_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32).reshape(3, 1, 1)  # ITU-R BT.601


def snow(
    images: np.ndarray,
    draws: Draws,
    mean: float,
    deviation: float,
    size: float,
    least: float,
    radius: float,
    sigma: float,
    kept: float,
) -> np.ndarray:
    """Whiten the image, and add flakes: what is above ``least`` in magnified noise, trailed downwards, and the same
    turned by half a turn."""
    side = images.shape[-1]
    drawn = [(draw.standard_normal((1, side, side), dtype=np.float32), draw.uniform(-135, -45)) for draw in draws]
    layer = magnified(mean + deviation * np.stack([noise for noise, _ in drawn]), size)
    layer = np.floor(np.where(layer < least, 0, layer).clip(0, 1) * 255) / np.float32(255)
    flakes = trailed(layer, radius, sigma, np.array([angle for _, angle in drawn]))
    grey = (images * _LUMA).sum(axis=1, keepdims=True)
    white = np.maximum(images, grey * 1.5 + 0.5)
    return kept * images + (1 - kept) * white + flakes + flakes[..., ::-1, ::-1]


def fog(images: np.ndarray, draws: Draws, amount: float, decay: float) -> np.ndarray:
    """Add a plasma fractal, and scale so that the brightest value of an image without fog stays as it is."""
    side = images.shape[-1]
    size = 1 << (side - 1).bit_length()
    mist = plasma([draw.uniform(-1, 1, size * size - 1) for draw in draws], size, decay)[:, None, :side, :side]
    brightest = images.max(axis=(1, 2, 3), keepdims=True)
    return (images + amount * mist) * (brightest / (brightest + amount))


def plasma(drawn: list[np.ndarray], size: int, decay: float) -> np.ndarray:
    """Return height maps N×size×size in [0, 1] by the diamond-square algorithm, periodic in both directions.

    Args:
        drawn: for each map, size² - 1 random numbers in [-1, 1].
        size: a power of two.
        decay: by which the random part is divided from one scale to the next finer one.
    """
    numbers = np.stack(drawn)
    maps = np.zeros((len(numbers), size, size))
    step, used, amplitude = size, 0, 1.0

    def middles(corners: np.ndarray) -> np.ndarray:
        nonlocal used
        count = corners[0].size
        own = numbers[:, used : used + count].reshape(corners.shape)
        used += count
        return corners / 4 + amplitude * own

    while step >= 2:
        half = step // 2
        corners = maps[:, ::step, ::step]
        pairs = corners + np.roll(corners, -1, axis=1)
        centres = middles(pairs + np.roll(pairs, -1, axis=2))
        across = middles(centres + np.roll(centres, 1, axis=1) + corners + np.roll(corners, -1, axis=2))
        down = middles(centres + np.roll(centres, 1, axis=2) + corners + np.roll(corners, -1, axis=1))
        maps[:, half::step, half::step] = centres
        maps[:, ::step, half::step] = across
        maps[:, half::step, ::step] = down
        step = half
        amplitude /= decay**2  # squared, as published: the code multiplies numbers within ±wibble by wibble
    maps -= maps.min(axis=(1, 2), keepdims=True)
    return (maps / maps.max(axis=(1, 2), keepdims=True)).astype(np.float32)
