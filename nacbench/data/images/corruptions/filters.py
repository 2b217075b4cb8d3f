"""Convolution and resampling of batches of images, by which no image depends on another one of the batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

Border = Literal["symmetric", "reflect", "edge"]  # beyond the border: mirrored with or without the edge, or its colour
_OF_SCIPY: Mapping[Border, Literal["reflect", "mirror", "nearest"]] = {
    "symmetric": "reflect",
    "reflect": "mirror",
    "edge": "nearest",
}


def convolved(images: np.ndarray, kernels: np.ndarray, border: Border) -> np.ndarray:
    """Convolve each image of N×C×H×W with its kernel (N×K×K, or 1×K×K for all; K odd), by FFT."""
    from scipy import fft

    height, width = images.shape[2:]
    size = kernels.shape[-1]
    reach = size // 2
    padded = np.pad(images, [(0, 0), (0, 0), (reach, reach), (reach, reach)], mode=border)
    shape = [fft.next_fast_len(length, real=True) for length in padded.shape[2:]]
    spectrum = fft.rfft2(padded, shape) * fft.rfft2(kernels[:, None], shape)
    # The FFT's convolution is circular; what wraps around is in the first 2·reach rows and columns, which are cut off
    return fft.irfft2(spectrum, shape)[..., size - 1 : size - 1 + height, size - 1 : size - 1 + width]


def blurred(images: np.ndarray, sigma: float, border: Border = "edge", truncate: float = 4) -> np.ndarray:
    """Blur images N×C×H×W by a Gaussian of ``sigma`` pixels, cut at ``truncate`` sigmas."""
    from scipy.ndimage import gaussian_filter

    # sigma 0 on the first two axes: gaussian_filter skips them, so that images and channels are not mixed
    return gaussian_filter(images, (0, 0, sigma, sigma), mode=_OF_SCIPY[border], truncate=truncate)


def displaced(images: np.ndarray, shift: np.ndarray, border: Border = "symmetric") -> np.ndarray:
    """Resample images N×C×H×W bilinearly at each pixel plus its shift (N×2×H×W: down, right, in pixels)."""
    from scipy.ndimage import map_coordinates

    places = np.indices(images.shape[2:]) + shift
    out = np.empty_like(images)
    for image, place, moved in zip(images, places, out, strict=True):
        for channel, moved_channel in zip(image, moved, strict=True):
            map_coordinates(channel, place, moved_channel, order=1, mode=_OF_SCIPY[border])
    return out
