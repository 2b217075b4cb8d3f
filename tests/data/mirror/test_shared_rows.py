"""Rows that several processes write, and readers of examples that use them."""

import os
from functools import partial

import numpy as np
import pytest

from nacbench.data.mirror import parallel
from nacbench.data.mirror.shared_rows import shared_rows
from nacbench.data.unreadable import UnreadableError, read_all, unreadable_skipped


def example(bad: tuple[int, ...], number: int) -> np.ndarray:
    if number in bad:
        raise UnreadableError(f"example {number} cannot be read")
    return np.full((2, 3), number, np.int16)


@pytest.fixture(params=["shared", "sent"])
def two_processes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "granted_cores", lambda: 2)
    if request.param == "sent":  # as on systems without such memory
        monkeypatch.delattr(os, "memfd_create")


def read(count: int, bad: tuple[int, ...] = ()) -> tuple[np.ndarray, np.ndarray]:
    return read_all(partial(example, bad), iter(range(count)), count, (2, 3), "made examples", few=4)


@pytest.mark.usefixtures("two_processes")
def test_examples_of_several_processes_are_in_the_order_of_their_jobs() -> None:
    examples, kept = read(50)
    assert examples.dtype == np.int16
    assert (examples == np.arange(50, dtype=np.int16)[:, None, None]).all()
    assert kept.all()


@pytest.mark.usefixtures("two_processes")
def test_examples_that_cannot_be_read_are_refused_or_left_out() -> None:
    with pytest.raises(UnreadableError, match="example 0 cannot be read"):
        read(50, bad=(0, 1, 30))
    with unreadable_skipped(True):
        examples, kept = read(50, bad=(0, 1, 30))
    assert np.flatnonzero(~kept).tolist() == [0, 1, 30]
    assert examples[:, 0, 0].tolist() == np.flatnonzero(kept).tolist()


def test_memory_lives_as_long_as_the_array() -> None:
    with shared_rows((3, 2), np.dtype(np.uint8)) as (array, writer):
        assert writer is not None
        writer.write(1, np.array([7, 8], np.uint8))
    array[2] = 9
    assert array.tolist() == [[0, 0], [7, 8], [9, 9]]
    with pytest.raises(OSError):  # the file is closed: nobody can write any more
        writer.write(0, np.array([1, 1], np.uint8))


@pytest.mark.parametrize("row", [np.zeros(3, np.uint8), np.zeros(2, np.int8), np.zeros((1, 2), np.uint8)])
def test_rows_of_another_form_are_refused(row: np.ndarray) -> None:
    with shared_rows((3, 2), np.dtype(np.uint8)) as (_, writer):
        assert writer is not None
        with pytest.raises(ValueError, match=r"row 1 is .*, not uint8 \(2,\)"):
            writer.write(1, row)
