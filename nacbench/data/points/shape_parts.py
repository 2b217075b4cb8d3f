"""Mesh primitives and furniture parts for `nacbench.data.points.shapes`. Lengths are in metres, z points up.

A part is a triangle mesh: vertices (float64 V×3) and faces (int64 F×3). ``at`` is the centre of its underside.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Mesh = tuple[np.ndarray, np.ndarray]
Place = tuple[float, float, float]

ORIGIN = (0.0, 0.0, 0.0)
BOX_CORNERS = np.array([[x, y, z] for z in (0.0, 1.0) for y in (-0.5, 0.5) for x in (-0.5, 0.5)])
BOX_SIDES = ((0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5))
BOX_FACES = np.array([face for a, b, c, d in BOX_SIDES for face in ((a, b, c), (a, c, d))])


def merged(parts: Sequence[Mesh]) -> Mesh:
    """Concatenate parts to one mesh; overlapping surfaces are not merged."""
    starts = np.cumsum([0, *(len(vertices) for vertices, _ in parts[:-1])])
    faces = [own + start for (_, own), start in zip(parts, starts, strict=True)]
    return np.concatenate([vertices for vertices, _ in parts]), np.concatenate(faces)


def box(width: float, depth: float, height: float, at: Place = ORIGIN) -> Mesh:
    """Return an axis-aligned box; width is along x, depth along y."""
    return BOX_CORNERS * (width, depth, height) + at, BOX_FACES


def revolved(profile: Sequence[tuple[float, float]] | np.ndarray, at: Place = ORIGIN, sides: int = 24) -> Mesh:
    """Return a surface of revolution: a profile of (radius ≥ 0, height) rotated about the vertical axis.

    Args:
        profile: K×2; of a closed solid it starts and ends on the axis.
        at: position of the profile's origin.
        sides: of the polygon that approximates the circle; 4 gives axis-aligned sides.
    """
    radius, height = np.asarray(profile, dtype=np.float64).T
    angle = 2 * np.pi * (np.arange(sides) + 0.5) / sides
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    vertices = np.empty((len(radius), sides, 3))
    vertices[..., :2] = radius[:, None, None] * ring
    vertices[..., 2] = height[:, None]
    faces = _strip_faces(len(radius), sides)
    faces = faces[:, np.stack([radius[:-1] > 0, radius[1:] > 0], axis=1)]  # on the axis triangles have no area
    return vertices.reshape(-1, 3) + at, faces.reshape(-1, 3)


def cylinder(radius: float, height: float, at: Place = ORIGIN, top: float | None = None, sides: int = 24) -> Mesh:
    """Return a closed cylinder, or a truncated cone with radius ``top`` at its upper end."""
    above = radius if top is None else top
    return revolved([(0, 0), (radius, 0), (above, height), (0, height)], at, sides)


def ring(radius: float, thickness: float, at: Place = ORIGIN) -> Mesh:
    """Return a horizontal torus; ``at`` is its centre, thickness the diameter of its tube."""
    angle = np.linspace(0, 2 * np.pi, 9)
    return revolved(np.stack([radius + np.cos(angle) * thickness / 2, np.sin(angle) * thickness / 2], axis=-1), at)


def tube(path: Sequence[Place] | np.ndarray, radius: float, end: float | None = None, sides: int = 8) -> Mesh:
    """Return an open tube along a planar path P×3; its radius changes linearly to ``end``, if given."""
    points = np.asarray(path, dtype=np.float64)
    along = np.gradient(points, axis=0)
    along /= np.linalg.norm(along, axis=-1, keepdims=True)
    across = np.zeros(3)
    across[np.abs(along).max(axis=0).argmin()] = 1.0  # the axis least parallel to the path: no cross product is 0
    first = np.cross(along, across)
    first /= np.linalg.norm(first, axis=-1, keepdims=True)
    second = np.cross(along, first)
    angle = 2 * np.pi * (np.arange(sides) + 0.5) / sides
    circle = np.cos(angle)[:, None] * first[:, None] + np.sin(angle)[:, None] * second[:, None]
    radii = np.linspace(radius, radius if end is None else end, len(points))
    vertices = points[:, None] + radii[:, None, None] * circle
    return vertices.reshape(-1, 3), _strip_faces(len(points), sides).reshape(-1, 3)


def cushion(width: float, depth: float, height: float, at: Place = ORIGIN) -> Mesh:
    """Return a box with rounded edges and slightly bulging sides (a superellipsoid)."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, 9)
    vertices, faces = revolved(np.stack([np.abs(np.cos(angle)), np.sin(angle)], axis=-1), sides=16)
    vertices = np.sign(vertices) * np.abs(vertices) ** 0.4
    return np.add(vertices, (0, 0, 1)) * (width / 2, depth / 2, height / 2) + at, faces


