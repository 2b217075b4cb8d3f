"""Drawing scenes: three grey boxes side by side, each with nine places for a square, a circle or a triangle."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from nacbench.data.sentences.scene_language import Item, Scene
from nacbench.errors import UserError

PAINT = {"yellow": (240, 200, 20), "blue": (20, 110, 240), "black": (15, 15, 15)}
BOX, RULE = 205, 255  # grey of the boxes, and of the line around each
FINER = 8  # sub-pixels along a side, for smooth edges


def draw(scenes: Sequence[Scene], side: int = 24) -> np.ndarray:
    """Pictures uint8 N×3×side×(3·side).

    Args:
        scenes: what to draw.
        side: pixels along a box; a multiple of 8, at least 24.

    Raises:
        UserError: if the side cannot be.
    """
    if side < 24 or side % 8:
        raise UserError(f"side = {side}: a box has at least 24 pixels along its side, and a multiple of 8")
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
    """The pixel, row and column in the whole picture, that an item's middle is at the lower right corner of."""
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
    """How much of each pixel a shape covers, from 0 to 1: 2·radius × 2·radius."""
    steps = (np.arange(2 * radius * FINER) + 0.5) / (radius * FINER) - 1
    x, y = steps[None, :], steps[:, None]  # from -1 to 1, y downwards
    inside = {
        "square": np.maximum(abs(x), abs(y)) <= 1,
        "circle": x * x + y * y <= 1,
        "triangle": (y <= 0.9) & (abs(x) <= (y + 1) / 1.9),
    }[shape]
    return inside.reshape(2 * radius, FINER, 2 * radius, FINER).mean(axis=(1, 3)).astype(np.float32)
