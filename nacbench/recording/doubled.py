"""Refuse stores with two numbers for one run or seed; name runs whose only number was set aside."""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from nacbench.errors import UserError
from nacbench.recording.record import RunRecord
from nacbench.recording.row import Run
from nacbench.recording.store import last_set_aside
from nacbench.recording.surroundings import are_known, differing_surroundings, in_words

COMPARED = ("metrics", "selection", "data", "identity")  # fields that must be equal in two records of one run
SHOWN = 5  # cases that one message names


def refuse_doubled(runs: Sequence[Run], misplaced: Sequence[Run] = ()) -> None:
    """Check that there is one number for each run, and one run for each seed of a series.

    Args:
        runs: finished runs, with all their copies.
        misplaced: records that do not count, as their folders are not called by their run's id.

    Raises:
        UserError: if a run has different numbers in two places, or two runs differ in nothing but the run that their
            network was trained in; the message names both folders.
    """
    ids, seeds = {run.run_id for run in runs}, {(run.series, run.seed) for run in runs}
    if len(runs) == len(ids) == len(seeds) and not misplaced:  # as usual, and 100,000 runs take long one by one
        return
    by_id: dict[str, Run] = {}
    by_seed: dict[tuple[str, int], Run] = {}
    cases: list[str] = []
    for run in runs:
        other = by_id.setdefault(run.run_id, run)
        if other is not run:
            cases += _numbers_differ(other, run)
            continue
        same = by_seed.setdefault((run.series, run.seed), run)
        if same is not run:
            cases.append(
                f"{_named(run)} has two runs with the same settings: {same.folder}, which scores the network of run "
                f"{same.trained_on}, and {run.folder}, which scores that of run {run.trained_on}"
            )
    for copy in misplaced:
        if copy.run_id in by_id:
            cases += _numbers_differ(by_id[copy.run_id], copy)
    if cases:
        more = f"; and {len(cases) - SHOWN} more" if len(cases) > SHOWN else ""
        raise UserError(f"{'; '.join(cases[:SHOWN])}{more}; keep one of each, and move the others elsewhere")


def _numbers_differ(first: Run, second: Run) -> Iterator[str]:
    if first.result == second.result:
        return
    one, other = first.record(), second.record()
    if not same_numbers(one, other):
        pair = one.environment, other.environment
        same = f"in the same environment{'' if are_known(*pair) else ', as far as it is recorded'}"
        why = in_words(differing_surroundings(*pair)) or same
        yield f"{_named(first)} has different numbers in {first.folder} and {second.folder} ({why})"


def _named(run: Run) -> str:
    return f"{run.task} · {run.model} · seed {run.seed}"


def same_numbers(one: RunRecord, other: RunRecord) -> bool:
    """Return whether two records of a run agree; those of earlier versions do not count answers."""
    answers_differ = None not in (one.answers, other.answers) and one.answers != other.answers
    return not answers_differ and all(getattr(one, name) == getattr(other, name) for name in COMPARED)


def only_set_aside(replaced: Iterable[str], finished: Collection[str]) -> Iterator[str]:
    """Yield a line for each run of which only an earlier record is left, since it was set aside.

    Args:
        replaced: folders called ``.replaced``.
        finished: folders of finished runs.
    """
    for place in replaced:
        try:
            names = sorted({name.rpartition("-")[0] for name in os.listdir(place)})  # noqa: PTH208 (plain strings)
        except OSError:
            names = []
        for name in names:
            folder = Path(place).parent / name
            if str(folder) not in finished and (kept := last_set_aside(folder)):
                yield set_aside_notice(kept, folder)


def set_aside_notice(kept: Path, folder: Path) -> str:
    """Return where the last finished record of a run is, which ``--force`` set aside, and what to do."""
    # into a folder that is there, mv would move the record instead of putting it in its place
    first = f"rm -r {shlex.quote(str(folder))} && " if folder.exists() else ""
    back = f"{first}mv {shlex.quote(str(kept))} {shlex.quote(str(folder))}"
    return (
        f"{kept} holds the last finished record of run {folder.name}, which was set aside to be computed again and has "
        f"no record now; finish it with `nacbench run`, or take the record back: {back}"
    )
