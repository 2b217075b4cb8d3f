"""Generator of 3-D objects in ten everyday families: the data of the task ``parametric-shapes``.

Families share parts and overlap in proportions: a stool with a low back is nearly a chair, a tall cup nearly a vase. No
single measurement tells them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from nacbench.data.points.meshes import sample_surface, unit_ball
from nacbench.data.points.shape_parts import (
    Mesh,
    arc,
    armrests,
    backrest,
    between,
    board_or_disc,
    box,
    bulges,
    chance,
    cushion,
    cylinder,
    drawers,
    facing,
    handle,
    lampshade,
    leaning,
    merged,
    pedestal,
    revolved,
    ring,
    several,
    smooth,
    spread,
    stand,
    stretched,
    tripod,
    tube,
    walled,
)
from nacbench.seeds import seed_for

STRETCH = 0.22  # largest change of an object's length, width or height, as a natural logarithm: a factor of 1.25


def make_mesh(family: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Generate an object with random proportions and details: vertices float32 V×3, faces int64 F×3.

    Lengths are in metres. Objects stand upright along z in a fixed orientation: seats face -y, handles of vessels +x.

    Args:
        family: one of `FAMILIES`.
        rng: the only source of random numbers.

    Raises:
        KeyError: for an unknown family.
    """
    vertices, faces = merged(MAKERS[family](rng))
    vertices = vertices * np.exp(rng.uniform(-STRETCH, STRETCH, 3))
    return vertices.astype(np.float32), faces.astype(np.int64)


