"""Noise, as published; see `nacbench.data.images.corruptions.published` for what the functions take and return."""

from __future__ import annotations

import numpy as np

from nacbench.data.images.corruptions.portions import Draws


def gaussian_noise(images: np.ndarray, draws: Draws, deviation: float) -> np.ndarray:
    return images + deviation * _normal(images, draws)


def speckle_noise(images: np.ndarray, draws: Draws, deviation: float) -> np.ndarray:
    """Add noise in proportion to each value."""
    return images + deviation * images * _normal(images, draws)


def shot_noise(images: np.ndarray, draws: Draws, photons: float) -> np.ndarray:
    """Add the Poisson noise of a sensor that counts ``photons`` photons where the image is white."""
    counts = [draw.poisson(image * photons) for image, draw in zip(images, draws, strict=True)]
    return np.stack(counts).astype(np.float32) / photons


def impulse_noise(images: np.ndarray, draws: Draws, share: float) -> np.ndarray:
    """Set a share of all values to 0 or 1, half each."""
    chance = np.stack([draw.random(images.shape[1:], dtype=np.float32) for draw in draws])
    return np.where(chance < share, chance < share / 2, images)


def _normal(images: np.ndarray, draws: Draws) -> np.ndarray:
    return np.stack([draw.standard_normal(images.shape[1:], dtype=np.float32) for draw in draws])
