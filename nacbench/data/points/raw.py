"""Point clouds that users have, as the tasks store them."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacbench.data.points.meshes import unit_ball
from nacbench.errors import UserError

ALIKE = 1e-5  # deviation from the unit ball that rounding to float32 can leave


def cloud(raw: Any, points: int, stored: int) -> np.ndarray:
    """Return the points of one shape, float32 N×3 in the unit ball: as they are, or centred and scaled into it.

    Args:
        raw: floating-point coordinates x, y, z, N×3. They are a uniform sample of the surface, in random order, and the
            axes are the task's.
        points: V, how many of them a network reads: the first ones.
        stored: P, how many the data set has of each shape. N is one of the two: of another number nobody knows whether
            the first V are a sample of the whole.

    Raises:
        UserError: if it is no such array, the points coincide, or one is not finite.
    """
    if not isinstance(raw, np.ndarray):
        raise UserError(f"points are an array N×3 of floating-point numbers, not {type(raw).__name__}")
    if raw.dtype.kind != "f" or raw.ndim != 2 or raw.shape[1] != 3:
        sides = "×".join(map(str, raw.shape)) or "a single number"
        raise UserError(f"points are an array N×3 of floating-point numbers, not {raw.dtype} {sides}")
    if len(raw) not in (points, stored):
        numbers = f"{points:,}" if points == stored else f"{points:,} or {stored:,}"
        way_out = f"; take some at random: points[numpy.random.default_rng(0).permutation({len(raw)})[:{points}]]"
        raise UserError(
            f"a cloud has {numbers} points in random order, not {len(raw):,}{way_out if len(raw) > points else ''}"
        )
    wrong = np.flatnonzero(~np.isfinite(raw).all(axis=1))
    if len(wrong):
        raise UserError(f"point {wrong[0]} is {raw[wrong[0]].tolist()}; coordinates must be finite")
    return raw.astype(np.float32) if _is_in_unit_ball(raw) else _scaled(raw)


def _is_in_unit_ball(points: np.ndarray) -> bool:
    """Whether a cloud is normalised already; it then stays as it is, so that a stored one keeps its last digits."""
    wide = points.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):  # what is far outside may overflow, and is then not within
        centre = wide.mean(axis=0)
        farthest = np.linalg.norm(wide - centre, axis=1).max()
        return bool(abs(farthest - 1) < ALIKE and (np.abs(centre) < ALIKE).all())


def _scaled(points: np.ndarray) -> np.ndarray:
    try:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            ball = unit_ball(points)
    except ValueError as error:
        raise UserError(str(error)) from None
    if not np.isfinite(ball).all():
        raise UserError(f"the coordinates are too large or too small to be scaled: up to {np.abs(points).max():g}")
    return ball
