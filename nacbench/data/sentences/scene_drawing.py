"""Renderer of synthetic scenes: three grey boxes side by side, each with nine places for a coloured shape."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from nacbench.data.sentences.scene_language import Item, Scene
from nacbench.errors import UserError

PAINT = {"yellow": (240, 200, 20), "blue": (20, 110, 240), "black": (15, 15, 15)}
BOX, RULE = 205, 255  # grey levels of the boxes and of the lines around them
FINER = 8  # sub-pixels per pixel side, for anti-aliasing


def draw(scenes: Sequence[Scene], side: int = 24) -> np.ndarray:
    """Draw scenes as images uint8 N×3×side×(3·side).

    Args:
        scenes: N scenes.
        side: side of a box in pixels; a multiple of 8, at least 24.

    Raises:
        UserError: for any other side.
    """
    if side < 24 or side % 8:
        raise UserError(f"side = {side}: it must be a multiple of 8 and at least 24 (pixels per box)")
    empty = np.full((3, side, 3 * side), BOX, dtype=np.float32)
    empty[:, [0, -1]] = RULE
    empty[:, :, [edge for box in range(3) for edge in (box * side, (box + 1) * side - 1)]] = RULE
    pictures = np.empty((len(scenes), *empty.shape), dtype=np.uint8)
    for picture, scene in zip(pictures, scenes, strict=True):
        canvas = empty.copy()
        for item in scene:
            _paint(canvas, item, side)
        picture[:] = np.rint(canvas)
    return pictures


def centre(item: Item, side: int) -> tuple[int, int]:
    """Return row and column, in the whole picture, of the pixel whose upper left corner is the item's centre."""
    cell = (side - 2) / 3
    row, column = (1 + round(cell * (place + 0.5)) for place in (item.row, item.column))
    return row, item.box * side + column


def _paint(canvas: np.ndarray, item: Item, side: int) -> None:
    stencil = _stencil(item.shape, side // 8)
    half = len(stencil) // 2
    row, column = centre(item, side)
    patch = canvas[:, row - half : row + half, column - half : column + half]
    colour = np.array(PAINT[item.colour], dtype=np.float32)[:, None, None]
    patch += stencil * (colour - patch)


@cache
def _stencil(shape: str, radius: int) -> np.ndarray:
    """Return the share of each pixel that a shape covers, in [0, 1]: float32 2·radius×2·radius."""
    steps = (np.arange(2 * radius * FINER) + 0.5) / (radius * FINER) - 1
    x, y = steps[None, :], steps[:, None]  # from -1 to 1, y downwards
    inside = {
        "square": np.maximum(abs(x), abs(y)) <= 1,
        "circle": x * x + y * y <= 1,
        "triangle": (y <= 0.9) & (abs(x) <= (y + 1) / 1.9),
    }[shape]
    return inside.reshape(2 * radius, FINER, 2 * radius, FINER).mean(axis=(1, 3)).astype(np.float32)
