"""Generated ListOps against a plain recursive generator."""

import hashlib
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nacbench.data.sequences import listops
from nacbench.data.sequences.listops import (
    decode,
    evaluate,
    evaluate_tokens,
    generate,
)
from nacbench.errors import UserError

from .listops_trees import (
    OPERATORS,
    Tree,
    grow,
    length_of,
    text_of,
    tree_of,
    value_of,
)


@settings(max_examples=30, deadline=None)
@given(
    count=st.integers(1, 60),
    longer_than=st.integers(4, 20),
    room=st.integers(8, 60),
    seed=st.integers(0, 2**63),
    max_depth=st.integers(5, 12),
    max_args=st.integers(5, 15),
)
def test_generated_expressions_follow_the_rules(
    count: int, longer_than: int, room: int, seed: int, max_depth: int, max_args: int
) -> None:
    shorter_than = longer_than + room
    tokens, labels = generate(
        count, longer_than=longer_than, shorter_than=shorter_than, seed=seed, max_depth=max_depth, max_args=max_args
    )
    assert tokens.shape == (count, shorter_than - 1)
    assert labels.shape == (count,)
    assert tokens.dtype == np.uint8
    assert labels.dtype == np.int16
    texts = [decode(row) for row in tokens]
    assert len(set(texts)) == count
    for text, label in zip(texts, labels, strict=True):
        tree = tree_of(text)
        assert longer_than < length_of(tree) < shorter_than
        assert label == value_of(tree) == evaluate(text)
        assert all(2 <= number <= max_args for number in arguments_of(tree))
        assert depth_of(tree) <= max_depth


def arguments_of(tree: Tree) -> list[int]:
    """Numbers of arguments of all operators."""
    if isinstance(tree, int):
        return []
    return [len(tree[1]), *(number for argument in tree[1] for number in arguments_of(argument))]


def depth_of(tree: Tree) -> int:
    return 1 if isinstance(tree, int) else 1 + max(depth_of(argument) for argument in tree[1])


def described(tree: Tree) -> list[float]:
    """What two generators are compared by."""
    tokens = text_of(tree).split()
    arguments = arguments_of(tree)
    numbers = [arguments.count(number) / len(arguments) for number in range(2, 11)]
    shares = [tokens.count(token) / len(tokens) for token in (*OPERATORS, *"0123456789")]
    depth = depth_of(tree)
    return [len(tokens), len(tokens) ** 2, depth, depth == 10, depth >= 9, len(arguments), *numbers, *shares]


def slowly(count: int, limits: tuple[int, int], seed: int, **rules: float) -> np.ndarray:
    """Descriptions of as many trees within the limits."""
    rng = random.Random(seed)
    rows: list[list[float]] = []
    while len(rows) < count:
        tree = grow(rng, **rules)  # type: ignore[arg-type]
        if limits[0] < length_of(tree) < limits[1]:
            rows.append(described(tree))
    return np.array(rows)


def quickly(count: int, limits: tuple[int, int], seed: int) -> np.ndarray:
    tokens, _ = generate(count, longer_than=limits[0], shorter_than=limits[1], seed=seed)
    return np.array([described(tree_of(decode(row))) for row in tokens])


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """How many standard errors the means of two samples are apart, at most."""
    apart = np.abs(one.mean(axis=0) - other.mean(axis=0))
    error = np.sqrt(one.var(axis=0) / len(one) + other.var(axis=0) / len(other))
    return float(np.max(apart / np.maximum(error, 1e-12)))


ENOUGH = 4.5  # standard errors


@pytest.mark.parametrize(("limits", "count"), [((500, 2000), 400), ((10, 201), 800)])
def test_trees_are_distributed_as_by_a_plain_generator(limits: tuple[int, int], count: int) -> None:
    assert distance(quickly(count, limits, seed=0), slowly(count, limits, seed=0)) < ENOUGH


@pytest.mark.parametrize("wrong", [{"max_depth": 9}, {"max_args": 9}])
def test_distribution_test_detects_other_rules(wrong: dict[str, float]) -> None:
    assert distance(quickly(600, (10, 201), seed=0), slowly(600, (10, 201), seed=0, **wrong)) > 2 * ENOUGH


@pytest.fixture(scope="module")
def lengths() -> np.ndarray:
    tokens, _ = generate(10_000, longer_than=10, shorter_than=2000, seed=3)
    return np.count_nonzero(tokens, axis=1)


def misfit(lengths: np.ndarray, probabilities: np.ndarray) -> float:
    """Chi-square over bins of lengths from 11 to 1999, in standard deviations from its expectation."""
    bins = np.array([*range(11, 200, 9), *range(200, 2000, 100)])
    observed = np.add.reduceat(np.bincount(lengths, minlength=2000), bins)
    expected = np.add.reduceat(probabilities, bins)
    expected *= observed.sum() / expected.sum()
    chi_square = ((observed - expected) ** 2 / expected).sum()
    return float((chi_square - (len(bins) - 1)) / (2 * (len(bins) - 1)) ** 0.5)


