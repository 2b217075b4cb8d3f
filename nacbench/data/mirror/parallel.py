"""Work on many files with all granted cores, with a progress bar on a terminal."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from nacbench.formats.escape import visible
from nacbench.formats.terminal import console
from nacbench.machine.cores import granted_cores

Job = TypeVar("Job")
Result = TypeVar("Result")

TOGETHER = 100  # jobs that are handed to a process at a time
FEW = 1000  # jobs that are done before processes would have started


def worked(
    work: Callable[[Job], Result],
    jobs: Iterable[Job],
    count: int,
    title: str,
    *,
    cores: int | None = None,
    few: int | None = None,
    together: int | None = None,
) -> Iterator[Result]:
    """Yield ``work(job)`` for each job, in order, computed by processes on all cores if there are many jobs.

    Args:
        work: a function of a module, or a ``functools.partial`` of one; what it raises is raised here.
        jobs: what it is called with, taken one after the other.
        count: number of jobs.
        title: of the progress bar.
        cores: number of processes; None for the granted cores.
        few: number of jobs below which no processes are started; None for ``FEW``.
        together: number of jobs that are handed to a process at a time; None for ``TOGETHER``.
    """
    cores = granted_cores() if cores is None else cores
    with counted(title, count) as done:
        if cores == 1 or count < (FEW if few is None else few):
            for job in jobs:
                yield work(job)
                done(1)
            return
        # Not multiprocessing's pools: these import the main module again, which a user's script may not be written for.
        # Not threads: Pillow holds the interpreter's lock while it decodes.
        from joblib import Parallel, delayed
        from joblib.externals.loky import get_reusable_executor

        pool = Parallel(n_jobs=cores, return_as="generator", batch_size=1, pre_dispatch=2 * cores, max_nbytes=None)
        try:
            for results in pool(delayed(_all)(work, some) for some in _portions(iter(jobs), together or TOGETHER)):
                yield from results
                done(len(results))
        finally:
            get_reusable_executor().shutdown(wait=True)  # they would keep their memory during the training


@contextmanager
def counted(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield a function to call with each number of things done.

    It moves a progress bar with an estimate if standard error is a terminal; otherwise it does nothing.
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(err=True), transient=True) as bar:
        row = bar.add_task(visible(title), total=total)
        yield lambda count: bar.advance(row, count)


def _all(work: Callable[[Job], Result], jobs: list[Job]) -> list[Result]:
    return [work(job) for job in jobs]


def _portions(jobs: Iterator[Job], count: int) -> Iterator[list[Job]]:
    while some := list(itertools.islice(jobs, count)):
        yield some