def arc(start: Place, end: Place, bulge: Place, points: int = 9) -> np.ndarray:
    """Return half an ellipse from start to end, points×3; its middle is offset from the straight line by ``bulge``."""
    angle = np.linspace(0, np.pi, points)[:, None]
    middle, half = np.add(start, end) / 2, np.subtract(end, start) / 2
    path: np.ndarray = middle - np.cos(angle) * half + np.sin(angle) * np.asarray(bulge)
    return path


def smooth(profile: Sequence[tuple[float, float]], rounds: int = 2) -> np.ndarray:
    """Smooth a line K×2 by cutting its corners (Chaikin 1974); both ends stay, and a corner given twice stays sharp."""
    line = np.asarray(profile, dtype=np.float64)
    for _ in range(rounds):
        cut = np.stack([0.75 * line[:-1] + 0.25 * line[1:], 0.25 * line[:-1] + 0.75 * line[1:]], axis=1)
        line = np.concatenate([line[:1], cut.reshape(-1, 2), line[-1:]])
    return line


def stretched(mesh: Mesh, x: float = 1.0, y: float = 1.0) -> Mesh:
    """Scale a mesh horizontally."""
    vertices, faces = mesh
    return vertices * (x, y, 1.0), faces


def leaning(mesh: Mesh, angle: float, foot: Place) -> Mesh:
    """Rotate a mesh about the line along x through ``foot``, so that parts above it lean back (towards +y)."""
    vertices, faces = mesh
    x, y, z = (vertices - foot).T
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.stack([x, cosine * y + sine * z, cosine * z - sine * y], axis=-1) + foot, faces


def facing(mesh: Mesh, angle: float) -> Mesh:
    """Rotate a mesh about the vertical axis through the origin."""
    vertices, faces = mesh
    x, y, z = vertices.T
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.stack([cosine * x - sine * y, sine * x + cosine * y, z], axis=-1), faces


def chance(rng: np.random.Generator, probability: float) -> bool:
    """Return True with the given probability."""
    return bool(rng.random() < probability)


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """Return a uniform random number in [low, high)."""
    return float(rng.uniform(low, high))


def several(rng: np.random.Generator, *ranges: tuple[float, float]) -> list[float]:
    """Return a uniform random number from each range."""
    return [between(rng, low, high) for low, high in ranges]


def spread(count: int, width: float) -> list[float]:
    """Return ``count`` evenly spaced numbers from -width/2 to width/2."""
    return [float(number) for number in np.linspace(-width / 2, width / 2, count)]


def board_or_disc(
    rng: np.random.Generator, width: float, depth: float, height: float, z: float, is_round: bool
) -> Mesh:
    """Return a seat or table top: a board, a cushion or, if round, an elliptic disc."""
    if is_round:
        return stretched(cylinder(0.5, height, (0, 0, z)), width, depth)
    return (cushion if chance(rng, 0.25) else box)(width, depth, height, (0, 0, z))