def test_lengths_have_their_exact_probabilities(lengths: np.ndarray) -> None:
    assert abs(misfit(lengths, length_probabilities())) < ENOUGH


@pytest.mark.parametrize(
    "wrong", [{"max_depth": 9}, {"max_depth": 11}, {"max_args": 9}, {"digit_share": 0.73}, {"digit_share": 0.77}]
)
def test_length_test_detects_other_rules(lengths: np.ndarray, wrong: dict[str, float]) -> None:
    assert misfit(lengths, length_probabilities(**wrong)) > 2 * ENOUGH  # type: ignore[arg-type]


def length_probabilities(max_depth: int = 10, max_args: int = 10, digit_share: float = 0.75) -> np.ndarray:
    """Of a tree having each length below 2000, from polynomials; a root that is a digit is left out."""
    digit = np.zeros(2000)
    digit[1] = 1
    node, operator = digit, np.zeros(2000)
    for _ in range(max_depth - 1):
        power, operator = node, np.zeros(2000)
        for _ in range(2, max_args + 1):
            power = np.convolve(power, node)[:2000]
            operator[2:] += power[:-2] / (max_args - 1)
        node = digit_share * digit + (1 - digit_share) * operator
    return operator


def test_digits_and_operators_are_uniform() -> None:
    tokens, labels = generate(1500, longer_than=500, shorter_than=2000, seed=5)
    counts = np.bincount(tokens.ravel(), minlength=16)
    assert np.abs(counts[1:11] / counts[1:11].mean() - 1).max() < 0.01
    assert np.abs(counts[11:15] / counts[11:15].mean() - 1).max() < 0.02
    assert counts[15] == counts[11:15].sum()
    assert set(labels.tolist()) == set(range(10))


def test_generated_labels_are_those_of_the_text() -> None:
    tokens, labels = generate(200, longer_than=500, shorter_than=2000, seed=6)
    lengths = np.count_nonzero(tokens, axis=1)
    assert 500 < lengths.min() < lengths.max() < 2000
    assert [evaluate(decode(row)) for row in tokens] == labels.tolist()


def test_small_range_is_enumerated_completely() -> None:
    tokens, _ = generate(400, longer_than=1, shorter_than=5, seed=0)
    pairs = {f"{operator} {a} {b} ]" for operator in OPERATORS for a in range(10) for b in range(10)}
    assert {decode(row) for row in tokens} == pairs
    with pytest.raises(UserError, match="only 400 of 401 distinct expressions longer than 1 and shorter than 5"):
        generate(401, longer_than=1, shorter_than=5, seed=0)


def test_impossible_lengths_are_refused() -> None:
    with pytest.raises(UserError, match="only 0 of 1 distinct"):
        generate(1, longer_than=1, shorter_than=4, seed=0)
    with pytest.raises(UserError, match="only 0 of 5 distinct"):
        generate(5, longer_than=20, shorter_than=30, seed=0, max_depth=2)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"longer_than": 0}, "longer_than = 0: it must be at least 1"),
        ({"shorter_than": 11}, "shorter_than = 11: it must be at least 12"),
        ({"max_depth": 1}, "max_depth = 1"),
        ({"max_args": 1}, "max_args = 1"),
        ({"seed": -1}, "seed = -1"),
        ({"count": 0}, "count = 0"),
    ],
)
def test_invalid_arguments_are_refused(changes: dict[str, int], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        generate(**{"count": 5, "longer_than": 10, "shorter_than": 50, "seed": 0, **changes})


def test_larger_count_extends_a_smaller_one() -> None:
    first, labels = generate(300, longer_than=10, shorter_than=201, seed=0)
    again, same = generate(300, longer_than=10, shorter_than=201, seed=0)
    assert np.array_equal(first, again)
    assert np.array_equal(labels, same)
    more, _ = generate(3000, longer_than=10, shorter_than=201, seed=0)
    assert np.array_equal(first, more[:300])
    other, _ = generate(300, longer_than=10, shorter_than=201, seed=1)
    assert not np.array_equal(first, other)


def test_data_of_a_seed_is_pinned() -> None:
    """A change here changes the ListOps tasks' data: their versions must change with it."""
    tokens, labels = generate(100, longer_than=500, shorter_than=2000, seed=0)
    digest = hashlib.sha256(tokens.tobytes() + labels.astype("<i2").tobytes()).hexdigest()
    assert digest[:16] == "f5665d4420b3eabf"


def test_every_generated_label_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(tokens: np.ndarray) -> np.ndarray:
        values = evaluate_tokens(tokens)
        values[-1] = (values[-1] + 1) % 10
        return values

    monkeypatch.setattr(listops, "evaluate_tokens", wrong)
    with pytest.raises(AssertionError, match="disagree"):
        generate(20, longer_than=10, shorter_than=50, seed=0)