def generate(per_family: int, points: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Generate objects, families in turn: points float32 N×points×3 and labels int16 N, indices into `FAMILIES`.

    Points are sampled uniformly by area, in random order, and normalised to the unit ball. Example i depends only on
    the seed and i, so that a smaller set is the beginning of a larger one.

    Args:
        per_family: objects per family; N is ten times as many.
        points: number of points per object, at least 2.
        seed: of the whole set.
    """
    return generate_some(range(per_family * len(FAMILIES)), points, seed)


def generate_some(indices: Sequence[int], points: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return these objects of those that `generate` makes; ``indices`` are their N numbers, from 0."""
    labels = np.asarray(indices, dtype=np.int64) % len(FAMILIES)
    clouds = np.empty((len(labels), points, 3), dtype=np.float32)
    for place, (index, label) in enumerate(zip(indices, labels, strict=True)):
        # Separate seeds for mesh and points: the number of points does not change the object
        rng = np.random.default_rng(seed_for("parametric-shapes", "mesh", seed, index))
        vertices, faces = make_mesh(FAMILIES[label], rng)
        own_seed = seed_for("parametric-shapes", "points", seed, index)
        clouds[place] = unit_ball(sample_surface(vertices, faces, points, own_seed))
    return clouds, labels.astype(np.int16)


def _chair(rng: np.random.Generator) -> list[Mesh]:
    """Build a chair or settee with a low or high back; some with armrests or side panels."""
    width, depth, seat, thickness = several(rng, (0.38, 0.75), (0.38, 0.62), (0.28, 0.54), (0.02, 0.14))
    is_round = chance(rng, 0.2)
    top = seat + thickness
    height, lean = several(rng, (0.12, 0.65), (0.0, 0.25))
    inset = 0.75 if is_round else 1.0
    back = backrest(rng, width * inset, depth / 2 * inset, top, height)
    parts = [board_or_disc(rng, width, depth, thickness, seat, is_round), *stand(rng, width, depth, seat, is_round)]
    parts += [leaning(part, lean, (0, depth / 2 * inset, top)) for part in back]
    if chance(rng, 0.35):
        parts += armrests(rng, width, depth, top)
    elif chance(rng, 0.2):
        arm, high = several(rng, (0.03, 0.12), (0.1, 0.25))
        parts += [box(arm, depth, high + thickness, (x, 0, seat)) for x in spread(2, width + arm)]
    return parts


def _stool(rng: np.random.Generator) -> list[Mesh]:
    """Build a low stool, bar stool or bench; some with a low back."""
    width, ratio, tall, thickness = several(rng, (0.28, 0.5), (0.7, 1.25), (0.7, 2.2), (0.02, 0.12))
    is_round = chance(rng, 0.6)
    depth, height = width if is_round else width * ratio, min(width * tall, 0.8)
    if not is_round and chance(rng, 0.2):
        width *= between(rng, 1.3, 2.5)
    parts = [board_or_disc(rng, width, depth, thickness, height, is_round), *stand(rng, width, depth, height, is_round)]
    if is_round and chance(rng, 0.35):
        parts.append(ring(0.42 * width, 0.02, (0, 0, height * between(rng, 0.25, 0.5))))
    if chance(rng, 0.2):
        parts += backrest(rng, 0.8 * width, 0.45 * depth, height + thickness, between(rng, 0.06, 0.25))
    return parts


def _sofa(rng: np.random.Generator) -> list[Mesh]:
    """Build anything from an armchair to a four-seat sofa; arms, feet and a chaise longue are optional."""
    width, depth, foot, base, seat = several(rng, (0.6, 2.2), (0.6, 1.1), (0.0, 0.3), (0.05, 0.28), (0.06, 0.2))
    back, back_height, arm, arm_height = several(rng, (0.06, 0.28), (0.15, 0.55), (0.05, 0.25), (0.1, 0.3))
    soft = cushion if chance(rng, 0.6) else box
    top = foot + base + seat
    parts = [box(width, depth, base, (0, 0, foot))]
    parts += [box(0.06, 0.06, foot, (x, y, 0)) for x in spread(2, width - 0.1) for y in spread(2, depth - 0.1)]
    count = max(1, round(width / between(rng, 0.55, 0.9)))
    each = width / count
    for x in spread(count, width - each):
        parts.append(soft(each * 0.98, depth - back, seat, (x, -back / 2, foot + base)))
        behind = soft(each * 0.98, back, back_height, (x, (depth - back) / 2, top))
        parts.append(leaning(behind, 0.1, (0, depth / 2, top)))
    sides = [x for x in spread(2, width + arm) if chance(rng, 0.65)]
    parts += [soft(arm, depth, base + seat + arm_height, (x, 0, foot)) for x in sides]
    if width > 1.3 and chance(rng, 0.25):
        length = between(rng, 0.4, 0.8)
        x, y = (width - each) / 2, -(depth + length) / 2
        parts += [box(each, length, base, (x, y, foot)), soft(each, length, seat, (x, y, foot + base))]
    return parts


def _bed(rng: np.random.Generator) -> list[Mesh]:
    """Build a single or double bed; some with headboard, footboard or side board, a few with four tall posts."""
    width, length, low, frame, mattress = several(rng, (0.65, 1.9), (1.6, 2.2), (0.05, 0.5), (0.04, 0.3), (0.06, 0.28))
    top = low + frame + mattress
    soft = cushion(0.96 * width, 0.97 * length, mattress, (0, 0, low + frame))
    parts = [box(width, length, frame, (0, 0, low)), soft]
    across, along = spread(2, width - 0.08), spread(2, length - 0.08)
    post = low
    if chance(rng, 0.12):
        post = top + between(rng, 0.8, 1.6)
        parts += [box(width, 0.06, 0.06, (0, y, post)) for y in along]
        parts += [box(0.06, length, 0.06, (x, 0, post)) for x in across]
    parts += [box(0.08, 0.08, post, (x, y, 0)) for x in across for y in along]
    if chance(rng, 0.7):
        parts += backrest(rng, width, length / 2, low, frame + mattress + between(rng, 0.1, 0.7))
    if chance(rng, 0.3):
        side = backrest(rng, length, width / 2, low, frame + mattress + between(rng, 0.0, 0.5))
        parts += [facing(part, np.pi / 2) for part in side]
    if chance(rng, 0.35):
        parts += backrest(rng, width, -length / 2, low, frame + mattress + between(rng, 0.0, 0.3))
    if chance(rng, 0.6):
        spots = spread(2, width * 0.48) if width > 1.25 else [0.0]
        deep, thick = several(rng, (0.35, 0.55), (0.08, 0.18))
        parts += [cushion(0.9 * width / (len(spots) + 0.1), deep, thick, (x, length / 2 - 0.35, top)) for x in spots]
    return parts


def _table(rng: np.random.Generator) -> list[Mesh]:
    """Build anything from a low table to a desk, on legs, a column or two boards; some with drawers or a shelf."""
    width, ratio, thickness = several(rng, (0.5, 2.0), (0.35, 1.0), (0.02, 0.1))
    height = between(rng, 0.3, min(0.95, 0.4 + 0.5 * width))
    depth = max(0.35, width * ratio)
    is_round = chance(rng, 0.3)
    parts = [board_or_disc(rng, width, depth, thickness, height, is_round)]
    if is_round:
        return [*parts, *stand(rng, width, depth, height, True)]
    if chance(rng, 0.2):
        board = between(rng, 0.03, 0.08)
        parts += [box(board, 0.9 * depth, height, (x, 0, 0)) for x in spread(2, 0.85 * width)]
    else:
        parts += stand(rng, width, depth, height, False)
    if chance(rng, 0.4):
        apron = between(rng, 0.05, 0.15)
        parts += [box(0.85 * width, 0.02, apron, (0, y, height - apron)) for y in spread(2, 0.85 * depth)]
        parts += [box(0.02, 0.85 * depth, apron, (x, 0, height - apron)) for x in spread(2, 0.85 * width)]
    if chance(rng, 0.35):
        parts.append(box(0.85 * width, 0.85 * depth, 0.02, (0, 0, height * between(rng, 0.15, 0.4))))
    if chance(rng, 0.25):
        parts += drawers(rng, width, depth, height)
    return parts


def _shelf(rng: np.random.Generator) -> list[Mesh]:
    """Build shelves between two sides or on four posts; some with a back, a cross brace or a door."""
    width, depth, height, board = several(rng, (0.4, 1.8), (0.2, 0.6), (0.35, 2.0), (0.015, 0.06))
    count, low = int(rng.integers(2, 6)), between(rng, 0.0, 0.3) * height
    levels = [float(level) for level in np.linspace(low, height - board, count)]
    parts = [box(width, depth, board, (0, 0, level)) for level in levels]
    gap = levels[1] - levels[0]
    if chance(rng, 0.65):
        parts += [box(board, depth, height, (x, 0, 0)) for x in spread(2, width)]
        for below in rng.integers(0, count - 1, int(rng.integers(0, 3))):
            parts.append(box(board, depth, gap, (between(rng, -0.3, 0.3) * width, 0, levels[below])))
    else:
        post = between(rng, 0.02, 0.045)
        parts += [box(post, post, height, (x, y, 0)) for x in spread(2, width) for y in spread(2, depth)]
    kind = rng.random()
    if kind < 0.35:
        parts.append(box(width, 0.01, height - low, (0, depth / 2, low)))
    elif kind < 0.5:
        parts += [tube([(x, depth / 2, low), (-x, depth / 2, height)], 0.01) for x in spread(2, width)]
    if chance(rng, 0.25):
        parts.append(box(0.95 * width, 0.02, gap, (0, -depth / 2, low)))
    return parts


def _lamp(rng: np.random.Generator) -> list[Mesh]:
    """Build a floor or table lamp: a shade on a stem, tripod or bulging foot, or a bent arm."""
    height = between(rng, 0.25, 1.7)
    radius = min(between(rng, 0.12, 0.32) * max(height, 0.5) ** 0.5, 0.45 * height)
    stem = between(rng, 0.012, 0.035) * max(0.6, height)
    if chance(rng, 0.25):
        return _bent_lamp(rng, height, stem)
    deep = min(radius * between(rng, 0.3, 1.8), 0.5 * height)
    below = height - deep
    parts = [lampshade(rng, radius, deep, below)]
    if chance(rng, 0.25):
        return [*parts, *tripod(rng, height - deep / 2, 0.01, between(rng, 0.8, 1.4) * radius, stem)]
    if chance(rng, 0.3):
        foot = 0.5 * radius
        body = smooth([(0, 0), (foot, 0), (foot, 0), *bulges(rng, 1.2 * foot, below), (stem, below)])
        return [*parts, revolved(body), cylinder(stem, deep / 2, (0, 0, below))]
    return [*parts, *pedestal(rng, radius * between(rng, 0.6, 1.1), height - deep / 2)]


def _bent_lamp(rng: np.random.Generator, height: float, stem: float) -> list[Mesh]:
    """Build a lamp with an arm (two rods, or a bow) and a cone at its end that shines down and outwards."""
    reach, knee, foot = (size * height for size in several(rng, (0.2, 0.6), (-0.25, 0.1), (0.15, 0.3)))
    parts = [cylinder(foot, 0.04 * height)]
    if chance(rng, 0.4):
        end = (reach, 0.0, 0.5 * height)
        parts.append(tube(arc((0, 0, 0), end, (0, 0, 0.7 * height)), stem / 2))
    else:
        elbow, end = (knee, 0.0, 0.6 * height), (reach, 0.0, height)
        parts += [tube([(0, 0, 0), elbow], stem / 2), tube([elbow, end], stem / 2)]
    head = between(rng, 0.1, 0.22) * height
    cone = revolved([(head, -0.8 * head), (0.3 * head, 0.3 * head), (0, 0.3 * head)])
    vertices, faces = facing(leaning(cone, between(rng, -0.2, 0.7), (0, 0, 0)), np.pi / 2)
    return [*parts, (vertices + end, faces)]


def _cup(rng: np.random.Generator) -> list[Mesh]:
    """Build a cup, mug, tumbler or goblet; some on a saucer."""
    radius, ratio, low, curve = several(rng, (0.03, 0.05), (1.0, 4.0), (0.5, 1.0), (0.75, 1.25))
    height, foot = radius * ratio, low * radius
    middle = (radius + foot) / 2 * curve
    outline = smooth([(0, 0), (foot, 0), (foot, 0), (middle, height / 2), (radius, height)])
    bowl = walled(outline, radius * between(rng, 0.05, 0.12))
    if chance(rng, 0.15):
        stem = radius * between(rng, 0.5, 2.0)
        base = cylinder(0.75 * radius, 0.08 * radius, top=0.6 * radius)
        return [revolved(bowl, (0, 0, stem)), cylinder(0.1 * radius, stem), base]
    parts = [revolved(bowl)]
    if chance(rng, 0.55):
        parts.append(handle(rng, outline, height * between(rng, 0.1, 0.3), height * 0.85))
    if chance(rng, 0.2):
        wide = radius * between(rng, 1.5, 2.0)
        parts.append(revolved([(0, -0.01 * radius), (0.6 * wide, 0), (wide, 0.15 * wide)]))
    return parts


def _bottle(rng: np.random.Generator) -> list[Mesh]:
    """Build a bottle, flask or jug: round, flattened or square, open or with a cap."""
    radius, height, shoulder, waist = several(rng, (0.03, 0.055), (0.1, 0.33), (0.3, 0.75), (0.7, 1.0))
    foot, neck, end = several(rng, (0.6, 1.0), (0.2, 0.75), (0.7, 0.92))
    thin, bend = neck * radius, shoulder + 0.6 * (end - shoulder)
    body = [(0, 0), (foot * radius, 0), (foot * radius, 0), (radius, 0.1 * height)]
    body += [(waist * radius, shoulder * height / 2), (radius, shoulder * height)]
    outline = smooth([*body, (thin, bend * height), (thin, end * height), (thin, height)])
    sides = 4 if chance(rng, 0.15) else 24
    parts = [revolved(outline, sides=sides)]
    if chance(rng, 0.35):
        parts.append(cylinder(thin * between(rng, 1.1, 1.5), 0.1 * height, (0, 0, 0.93 * height), sides=sides))
    elif chance(rng, 0.5) and sides > 4:
        parts.append(ring(thin, 0.3 * thin, (0, 0, 0.98 * height)))
    if chance(rng, 0.12):
        parts.append(handle(rng, outline * (np.cos(np.pi / sides), 1), shoulder * height * 0.6, 0.9 * height))
    flat = between(rng, 0.5, 0.9) if chance(rng, 0.2) else 1.0
    return [stretched(part, y=flat) for part in parts]


def _vase(rng: np.random.Generator) -> list[Mesh]:
    """Build a round or square vase with a curved outline; some with one or two handles, or flowers."""
    radius, ratio, foot, lip = several(rng, (0.06, 0.14), (1.3, 5.0), (0.35, 1.0), (0.3, 1.1))
    height = radius * ratio
    body = [(0, 0), (foot * radius, 0), (foot * radius, 0), *bulges(rng, radius, height)]
    outline = smooth([*body, (lip * radius, height)], rounds=3)
    sides = 4 if chance(rng, 0.12) else 24
    parts = [revolved(walled(outline, radius * between(rng, 0.04, 0.1)), sides=sides)]
    if chance(rng, 0.2):
        low, high = several(rng, (0.3, 0.5), (0.7, 0.95))
        one = handle(rng, outline * (np.cos(np.pi / sides), 1), low * height, high * height)
        parts += [one, facing(one, np.pi)] if chance(rng, 0.6) else [one]
    if chance(rng, 0.15):
        parts += _flowers(rng, height)
    return parts


def _flowers(rng: np.random.Generator, height: float) -> list[Mesh]:
    """Build one to four stems that spread out of a vase, each with a round blossom."""
    parts = []
    for _ in range(int(rng.integers(1, 5))):
        x, y, top, size = (share * height for share in several(rng, (-0.4, 0.4), (-0.4, 0.4), (1.2, 1.7), (0.06, 0.15)))
        parts += [tube([(0, 0, 0.1 * height), (x, y, top)], 0.01 * height), cushion(size, size, size, (x, y, top))]
    return parts


MAKERS: dict[str, Callable[[np.random.Generator], list[Mesh]]] = {
    "chair": _chair,
    "table": _table,
    "lamp": _lamp,
    "cup": _cup,
    "bottle": _bottle,
    "bed": _bed,
    "shelf": _shelf,
    "stool": _stool,
    "sofa": _sofa,
    "vase": _vase,
}
#: Names of the families, indexed by label.
FAMILIES: tuple[str, ...] = tuple(MAKERS)