def legs(rng: np.random.Generator, width: float, depth: float, height: float, thickness: float) -> list[Mesh]:
    """Return legs at the corners of a rectangle: straight, splayed or tapering, some with stretchers between them."""
    splay, taper = float(rng.choice([1.0, 1.0, 1.1, 1.25])), float(rng.choice([1.0, 1.0, 0.6]))
    sides = 4 if chance(rng, 0.5) else 8
    x, y = width / 2, depth / 2
    tops = [(-x, -y), (x, -y), (x, y), (-x, y)]
    parts = [
        tube([(u, v, height), (u * splay, v * splay, 0)], thickness / 2, thickness * taper / 2, sides) for u, v in tops
    ]
    if chance(rng, 0.35):
        z = between(rng, 0.12, 0.6) * height
        wide = splay + (1 - splay) * z / height
        ends = [(u * wide, v * wide, z) for u, v in tops]
        links = [(0, 3), (1, 2), (0, 1), (2, 3)][: 2 if chance(rng, 0.4) else 4]
        parts += [tube([ends[a], ends[b]], thickness / 3, sides=sides) for a, b in links]
    return parts


def tripod(rng: np.random.Generator, height: float, top: float, bottom: float, thickness: float) -> list[Mesh]:
    """Return three or five legs around the axis, from the radius ``top`` at the top to ``bottom`` on the ground."""
    count = 3 if chance(rng, 0.7) else 5
    leg = tube([(top, 0, height), (bottom, 0, 0)], thickness / 2)
    return [facing(leg, 2 * np.pi * step / count + np.pi / 2) for step in range(count)]


def pedestal(rng: np.random.Generator, radius: float, height: float) -> list[Mesh]:
    """Return a central column on a disc, a cone or a star of feet."""
    column, low = several(rng, (0.07, 0.2), (0.03, 0.12))
    low *= height
    foot = radius * between(rng, 0.7, 1.0)
    parts = [cylinder(column * radius, height - low, (0, 0, low))]
    kind = rng.random()
    if kind < 0.4:
        return [*parts, cylinder(foot, low / 2, top=foot * 0.9), cylinder(foot * 0.5, low / 2, (0, 0, low / 2))]
    if kind < 0.6:
        return [*parts, cylinder(foot, low, top=column * radius)]
    count = int(rng.integers(3, 6))
    thick = min(0.8 * column * radius, low / 2)
    arm = tube([(0, 0, low), (foot, 0, 0.6 * thick)], thick, 0.6 * thick, 4)
    return [*parts, *(facing(arm, 2 * np.pi * step / count + np.pi / 4) for step in range(count))]


def stand(rng: np.random.Generator, width: float, depth: float, height: float, is_round: bool) -> list[Mesh]:
    """Return what a seat or small table stands on, up to the given height: pedestal, tripod or legs."""
    kind = rng.random()
    if kind < 0.22:
        return pedestal(rng, min(width, depth) / 2, height)
    thickness = between(rng, 0.025, 0.055)
    if is_round and kind < 0.5:
        radius = min(width, depth) / 2
        return tripod(rng, height, 0.7 * radius, radius, thickness)
    inset = 0.7 if is_round else 0.92
    return legs(rng, inset * width - thickness, inset * depth - thickness, height, thickness)


def backrest(rng: np.random.Generator, width: float, y: float, z: float, height: float) -> list[Mesh]:
    """Return the back of a seat, from z upwards: a panel, or posts with vertical or horizontal bars."""
    thickness = between(rng, 0.015, 0.04)
    kind = rng.random()
    if kind < 0.3:
        gap = float(rng.choice([0.0, 0.25])) * height
        panel = (cushion if kind < 0.1 else box)(width, thickness, height - gap, (0, y, z + gap))
        return [panel, *(box(0.03, thickness / 2, height / 2, (x, y, z)) for x in spread(2, 0.6 * width) if gap)]
    parts = [box(thickness, thickness, height, (x, y, z)) for x in spread(2, width - thickness)]
    if kind < 0.65:
        parts.append(box(width, thickness, 0.12 * height, (0, y, z + 0.88 * height)))
        bars = spread(int(rng.integers(2, 7)) + 2, width - thickness)[1:-1]
        parts += [box(thickness * 0.7, thickness * 0.6, 0.9 * height, (x, y, z)) for x in bars]
    else:
        count = int(rng.integers(2, 5))
        bar = between(rng, 0.4, 0.8) * height / (count + 1)
        steps = range(1, count + 1)
        parts += [box(width, thickness * 0.6, bar, (0, y, z + height * step / count - bar)) for step in steps]
    return parts


