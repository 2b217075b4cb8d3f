"""Generator of synthetic NLVR: pictures of three boxes with a sentence that is true or false of them.

By construction neither the picture nor the sentence alone predicts the answer. For every example two statements of the
same form are drawn, S and its foil, from a distribution that does not change when the two are swapped. Then scenes are
drawn until exactly one of the two is true: S if the label is true, the foil if it is false. The sentence expresses S.
Pictures with true and with false labels therefore have the same distribution, and so have sentences, because no pair of
statements is ever rejected.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nacbench.data.sentences.scene_drawing import draw
from nacbench.data.sentences.scene_language import (
    COLOURS,
    SHAPES,
    Above,
    AllAre,
    AtLeast,
    CountInBox,
    Exactly,
    InBox,
    Item,
    Kind,
    Scene,
    Statement,
)
from nacbench.errors import UserError
from nacbench.seeds import seed_for

MOST_IN_A_BOX = 2
MOST_TRIES = 100_000  # scenes per example; a hundred times the most that any pair has needed
Pair = tuple[Statement, Statement]


@dataclass(frozen=True)
class SceneExamples:
    """N examples.

    Attributes:
        images: uint8 N×3×side×(3·side).
        sentences: N.
        labels: int16 N; 1 if the sentence is true.
        forms: int16 N; index of each statement's form in ``FORMS``.
        scenes: N.
        statements: N.
    """

    images: np.ndarray
    sentences: list[str]
    labels: np.ndarray
    forms: np.ndarray
    scenes: list[Scene]
    statements: list[Statement]


def generate(count: int, *, seed: int, side: int = 24) -> SceneExamples:
    """Generate examples; example i is a function of (seed, i) alone. Half are true, and half of each form.

    Args:
        count: number of examples N, at least 1.
        seed: of all examples.
        side: side of a box in pixels; a multiple of 8, at least 24.

    Raises:
        UserError: if count or side is out of range.
    """
    if count < 1:
        raise UserError(f"count = {count} scenes: it must be at least 1")
    return generate_some(range(count), seed=seed, side=side)


def generate_some(indices: Sequence[int], *, seed: int, side: int = 24) -> SceneExamples:
    """Return these examples of those that `generate` makes.

    Args:
        indices: N numbers of examples, from 0.
        seed, side: see `generate`.
    """
    made = [_example(seed, index) for index in indices]
    scenes = [scene for scene, _, _ in made]
    return SceneExamples(
        images=draw(scenes, side),
        sentences=[sentence for _, _, sentence in made],
        labels=np.array([_label(index) for index in indices], dtype=np.int16),
        forms=np.array([index % len(FORMS) for index in indices], dtype=np.int16),
        scenes=scenes,
        statements=[statement for _, statement, _ in made],
    )


def _label(index: int) -> int:
    return index // len(FORMS) % 2


def _example(seed: int, index: int) -> tuple[Scene, Statement, str]:
    rng = np.random.default_rng(seed_for("scenes", seed, index))
    statement, foil = FORMS[index % len(FORMS)](rng)
    wanted, unwanted = (statement, foil) if _label(index) else (foil, statement)
    for _ in range(MOST_TRIES):
        scene = random_scene(rng)
        if wanted.holds(scene) and not unwanted.holds(scene):
            plain, other = statement.sentences()
            return scene, statement, plain if rng.integers(4) else other
    raise AssertionError(f"no scene is true of {wanted} and not of {unwanted}")


def random_scene(rng: np.random.Generator) -> Scene:
    """Draw one or two items in each box, at different places, with uniform shapes and colours."""
    items = []
    counts = rng.integers(1, MOST_IN_A_BOX + 1, 3).tolist()
    looks = rng.integers(0, 9, sum(counts)).tolist()
    for box, count in enumerate(counts):
        for place in rng.permutation(9)[:count].tolist():
            look = looks.pop()
            items.append(Item(box, place // 3, place % 3, SHAPES[look // 3], COLOURS[look % 3]))
    return tuple(items)


def _kind(rng: np.random.Generator) -> Kind:
    """Draw a kind: by colour (6 in 8), by shape (1 in 8) or by both (1 in 8)."""
    form = int(rng.integers(8))
    shape, colour = SHAPES[int(rng.integers(3))], COLOURS[int(rng.integers(3))]
    return Kind(None if form < 6 else shape, None if form == 6 else colour)


def _other_kind(rng: np.random.Generator, kind: Kind) -> Kind:
    """Draw a different kind that is equally specific."""
    while True:
        shape = None if kind.shape is None else SHAPES[int(rng.integers(3))]
        colour = None if kind.colour is None else COLOURS[int(rng.integers(3))]
        if (shape, colour) != (kind.shape, kind.colour):
            return Kind(shape, colour)


def _exactly(rng: np.random.Generator) -> Pair:
    kind, number = _kind(rng), int(rng.integers(1, 3))
    if rng.integers(2):
        return Exactly(number, kind), Exactly(number, _other_kind(rng, kind))
    return Exactly(number, kind), Exactly(3 - number, kind)


def _exists(rng: np.random.Generator) -> Pair:
    kind = Kind(None, COLOURS[int(rng.integers(3))])
    return AtLeast(1, kind), AtLeast(1, _other_kind(rng, kind))


def _at_least(rng: np.random.Generator) -> Pair:
    kind = _kind(rng)
    return AtLeast(2, kind), AtLeast(2, _other_kind(rng, kind))


def _in_box(rng: np.random.Generator) -> Pair:
    kind = Kind(None, COLOURS[int(rng.integers(3))])
    box, other = rng.permutation(3)[:2].tolist()
    if rng.integers(2):
        return InBox(box, kind), InBox(other, kind)
    return InBox(box, kind), InBox(box, _other_kind(rng, kind))


def _count_in_box(rng: np.random.Generator) -> Pair:
    kind, number = _kind(rng), int(rng.integers(1, 3))
    box, other = rng.permutation(3)[:2].tolist()
    if rng.integers(2):
        return CountInBox(number, box, kind), CountInBox(number, other, kind)
    return CountInBox(number, box, kind), CountInBox(3 - number, box, kind)


def _all_are(rng: np.random.Generator) -> Pair:
    shape, (colour, other) = SHAPES[int(rng.integers(3))], rng.permutation(3)[:2].tolist()
    if rng.integers(2):
        return AllAre(shape, COLOURS[colour]), AllAre(shape, COLOURS[other])
    first, second = rng.permutation(3)[:2].tolist()
    return AllAre(SHAPES[first], COLOURS[colour]), AllAre(SHAPES[second], COLOURS[colour])


def _above(rng: np.random.Generator) -> Pair:
    upper = _kind(rng)
    lower = _other_kind(rng, upper)
    return Above(upper, lower), Above(lower, upper)


FORMS: tuple[Callable[[np.random.Generator], Pair], ...] = (
    *(_exists, _in_box, _exists, _exactly, _exists, _at_least),
    *(_exists, _all_are, _exists, _in_box, _exists, _above),
    *(_exists, _count_in_box, _exists, _in_box, _exists, _exactly),
    *(_exists, _at_least, _exists, _all_are, _exists, _count_in_box),
)  # half are existence: with equal shares neither NAC nor a Transformer left chance within 100,000 examples
TOPICS = ("existence", "counts", "colours", "places")
_TOPICS: dict[Callable[[np.random.Generator], Pair], int] = {
    _exists: 0,
    _exactly: 1,
    _at_least: 1,
    _count_in_box: 1,
    _all_are: 2,
    _in_box: 3,
    _above: 3,
}
TOPIC_OF_FORM = tuple(_TOPICS[form] for form in FORMS)
