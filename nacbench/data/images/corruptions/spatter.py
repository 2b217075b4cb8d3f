"""Spatter of water or mud, as published; see `nacbench.data.images.corruptions.published`."""

from __future__ import annotations

import numpy as np

from nacbench.data.images.corruptions.filters import blurred
from nacbench.data.images.corruptions.portions import Draws

_WATER = np.array([175, 238, 238], dtype=np.float32).reshape(3, 1, 1) / 255  # pale turquoise
_MUD = np.array([63, 42, 20], dtype=np.float32).reshape(3, 1, 1) / 255
_OPAQUE = 0.8  # share of mud from which on there is mud at all
_EDGES = (50, 150)  # lower and upper threshold of Canny's detector, in steps of a byte
_FAR = 20  # pixels: distances from an edge are cut there
_RELIEF = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]])


def spatter(
    images: np.ndarray,
    draws: Draws,
    mean: float,
    deviation: float,
    sigma: float,
    least: float,
    strength: float,
    muddy: float,
) -> np.ndarray:
    """Cover the image where smoothed noise is above ``least``: with water that is brighter inside a drop, or with mud.

    ``strength`` is the share of the water's colour, or the deviation in pixels by which the mud's edges are smoothed.
    """
    shape = (1, *images.shape[2:])
    noise = np.stack([draw.normal(mean, deviation, shape) for draw in draws])
    liquid = blurred(noise, sigma)
    if muddy:
        cover = blurred((liquid > least).astype(np.float32), strength)
        cover[cover < _OPAQUE] = 0
        return images * (1 - cover) + cover * _MUD
    drops = np.stack([_drops(own) for own in np.where(liquid < least, 0, liquid)[:, 0]])
    return images + strength * drops[:, None] * _WATER


def _drops(liquid: np.ndarray) -> np.ndarray:
    """Return the brightness of drops H×W in [0, 1]: the liquid times a relief of the distances from its edges."""
    from scipy.ndimage import correlate, distance_transform_edt, uniform_filter

    layer = (liquid * 255).astype(np.uint8)
    edges = _canny(layer.astype(float))
    if not edges.any():
        return np.zeros(liquid.shape, dtype=np.float32)
    distance = np.minimum(distance_transform_edt(~edges), _FAR)
    level = _equalised(uniform_filter(distance, 3, mode="mirror").astype(np.uint8))
    relief = correlate(level.astype(float), _RELIEF, mode="mirror").clip(0, 255)
    bright = layer * np.rint(uniform_filter(relief, 3, mode="mirror"))
    return (bright / max(bright.max(), 1)).astype(np.float32)


def _canny(layer: np.ndarray) -> np.ndarray:
    """Return where Canny's detector finds edges (1986, IEEE PAMI 8, 679), H×W, as OpenCV does it with its L1 norm."""
    from scipy.ndimage import label, sobel

    down, right = (sobel(layer, axis, mode="nearest") for axis in (0, 1))
    steep = np.pad(abs(down) + abs(right), 1)
    height, width = layer.shape

    def neighbour(rows: int, columns: int) -> np.ndarray:
        return steep[1 + rows : 1 + rows + height, 1 + columns : 1 + columns + width]

    own = neighbour(0, 0)
    flat, upright = abs(down) < np.tan(np.pi / 8) * abs(right), abs(down) > np.tan(3 * np.pi / 8) * abs(right)
    falling = np.where(down * right < 0, neighbour(-1, 1), neighbour(-1, -1))
    rising = np.where(down * right < 0, neighbour(1, -1), neighbour(1, 1))
    highest = np.where(
        flat,
        (own > neighbour(0, -1)) & (own >= neighbour(0, 1)),
        np.where(upright, (own > neighbour(-1, 0)) & (own >= neighbour(1, 0)), (own > falling) & (own > rising)),
    )
    parts, _ = label(highest & (own > _EDGES[0]), structure=np.ones((3, 3)))
    return np.isin(parts, np.setdiff1d(parts[highest & (own > _EDGES[1])], 0))


def _equalised(level: np.ndarray) -> np.ndarray:
    """Spread the values of a uint8 image over 0 to 255, so that each range of them has its share of the pixels."""
    counts = np.bincount(level.ravel(), minlength=256)
    least = level.min()
    above = level.size - counts[least]
    if not above:
        return level
    counts[least] = 0
    return np.rint(np.cumsum(counts) * (255 / above)).astype(np.uint8)[level]
