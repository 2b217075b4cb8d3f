"""Frost, as published but for its photographs of ice, in whose place there is a made texture with their statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nacbench.data.images.corruptions.portions import Draws


@dataclass(frozen=True)
class Ice:
    """Statistics of a photograph of ice at the scale at which images of one size are covered with it.

    Attributes:
        colour: mean red, green and blue, 0 to 255.
        tint: change of red, green and blue with their mean.
        quantiles: values of that mean that the ``_SHARES`` of the pixels are below.
        slope: exponent of the amplitude over spatial frequency, chosen for the contrast within 7×7 pixels and its SSIM.
        uneven: standard deviation of the mean of such pieces.
    """

    colour: tuple[float, float, float]
    tint: tuple[float, float, float]
    quantiles: tuple[float, ...]
    slope: float
    uneven: float


_SHARES = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
_NORMAL = (-2.326, -1.282, -0.674, 0.0, 0.674, 1.282, 2.326)  # the same quantiles of the normal distribution
# Measured on frost1.png, frost2.png, frost4.jpg and frost5.jpg of hendrycks/robustness, commit 8190fe3, scaled by 0.2,
# 0.3 and 1 as its code does for images of 32, 64 and 224 pixels
_ICE: Mapping[int, Sequence[Ice]] = {
    32: (
        Ice((78, 149, 165), (1.42, 0.88, 0.69), (97, 109, 117, 128, 142, 156, 180), -0.97, 11.1),
        Ice((199, 203, 212), (0.96, 1.00, 1.04), (144, 178, 194, 208, 219, 227, 238), -0.57, 9.0),
        Ice((144, 159, 171), (0.99, 0.99, 1.03), (80, 124, 142, 159, 174, 190, 237), -0.61, 10.1),
        Ice((103, 114, 126), (1.02, 1.00, 0.98), (46, 68, 86, 111, 139, 166, 215), -0.57, 15.6),
    ),
    64: (
        Ice((77, 148, 164), (1.43, 0.88, 0.69), (99, 109, 117, 128, 141, 155, 176), -1.13, 9.7),
        Ice((198, 203, 212), (0.96, 1.00, 1.04), (147, 178, 193, 207, 218, 226, 237), -0.88, 6.4),
        Ice((145, 159, 172), (0.98, 0.98, 1.04), (93, 128, 144, 160, 174, 187, 220), -0.71, 7.0),
        Ice((102, 113, 125), (1.02, 1.00, 0.97), (48, 70, 88, 110, 135, 159, 209), -0.78, 12.4),
    ),
    224: (
        Ice((77, 147, 164), (1.42, 0.89, 0.69), (97, 108, 116, 127, 141, 155, 178), -1.10, 9.6),
        Ice((198, 202, 212), (0.96, 1.00, 1.04), (141, 176, 193, 207, 219, 227, 238), -1.10, 6.1),
        Ice((145, 160, 173), (0.98, 0.99, 1.03), (85, 125, 143, 160, 176, 191, 231), -0.96, 6.6),
        Ice((101, 112, 124), (1.02, 1.00, 0.98), (45, 67, 85, 108, 136, 164, 217), -1.03, 11.9),
    ),
}
_PATCHES, _PATCHY = -1.5, 0.3  # slope of the noise by which the contrast varies from place to place, and how much
_CHANCES = (0.2, 0.4, 0.2, 0.2)  # the published code draws one of five pictures, of which two are nearly the same


def frost(images: np.ndarray, draws: Draws, kept: float, added: float) -> np.ndarray:
    """Darken the image, and add ice."""
    side = images.shape[-1]
    ice = np.stack([_texture(draw, side) for draw in draws])
    return kept * images + added * ice


def _texture(draw: np.random.Generator, side: int) -> np.ndarray:
    """Return a piece of ice, float32 3×side×side in [0, 1]: a filtered noise whose values are given the quantiles."""
    ice = _ICE[side][draw.choice(len(_CHANCES), p=_CHANCES)]
    field = _field(draw, side, ice.slope) * np.exp(_PATCHY * _field(draw, side, _PATCHES))
    inside = (field - field.mean()) / field.std()
    spread = float(np.diff(np.interp((-1, 1), _NORMAL, ice.quantiles))[0]) / 2  # one standard deviation
    share = min(ice.uneven / spread, 0.9)
    level = np.sqrt(1 - share**2) * inside + share * draw.standard_normal()
    grey = np.interp(level, _NORMAL, ice.quantiles)
    colour, tint = (np.array(own).reshape(3, 1, 1) for own in (ice.colour, ice.tint))
    return ((colour + tint * (grey - np.mean(ice.colour))) / 255).clip(0, 1).astype(np.float32)


def _field(draw: np.random.Generator, side: int, slope: float) -> np.ndarray:
    """Return noise side×side whose amplitude goes with frequency to the power of ``slope``, standardised."""
    from scipy import fft

    size = 2 * side  # twice the side, as the noise is periodic
    frequency = np.hypot(fft.fftfreq(size)[:, None], fft.rfftfreq(size))
    frequency[0, 0] = np.inf
    noise = draw.standard_normal((size, size), dtype=np.float32)
    field = fft.irfft2(fft.rfft2(noise) * frequency**slope, (size, size))[:side, :side]
    standard: np.ndarray = (field - field.mean()) / field.std()
    return standard
