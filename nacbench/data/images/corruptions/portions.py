"""What all corruptions share: check images, corrupt them in portions, and draw from one generator per image."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from nacbench.errors import UserError
from nacbench.seeds import seed_for

SEVERITIES = (1, 2, 3, 4, 5)
Draws = Iterable[np.random.Generator]  # lazy: one generator per image, made on iteration, which happens at most once
_VALUES_AT_ONCE = 2**20  # values per portion: bounds memory and keeps intermediate arrays in the processor's cache


def in_portions(
    images: np.ndarray,
    indices: Sequence[int] | np.ndarray,
    corrupted: Callable[[np.ndarray, Draws], np.ndarray],
    *seeded: str | int,
) -> np.ndarray:
    """Corrupt images portion by portion.

    Args:
        images: uint8 N×C×H×W.
        indices: N integers that identify the images.
        corrupted: takes some of the images as float32 in [0, 1] and a generator for each; returns uint8.
        seeded: what seeds the generators, besides the index.

    Returns:
        A new uint8 array N×C×H×W.
    """
    out = np.empty_like(images, order="C")
    at_once = max(1, _VALUES_AT_ONCE // math.prod(images.shape[1:]))
    for first in range(0, len(images), at_once):
        part = slice(first, first + at_once)
        draws = (np.random.default_rng(seed_for(*seeded, int(index))) for index in indices[part])
        out[part] = corrupted(np.divide(images[part], 255, dtype=np.float32), draws)
    return out


def check(images: np.ndarray, indices: Sequence[int] | np.ndarray, severity: int) -> None:
    """Check what the functions that corrupt images are given, besides the images' size.

    Raises:
        UserError: if the severity is not 1 to 5, images are not uint8, or there is not one whole index for each.
    """
    if severity not in SEVERITIES:
        raise UserError(f"severity {severity!r}; it must be a whole number from 1 to 5")
    if images.dtype != np.uint8:
        raise UserError(f"images are {images.dtype}; they must be uint8")
    if len(indices) != len(images):
        raise UserError(f"{len(indices)} indices for {len(images)} images; there must be one for each")
    if len(indices) and np.asarray(indices).dtype.kind not in "iu":
        raise UserError(f"indices are {np.asarray(indices).dtype}; they must be whole numbers")
