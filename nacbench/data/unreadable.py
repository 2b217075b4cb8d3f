"""Read the examples of a data set: those that cannot be read are refused, or left out and counted, as the run says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from nacbench.data.mirror.parallel import worked
from nacbench.data.mirror.shared_rows import RowWriter, shared_rows
from nacbench.errors import BrokenFileError, UserError

if TYPE_CHECKING:
    import numpy as np

SUFFIX = "_unreadable"  # of the array with the number of examples of a split that were left out
WAY_OUT = "put a good copy of it in its place, or leave such examples out with --skip-unreadable"

Job = TypeVar("Job")

_skipping: ContextVar[bool] = ContextVar("skipping", default=False)


class UnreadableError(BrokenFileError):
    """The file of an example cannot be read; the message names the file or row, the reason and the way out."""


@contextmanager
def unreadable_skipped(skip: bool) -> Iterator[None]:
    """Let readers of data sets leave out examples that cannot be read, in a block, instead of refusing the data."""
    before = _skipping.set(skip)
    try:
        yield
    finally:
        _skipping.reset(before)


def skips_unreadable() -> bool:
    """Return whether examples that cannot be read are left out."""
    return _skipping.get()


def skip_stamp() -> str:
    """Return what the stamp of decoded arrays must hold, as these depend on whether examples are left out."""
    return " without unreadable examples" if skips_unreadable() else ""


def read_all(
    read: Callable[[Job], np.ndarray],
    jobs: Iterable[Job],
    count: int,
    shape: tuple[int, ...],
    what: str,
    few: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Read many examples with all granted cores; show progress on a terminal.

    Args:
        read: returns the array of one example; a function of a module, or a ``functools.partial`` of one.
        jobs: what it is called with.
        count: number of jobs N.
        shape: of an example.
        what: the data set, for the progress bar and errors.
        few: see `nacbench.data.mirror.parallel.worked`.

    Returns:
        The examples in the type that ``read`` gives, M×shape, and whether each job's could be read, N. All can, unless
        those that cannot be are left out (`nacbench.data.unreadable`).

    Raises:
        UnreadableError: for the first example that cannot be read; if they are left out, if none can be read.
    """
    import numpy as np

    kept = np.ones(count, dtype=bool)
    errors: list[UnreadableError] = []

    def leave_out(number: int, error: UnreadableError) -> None:
        if not skips_unreadable():
            raise error
        errors.append(error)
        kept[number] = False

    left = enumerate(jobs)
    for start, job in left:
        first = _attempted(read, job)  # its type is that of all
        if not isinstance(first, UnreadableError):
            break
        leave_out(start, first)
    else:
        if errors:
            raise errors[0]
        raise UserError(f"{what} has no examples")
    with shared_rows((count, *shape), first.dtype) as (examples, writer):
        examples[start] = first
        attempt = partial(_read_row, read, writer)
        results = worked(attempt, left, count - start - 1, f"reading {what}", few=few, together=few)
        for number, found in enumerate(results, start + 1):
            if isinstance(found, UnreadableError):
                leave_out(number, found)
            elif found is not None:
                examples[number] = found
    return examples[kept] if errors else examples, kept


def _attempted(read: Callable[[Job], np.ndarray], job: Job) -> np.ndarray | UnreadableError:
    try:
        return read(job)
    except UnreadableError as error:
        return error


def _read_row(
    read: Callable[[Job], np.ndarray], writer: RowWriter | None, numbered: tuple[int, Job]
) -> np.ndarray | UnreadableError | None:
    """Read an example and write it to its row; return None, the error, or the example if it cannot be written here."""
    number, job = numbered
    found = _attempted(read, job)
    if writer is None or isinstance(found, UnreadableError):
        return found
    writer.write(number, found)
    return None


def left_out(split: str, kept: np.ndarray) -> dict[str, np.ndarray]:
    """Return the array with the number of a split's examples that were left out; nothing if there are none.

    Args:
        split: its name; empty for data with one split.
        kept: whether each example could be read.
    """
    import numpy as np

    count = int((~kept).sum())
    return {f"{split}{SUFFIX}".removeprefix("_"): np.array(count)} if count else {}


def unreadable_lines(arrays: Mapping[str, np.ndarray]) -> list[str]:
    """Return one line for each split of which examples were left out, for the record."""
    counts = {name: int(array) for name, array in arrays.items() if f"_{name}".endswith(SUFFIX)}
    return [
        f"{count:,} {name.removesuffix('unreadable').replace('_', ' ')}examples left out: they cannot be read"
        for name, count in counts.items()
    ]
