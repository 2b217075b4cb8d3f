"""Labels by class name: every copy of a data set numbers its classes in one order."""

import numpy as np
import pytest

from nacbench.data.class_order import GivenLabels, class_order, numbered_by_name
from nacbench.errors import UserError


def numbered(
    train: GivenLabels, test: GivenLabels, makers: tuple[str, ...] = ()
) -> tuple[list[int], list[int], list[str] | None]:
    """The labels of both splits, and the names."""
    labels, names = numbered_by_name({"train": train, "test": test}, "made in a mirror", 3, makers)
    return labels["train"].tolist(), labels["test"].tolist(), names


@pytest.mark.parametrize("names", [["cat", "dog", "owl"], ["owl", "cat", "dog"], ["dog", "owl", "cat"]])
def test_labels_are_the_same_whatever_order_a_copy_has(names: list[str]) -> None:
    said = ["owl", "cat", "cat", "dog"]
    own = GivenLabels([names.index(name) for name in said], names)
    other = GivenLabels([2, 1, 0], ["dog", "owl", "cat"])
    assert numbered(own, other) == ([2, 0, 0, 1], [0, 2, 1], ["cat", "dog", "owl"])


def test_the_makers_order_comes_first() -> None:
    own = GivenLabels([0, 1, 2], ["cat", "dog", "owl"])
    assert numbered(own, own, ("owl", "dog")) == ([2, 1, 0], [2, 1, 0], ["owl", "dog", "cat"])


@pytest.mark.parametrize(
    ("names", "order"),
    [(["10", "9", "2"], ["2", "9", "10"]), (["b10", "b9"], ["b10", "b9"]), (["pos", "neg"], ["neg", "pos"]), ([], [])],
)
def test_numbers_are_sorted_as_numbers_and_names_as_text(names: list[str], order: list[str]) -> None:
    assert class_order(names) == order


def test_a_copy_without_names_keeps_its_numbers() -> None:
    assert numbered(GivenLabels([2, 0]), GivenLabels([1])) == ([2, 0], [1], None)


def test_names_in_one_split_only_must_be_in_the_usual_order() -> None:
    usual, other = GivenLabels([0, 1], ["cat", "dog"]), GivenLabels([0, 1], ["dog", "cat"])
    assert numbered(usual, GivenLabels([1, 0]))[:2] == ([0, 1], [1, 0])
    assert numbered(GivenLabels([1, 0]), usual)[:2] == ([1, 0], [0, 1])
    with pytest.raises(UserError, match="split test, cannot be decoded: only some splits name their classes"):
        numbered(other, GivenLabels([1, 0]))


def test_a_class_that_training_lacks_is_named() -> None:
    with pytest.raises(UserError, match=r"made in a mirror, split test, .*its class 'owl' is not among the training"):
        numbered(GivenLabels([0], ["cat"]), GivenLabels([1], ["cat", "owl"]))


def test_labels_are_int16() -> None:
    labels, _ = numbered_by_name({"train": GivenLabels([0, 1])}, "made", 2)
    assert labels["train"].dtype == np.int16
