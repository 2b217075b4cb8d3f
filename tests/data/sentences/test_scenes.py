"""Generated scenes: the answers are right, and neither picture nor sentence gives them away."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from nacbench.data.sentences.scene_drawing import PAINT, centre, draw
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
from nacbench.data.sentences.scenes import FORMS, TOPICS, SceneExamples, generate
from nacbench.errors import UserError
from nacbench.registry import TASKS

SCENE: Scene = (
    Item(0, 0, 0, "square", "yellow"),
    Item(0, 2, 1, "circle", "blue"),
    Item(1, 1, 1, "square", "yellow"),
    Item(2, 0, 2, "triangle", "black"),
    Item(2, 1, 0, "circle", "blue"),
)
TRUTHS: list[tuple[Statement, bool]] = [
    (Exactly(2, Kind("square", "yellow")), True),
    (Exactly(1, Kind("square", "yellow")), False),
    (Exactly(3, Kind("square", None)), False),
    (Exactly(2, Kind(None, "blue")), True),
    (AtLeast(1, Kind("triangle", None)), True),
    (AtLeast(2, Kind("circle", "blue")), True),
    (AtLeast(3, Kind("circle", None)), False),
    (InBox(2, Kind("triangle", "black")), True),
    (InBox(1, Kind("circle", None)), False),
    (CountInBox(1, 0, Kind(None, "yellow")), True),
    (CountInBox(2, 2, Kind(None, "blue")), False),
    (AllAre("circle", "blue"), True),
    (AllAre("triangle", "yellow"), False),
    (Above(Kind("square", None), Kind("circle", None)), True),
    (Above(Kind("circle", None), Kind("square", None)), False),
    (Above(Kind(None, "black"), Kind(None, "blue")), True),
    (Above(Kind("square", "yellow"), Kind("triangle", None)), False),  # in different boxes
]


@pytest.fixture(scope="module")
def examples() -> SceneExamples:
    return generate(7200, seed=3)


@pytest.mark.parametrize(("statement", "expected"), TRUTHS)
def test_truth_of_statements(statement: Statement, expected: bool) -> None:
    assert statement.holds(SCENE) is expected


def test_all_are_needs_an_item() -> None:
    assert not AllAre("square", "blue").holds(SCENE[3:])


def test_sentences_agree_in_number() -> None:
    assert Exactly(1, Kind("square", "yellow")).sentences()[0] == "there is exactly one yellow square"
    assert AtLeast(2, Kind(None, "blue")).sentences()[0] == "there are at least two blue items"
    assert InBox(0, Kind("circle", None)).sentences()[0] == "the left box has a circle"
    assert AtLeast(1, Kind("circle", None)).sentences()[0] == "there is a circle"
    assert Above(Kind("square", None), Kind("circle", "blue")).sentences()[1] == "a blue circle is below a square"


def test_labels_are_the_truth_of_the_statements(examples: SceneExamples) -> None:
    truths = [s.holds(scene) for s, scene in zip(examples.statements, examples.scenes, strict=True)]
    assert truths == examples.labels.astype(bool).tolist()


def test_half_of_every_form_is_true(examples: SceneExamples) -> None:
    for form in range(len(FORMS)):
        assert examples.labels[examples.forms == form].mean() == 0.5


def test_every_split_has_every_topic(tmp_path: Path) -> None:
    options = {"train_examples": 2000, "validation_examples": 5000, "test_examples": 500}
    task: Any = TASKS.get("nlvr-synthetic").configured("task", "smoke", options)
    live = task.build(tmp_path, task.recipes["smoke"])
    assert set(live.split_sizes) == {"train", "validation", "test"}
    for split in live.splits.values():
        kinds = np.bincount(split.inputs["topics"][split.indices], minlength=len(TOPICS)) / len(split)
        assert 0.3 < kinds[0] < 0.7
        assert kinds[1:].min() > 0.01


def test_splits_are_balanced(tmp_path: Path) -> None:
    task: Any = TASKS.get("nlvr-synthetic")()
    arrays = task.arrays(tmp_path).arrays
    for split in ("train", "validation", "test"):
        labels, topics = arrays[f"{split}_labels"], arrays[f"{split}_topics"]
        assert [labels[topics == topic].mean() for topic in range(len(TOPICS))] == [0.5] * len(TOPICS)
        assert np.bincount(topics).tolist() == [len(topics) * share // 24 for share in (12, 6, 2, 4)]


def test_example_is_a_function_of_seed_and_index() -> None:
    few, more, other = generate(20, seed=0), generate(50, seed=0), generate(20, seed=1)
    assert more.sentences[:20] == few.sentences
    np.testing.assert_array_equal(more.images[:20], few.images)
    assert other.sentences != few.sentences


def test_sentences_are_short_and_of_a_small_vocabulary(examples: SceneExamples) -> None:
    words = {word for sentence in examples.sentences for word in sentence.split()}
    assert len(words) <= 60
    assert all(word.isascii() and word.islower() for word in words)
    assert max(len(sentence.split()) for sentence in examples.sentences) <= 16


def test_items_have_distinct_places(examples: SceneExamples) -> None:
    for scene in examples.scenes[:500]:
        assert len({(item.box, item.row, item.column) for item in scene}) == len(scene)
        assert all(1 <= sum(item.box == box for item in scene) <= 2 for box in range(3))


@pytest.mark.parametrize("side", [24, 32, 48])
def test_picture_shows_exactly_the_items(examples: SceneExamples, side: int) -> None:
    scenes = examples.scenes[:100]
    for picture, scene in zip(draw(scenes, side), scenes, strict=True):
        left = picture.astype(int)
        for item in scene:
            row, column = centre(item, side)
            assert picture[:, row, column].tolist() == list(PAINT[item.colour])
            half = side // 8
            left[:, row - half : row + half, column - half : column + half] = 205
        assert set(np.unique(left)) <= {205, 255}


def test_shapes_differ_in_the_picture() -> None:
    one = [draw([(Item(0, 1, 1, shape, "black"),)])[0] for shape in SHAPES]
    assert len({picture.tobytes() for picture in one}) == 3


def image_facts(scene: Scene) -> list[int]:
    """Counts of every look in every box, and in all: more than most networks will see."""
    looks = [(shape, colour) for shape in SHAPES for colour in COLOURS]
    counts = [sum((i.box, i.shape, i.colour) == (box, *look) for i in scene) for box in range(3) for look in looks]
    whole = [sum((i.shape, i.colour) == look for i in scene) for look in looks]
    return [*counts, *whole, max(whole), len(scene), len({i.colour for i in scene}), len({i.shape for i in scene})]


def test_picture_alone_does_not_predict_the_label(examples: SceneExamples) -> None:
    facts = np.array([image_facts(scene) for scene in examples.scenes])
    guesser = RandomForestClassifier(100, min_samples_leaf=10, random_state=0, n_jobs=1)
    guesser.fit(facts[:5000], examples.labels[:5000])
    assert guesser.score(facts[5000:], examples.labels[5000:]) < 0.54  # 0.5 ± 0.011


def test_sentence_alone_does_not_predict_the_label(examples: SceneExamples) -> None:
    words = sorted({word for sentence in examples.sentences for word in sentence.split()})
    bags = np.array([[sentence.split().count(word) for word in words] for sentence in examples.sentences])
    guesser = LogisticRegression(max_iter=500).fit(bags[:5000], examples.labels[:5000])
    assert guesser.score(bags[5000:], examples.labels[5000:]) < 0.54


@pytest.mark.parametrize(("count", "side"), [(0, 24), (3, 20), (3, 25)])
def test_invalid_count_or_side_is_refused(count: int, side: int) -> None:
    with pytest.raises(UserError, match=r"count = .* scenes: it must be at least 1|side = "):
        generate(count, seed=0, side=side)
