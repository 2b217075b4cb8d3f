"""Triangle meshes to point clouds: read OFF files, sample surfaces uniformly, normalise to the unit ball."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nacbench.data.points.off_tables import read_plain
from nacbench.errors import UserError

PORTION = 1000  # triangles whose areas are computed together, until one is found that has an area


def read_mesh(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a text OFF file: vertices (float32 V×3) and triangles (int64 F×3, vertex indices).

    The counts may follow "OFF" on the same line, as in some files of ModelNet. Comments, blank lines and colours are
    skipped. Polygons with more than three corners are split into fans of triangles; those with fewer are dropped.
    Triangles are ordered by the number of corners of their polygon, then as in the file.

    Raises:
        UserError: if the file cannot be read or is broken; names the file and the reason.
    """
    # Not torch-geometric's read_off (2.8.1): without an error it loses the last face if the final newline is missing
    # and every polygon with more than four corners, and takes colours of faces for corners; it fails on comments and
    # blank lines; and it takes about twenty times as long.
    try:
        content = path.read_bytes()
        found = read_plain(content)
        if found is None:
            found = _parsed(content.decode("utf-8-sig"))  # -sig: some editors write a byte order mark
        _check(*found)
        return found
    except UnicodeDecodeError as error:
        raise UserError(f"mesh {path}: not a text file") from error
    except OSError as error:
        raise UserError(f"mesh {path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"mesh {path}: {error}") from error


def sample_surface(vertices: np.ndarray, faces: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Sample points independently and uniformly by area: float32 count×3, in random order.

    Args:
        vertices: V×3, finite.
        faces: F×3, vertex indices. Triangles without area are never chosen.
        count: number of points, at least 0.
        seed: of the random numbers; no global generator is used.

    Raises:
        ValueError: if the surface has no area.
    """
    # Not torch-geometric's SamplePoints (2.8.1): it sums areas in float32, so that the shares are off by about 0.3 %
    # with 200,000 triangles and by 2 % with a million, and the points depend on the number of threads.
    origin, first, second = _edges(vertices, faces)
    cumulative = np.cumsum(_areas(first, second))
    if not len(cumulative) or not cumulative[-1] > 0:
        raise ValueError("the surface has no area")
    rng = np.random.default_rng(seed)
    chosen = np.searchsorted(cumulative, rng.random(count) * cumulative[-1], side="right")
    along = rng.random((2, count, 1))
    outside = along.sum(axis=0) > 1  # in the other half of the parallelogram: reflect it into the triangle
    along = np.where(outside, 1 - along, along)
    points: np.ndarray = origin[chosen] + along[0] * first[chosen] + along[1] * second[chosen]
    return points.astype(np.float32)


def unit_ball(points: np.ndarray) -> np.ndarray:
    """Centre each cloud …×P×3 at its mean and scale it so that its farthest point has norm 1; return float32.

    Raises:
        ValueError: if all points of a cloud coincide, or a cloud has none.
    """
    # Tested on the points as given: after centring, rounding leaves coinciding points slightly apart
    if (points == points[..., :1, :]).all(axis=(-2, -1)).any():
        raise ValueError("all points of a cloud coincide")
    wide = points.astype(np.float64)
    centred = wide - wide.mean(axis=-2, keepdims=True)
    radius = np.linalg.norm(centred, axis=-1, keepdims=True).max(axis=-2, keepdims=True)
    ball: np.ndarray = (centred / radius).astype(np.float32)
    return ball


def _parsed(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Parse an OFF file's text as `read_mesh` does.

    Raises:
        ValueError: says what is wrong.
    """
    lines = [line for line in (raw.partition("#")[0].strip() for raw in text.split("\n")) if line]
    if not lines or not lines[0].startswith("OFF"):
        raise ValueError(f"not an OFF file; its first line is {lines[0][:40] if lines else ''!r}")
    glued = lines[0].removeprefix("OFF").strip()
    lines = [glued, *lines[1:]] if glued else lines[1:]
    count, face_count = _counts(lines[0] if lines else "")
    lines = lines[1:]
    if len(lines) != count + face_count:
        raise ValueError(
            f"its header declares {count} vertices and {face_count} faces, but {len(lines)} lines follow, not "
            f"{count + face_count}"
        )
    vertices = _table(lines[:count], range(3), "the coordinates of vertices", np.float32)
    return vertices, _triangles(lines[count:], count)


def _check(vertices: np.ndarray, faces: np.ndarray) -> None:
    """Raise a ValueError if a coordinate is not finite, a face has a wrong vertex, or the surface has no area."""
    count = len(vertices)
    if not np.isfinite(vertices).all():
        raise ValueError(f"a coordinate is not finite: {vertices[~np.isfinite(vertices)][0]}")
    if faces.min() < 0 or faces.max() >= count:
        wrong = faces.min() if faces.min() < 0 else faces.max()
        raise ValueError(f"a face has the vertex {wrong}, but the vertices are numbered from 0 to {count - 1}")
    portions = (faces[first : first + PORTION] for first in range(0, len(faces), PORTION))
    if not any((_areas(*_edges(vertices, some)[1:]) > 0).any() for some in portions):  # mostly the first triangle has
        raise ValueError("the surface has no area")


def _counts(line: str) -> tuple[int, int]:
    """Parse the numbers of vertices and faces; the number of edges is ignored and may be missing."""
    words = line.split()
    if len(words) not in (2, 3) or not all(word.isdecimal() for word in words):
        raise ValueError(f"its counts of vertices, faces and edges are {line[:40]!r}")
    count, face_count = int(words[0]), int(words[1])
    if not count or not face_count:
        raise ValueError(f"it has no {'faces' if count else 'vertices'}")
    return count, face_count


def _triangles(lines: Sequence[str], vertices: int) -> np.ndarray:
    """Parse the lines of faces, ``corners, vertex, vertex …, colour``, into triangles F×3.

    Args:
        lines: one per face.
        vertices: the number of vertices V.
    """
    corners = _table(lines, range(1), "the corners of faces", np.int64)[:, 0]
    triangles = []
    for size in np.unique(corners):  # polygons of equal size at a time, since loadtxt needs equal columns
        if not 0 < size <= vertices:
            raise ValueError(f"a face has {size} corners")
        if size >= 3:
            own = [lines[index] for index in np.flatnonzero(corners == size).tolist()]
            polygons = _table(own, range(1, size + 1), "the corners of faces", np.int64)
            first = np.broadcast_to(polygons[:, :1], (len(polygons), size - 2))
            triangles.append(np.stack([first, polygons[:, 1:-1], polygons[:, 2:]], axis=-1).reshape(-1, 3))
    if not triangles:
        raise ValueError("it has no faces with three corners or more")
    return np.concatenate(triangles)


def _table(lines: Sequence[str], columns: range, what: str, dtype: type[np.generic]) -> np.ndarray:
    try:
        return np.loadtxt(lines, dtype=dtype, comments=None, usecols=columns, ndmin=2)
    except ValueError as error:
        raise ValueError(f"{what} cannot be read: {error}") from error


def _edges(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return one corner of each triangle and the two edges that start there, each float64 F×3."""
    origin, second, third = vertices.astype(np.float64)[faces.T]
    return origin, second - origin, third - origin


def _areas(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the areas F of the triangles between two edges F×3."""
    areas: np.ndarray = np.linalg.norm(np.cross(first, second), axis=-1) / 2
    return areas