def armrests(rng: np.random.Generator, width: float, depth: float, z: float) -> list[Mesh]:
    """Return two armrests beside a seat whose top is at z, each on a post at the front."""
    height, thickness = several(rng, (0.16, 0.26), (0.025, 0.06))
    length = depth * between(rng, 0.6, 1.0)
    parts = []
    for x in spread(2, width + thickness):
        parts.append(box(thickness, length, 0.025, (x, (depth - length) / 2, z + height)))
        parts.append(box(0.025, 0.03, height, (x, depth / 2 - 0.9 * length, z)))
    return parts


def drawers(rng: np.random.Generator, width: float, depth: float, height: float) -> list[Mesh]:
    """Return a chest of drawers below one end of a desk, with a knob on each drawer."""
    wide, tall = several(rng, (0.2, 0.35), (0.3, 0.9))
    x, bottom = (0.42 - wide / 2) * width, height * (1 - tall)
    parts = [box(wide * width, 0.8 * depth, tall * height, (x, 0, bottom))]
    count = int(rng.integers(1, 5))
    for step in range(count):
        z = bottom + (step + 0.5) * tall * height / count
        parts.append(box(0.4 * wide * width, 0.03, 0.02, (x, -0.4 * depth - 0.015, z)))
    return parts


def lampshade(rng: np.random.Generator, radius: float, height: float, z: float) -> Mesh:
    """Return a lampshade: an open cone, a drum, a hemisphere or a sphere."""
    kind = rng.random()
    if kind < 0.6:
        return revolved([(radius, 0), (radius * between(rng, 0.35, 1.0), height)], (0, 0, z))
    angle = np.linspace(0 if kind < 0.8 else -np.pi / 2, np.pi / 2, 9)
    upwards = np.sin(angle) if kind < 0.8 else (1 + np.sin(angle)) / 2
    return revolved(np.stack([radius * np.cos(angle), height * upwards], axis=-1), (0, 0, z))


def bulges(rng: np.random.Generator, radius: float, height: float) -> list[tuple[float, float]]:
    """Return two to four points of a curved outline between the bottom and the given height."""
    count = int(rng.integers(2, 5))
    return [
        (radius * between(rng, 0.35, 1.0), height * (step + between(rng, -0.3, 0.3)) / (count + 1))
        for step in range(1, count + 1)
    ]


def walled(outside: np.ndarray | Sequence[tuple[float, float]], wall: float) -> np.ndarray:
    """Return the profile of an open vessel with a wall: up the outside, down the inside to the floor."""
    outer = np.asarray(outside, dtype=np.float64)
    inner = np.stack([outer[:, 0] - wall, outer[:, 1].clip(outer[0, 1] + wall)], axis=-1)[::-1]
    return np.concatenate([outer, inner]).clip([0, 0], None)


def handle(rng: np.random.Generator, outline: np.ndarray, low: float, high: float) -> Mesh:
    """Return a bent handle on the side of a vessel, between two heights; heights of the outline must increase."""
    radius = np.interp(np.linspace(low, high, 9), outline[:, 1], outline[:, 0])
    start, end = 0.95 * float(radius[0]), 0.95 * float(radius[-1])
    out = float(radius.max()) - (start + end) / 2 + (high - low) * between(rng, 0.25, 0.5)
    return tube(arc((start, 0, low), (end, 0, high), (out, 0, 0)), (high - low) * between(rng, 0.06, 0.11))


def _strip_faces(rings: int, sides: int) -> np.ndarray:
    """Return the triangles between each ring of vertices and the next, sides×(rings - 1)×2×3.

    The first of the two triangles has an edge on the lower ring, the second on the upper one.
    """
    here = np.arange(sides)[:, None]
    there = (here + 1) % sides
    start = np.arange(rings - 1) * sides
    lower, lower_next, upper, upper_next = here + start, there + start, here + start + sides, there + start + sides
    return np.stack([lower, lower_next, upper_next, lower, upper_next, upper], axis=-1).reshape(sides, rings - 1, 2, 3)
