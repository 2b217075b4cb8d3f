"""Which examples a step sees."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nacbench.data.sampling import step_indices, steps_per_epoch
from nacbench.errors import UserError


def epoch_of(examples: int, batch_size: int, seed: int, epoch: int, repeats: int = 1) -> list[int]:
    """All indices of one epoch, step by step."""
    steps = steps_per_epoch(examples, batch_size)
    first = epoch * steps
    indices = [step_indices(examples, batch_size, seed, step, repeats) for step in range(first, first + steps)]
    return [int(index) for index in np.concatenate(indices)]


@pytest.mark.parametrize(("examples", "batch_size", "steps"), [(12, 4, 3), (13, 4, 3), (15, 4, 3), (4, 4, 1)])
def test_incomplete_last_batch_is_dropped(examples: int, batch_size: int, steps: int) -> None:
    assert steps_per_epoch(examples, batch_size) == steps


@pytest.mark.parametrize("epoch", [0, 1, 5])
def test_epoch_is_a_permutation(epoch: int) -> None:
    assert sorted(epoch_of(24, 4, seed=0, epoch=epoch)) == list(range(24))


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 5), st.integers(0, 2**32))
def test_epoch_visits_no_example_twice(examples: int, batch_size: int, epoch: int, seed: int) -> None:
    batch_size = min(batch_size, examples)
    visited = epoch_of(examples, batch_size, seed, epoch)
    assert len(set(visited)) == len(visited) == examples // batch_size * batch_size
    assert set(visited) <= set(range(examples))


def test_order_differs_between_epochs_and_seeds() -> None:
    orders = [tuple(epoch_of(24, 4, seed, epoch)) for seed in (0, 1) for epoch in (0, 1)]
    assert len(set(orders)) == 4


def test_dropped_examples_differ_between_epochs() -> None:
    visited = {frozenset(epoch_of(10, 4, seed=0, epoch=epoch)) for epoch in range(10)}
    assert len(visited) > 1


def test_step_is_independent_of_earlier_steps() -> None:
    in_order = [step_indices(20, 4, 7, step).tolist() for step in range(15)]
    backwards = [step_indices(20, 4, 7, step).tolist() for step in reversed(range(15))]
    assert backwards[::-1] == in_order


def test_modifying_a_batch_does_not_change_the_epoch() -> None:
    expected = step_indices(8, 8, 0, 0).tolist()
    step_indices(8, 8, 0, 0)[:] = 0
    assert step_indices(8, 8, 0, 0).tolist() == expected


def test_order_is_the_same_on_every_machine() -> None:
    assert step_indices(10, 5, 0, 0).tolist() == [1, 9, 6, 5, 4]


def test_repeats_are_adjacent() -> None:
    batch = step_indices(12, 6, 0, 0, repeats=3)
    assert batch[0] == batch[1] == batch[2]
    assert batch[3] == batch[4] == batch[5]
    assert batch[0] != batch[3]


def test_repeats_reduce_the_examples_of_an_epoch() -> None:
    visited = epoch_of(24, 6, seed=0, epoch=2, repeats=3)
    assert len(visited) == 24
    assert set(Counter(visited).values()) == {3}
    assert len(set(visited)) == 8


def test_repeats_continue_in_the_next_batch() -> None:
    visited = epoch_of(12, 4, seed=0, epoch=0, repeats=3)
    assert visited == [index for index in visited[::3] for _ in range(3)]
    assert set(Counter(visited).values()) == {3}


@pytest.mark.parametrize("call", [lambda: steps_per_epoch(7, 8), lambda: step_indices(7, 8, 0, 0)])
def test_batch_size_must_not_exceed_the_split(call: Callable[[], object]) -> None:
    with pytest.raises(UserError, match=r"training\.batch_size = 8 is more than the 7 training examples"):
        call()
