"""Work on many files with all granted cores, with a progress bar on a terminal."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from nacbench.data.mirror.progress import progress
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
    with progress(title, count, "items") as done:
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
            for results in pool(delayed(_all)(work, some) for some in portions(jobs, together or TOGETHER)):
                yield from results
                done(len(results))
        finally:
            get_reusable_executor().shutdown(wait=True)  # they would keep their memory during the training


def _all(work: Callable[[Job], Result], jobs: list[Job]) -> list[Result]:
    return [work(job) for job in jobs]


def portions(jobs: Iterable[Job], count: int) -> Iterator[list[Job]]:
    """Yield lists of ``count`` jobs, in order; the last may have fewer. (itertools.batched came with Python 3.12.)"""
    left = iter(jobs)
    while some := list(itertools.islice(left, count)):
        yield some
