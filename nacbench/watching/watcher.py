"""Look at runs again and again, and tell what has changed since; only what has changed is read again."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from nacbench.contracts.metric import Metric
from nacbench.errors import UserError
from nacbench.formats.escape import all_visible, visible
from nacbench.recording.curve import points_so_far
from nacbench.recording.index import look_at_runs
from nacbench.recording.read_record import read_record
from nacbench.recording.record import RECORD
from nacbench.recording.row import Run, row_of
from nacbench.recording.store import CURVE
from nacbench.sweep.observer import Observer
from nacbench.sweep.state import LIVE, MISSING, Standing
from nacbench.sweep.variants import Kind
from nacbench.watching.looks import dashes, looks
from nacbench.watching.progress import Progress, progress_of
from nacbench.watching.rows import (
    Described,
    Row,
    curve_of,
    described,
    described_by_record,
    measures,
    row_of_finished,
    row_of_other,
    variants,
    whole_row,
)
from nacbench.watching.signs import curve_stamp, signs_of
from nacbench.watching.sources import Look, Source, Stamp, Watched

MANY = 50  # new records from which on the index of a store is quicker than reading each
POINTS = 300  # of a curve on the page; a run writes 200 rows of the training split
KEPT_CURVES = 512
UNKNOWN = Standing(state="unknown")


@dataclass(eq=False)
class Known:
    """What is known of a run since the last look.

    Attributes:
        stamp: of its record, if it has one.
        run: its row of the index, if it is finished.
        signs: by which one sees that something has changed, of a run that is not finished.
        standing: its state.
        what: it is.
        more: what is shown of it, but for its variant.
        curve: stamp of its curve.
        problems: one line for each of its files that cannot be read.
        shown: what its row was made of.
    """

    stamp: Stamp | None = None
    run: Run | None = None
    signs: object = None
    standing: Standing = UNKNOWN
    what: Described | None = None
    more: Row | None = None
    curve: str = ""
    problems: Sequence[str] = ()
    shown: object = None


class Watcher:
    """Rows of the page, and the version at which each of them changed last.

    Args:
        source: the runs that are watched.

    Attributes:
        version: number of looks that found a change.
        session: unique; versions and numbers of runs mean nothing in another session.
        problems: one line for each file that cannot be read.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.version = 0
        self.session = secrets.token_hex(8)
        self.problems: list[str] = []
        self._known: dict[int, Known] = {}
        self._runs: dict[int, Watched] = {}
        self._rows: dict[int, Row] = {}
        self._changed: dict[int, int] = {}  # version of the last change by a run's number; also of runs that are gone
        self._measures: dict[str, Metric] = {}  # of main metrics, by task
        self._expected: dict[Kind, float] = {}  # seconds
        self._told: dict[tuple[Kind, str], str] = {}
        self._dashes: dict[tuple[str, str], str] = {}
        self._looks: dict[str, dict[str, str]] = {}
        self._curves: OrderedDict[tuple[int, str], dict[str, Any]] = OrderedDict()

    @property
    def count(self) -> int:
        """Number of runs at the last look."""
        return len(self._known)

    # -- looking

    def look(self) -> None:
        """Look at all runs, and note what has changed.

        Raises:
            UserError: if a folder cannot be read.
        """
        look = self.source.look()
        before = {number: (known.what, known.run) for number, known in self._known.items()}
        self._runs = {run.number: run for run, _ in look}
        self.problems = list(self.source.problems)
        self._known = {run.number: self._known.get(run.number) or Known() for run, _ in look}
        self._take_finished(look)
        self._take_others([run for run, _ in look if self._known[run.number].run is None])
        after = {number: (known.what, known.run) for number, known in self._known.items()}
        if before != after:
            self._compare()
        self._make_rows()

    def _take_finished(self, look: Look) -> None:
        """Take the finished runs from the index, or one by one if only a few are new."""
        fresh = [(run, stamp) for run, stamp in look if self._known[run.number].stamp != stamp]
        indexed: dict[str, Run] = {}
        if sum(stamp is not None for _, stamp in fresh) > MANY:
            indexed = {run.folder: run for store in self.source.stores() for run in look_at_runs(store).runs}
        for run, stamp in fresh:
            known = self._known[run.number] = Known(stamp)
            known.run = _finished(run, stamp, indexed.get(run.place)) if stamp else None
            if known.run:
                known.what = described_by_record(known.run)
                known.more = row_of_finished(known.run)
                known.standing = Standing(state="done", attempts=known.run.attempts)
                known.curve = curve_stamp(run.place)

    def _take_others(self, runs: Sequence[Watched]) -> None:
        """Ask for the state of each run that is not finished, if it may have changed."""
        by_store: dict[Path, list[Watched]] = {}
        for run in runs:
            by_store.setdefault(run.store, []).append(run)
        for store, own in by_store.items():
            observer = Observer(store, ask_slurm=False)
            due = [run for run in own if self._may_have_changed(run, observer)]
            self.problems += observer.broken
            for run in due:
                told = len(observer.broken)
                standing = observer.standings([run]).get(run.key) if run.run_id else _without_id(run)
                self._known[run.number].problems = observer.broken[told:]
                self._take_other(run, standing or UNKNOWN)
            self.problems += [line for run in own for line in self._known[run.number].problems]

    def _may_have_changed(self, run: Watched, observer: Observer) -> bool:
        """Whether a run has to be looked at again: its files have changed, or it runs, which may end without a sign."""
        known = self._known[run.number]
        signs = (signs_of(run.place), curve_stamp(run.place), observer.traces(run.key)) if run.run_id else ()
        if known.signs == signs:
            return known.standing.state in ("running", "unknown", "unreadable")
        known.signs, known.more = signs, None
        return True

    def _take_other(self, run: Watched, standing: Standing) -> None:
        known = self._known[run.number]
        if known.more is None or standing != known.standing:
            known.standing, known.what, known.curve = standing, described(run), curve_stamp(run.place)
            known.more = self._more(run, known.what, standing)

    def _more(self, run: Watched, what: Described, standing: Standing) -> Row:
        if what.task not in self._measures:
            self._measures |= measures((), (what.task,))
        has_begun = bool(run.run_id) and Path(run.place).is_dir()
        progress = progress_of(Path(run.place), run.config, standing.attempts) if has_begun else Progress()
        return row_of_other(standing, progress, self._measures.get(what.task), time.time())

    # -- rows

    def _compare(self) -> None:
        """Compare all runs: what tells variants apart, how models look, how long such runs take."""
        every = [known.what for known in self._known.values() if known.what]
        finished = [known.run for known in self._known.values() if known.run]
        self._measures |= measures(finished, ())
        self._expected = _durations(finished)
        self._told = variants(every)
        self._dashes = dashes((what.model, self._told[what.kind, what.settings]) for what in every)
        self._looks = looks(what.model for what in every)

    def _make_rows(self) -> None:
        """Make the rows again of which something has changed."""
        rows = {number: self._row(number, known) for number, known in self._known.items()}
        changed = [number for number, row in rows.items() if row is not self._rows.get(number)]
        changed += [number for number in self._rows if number not in rows]
        if changed or not self.version:
            self.version += 1
            self._changed |= dict.fromkeys(changed, self.version)
        self._rows = rows

    def _row(self, number: int, known: Known) -> Row:
        what, more = known.what, known.more
        assert what is not None and more is not None  # each run has been taken
        variant = self._told[what.kind, what.settings]
        facts = {
            "variant": variant,
            "dash": self._dashes[what.model, variant],
            "curve": known.curve,
            "expected": self._expected.get(what.kind) if known.standing.state in LIVE | MISSING else None,
        }
        shown = (what, more, known.standing, facts)
        if known.shown != shown or number not in self._rows:
            known.shown = shown
            return whole_row(self._runs[number], what, known.standing, facts, more)
        return self._rows[number]

    # -- telling

    def changes(self, since: int = 0) -> dict[str, Any]:
        """Return what has changed since a version of this session, as JSON's values; everything since version 0."""
        numbers = [number for number, version in self._changed.items() if version > since]
        return {
            "session": self.session,
            "version": self.version,
            "now": time.time(),
            "title": visible(self.source.title),
            "rows": [self._rows[number] for number in numbers if number in self._rows],
            "gone": [number for number in numbers if number not in self._rows],
            "looks": all_visible(self._looks),
            "problems": all_visible(self.problems),
        }

    def curves(self, numbers: Iterable[int], most: int = POINTS) -> dict[int, dict[str, Any]]:
        """Return the curves of runs by number, each with its ``stamp``; runs that are not there are left out.

        Args:
            numbers: of the runs.
            most: points of each line.
        """
        return {number: self._curve(number, most) for number in numbers if number in self._known}

    def _curve(self, number: int, most: int) -> dict[str, Any]:
        known = self._known[number]
        place = (number, f"{known.curve} {most}")
        if place not in self._curves:
            measure = self._measures.get(known.what.task) if known.what else None
            points = points_so_far(Path(self._runs[number].place) / CURVE) if known.curve else []
            self._curves[place] = {"stamp": known.curve, **curve_of(points, measure, most)}
            while len(self._curves) > KEPT_CURVES:
                self._curves.popitem(last=False)
        self._curves.move_to_end(place)
        return self._curves[place]


def _finished(run: Watched, stamp: Stamp, indexed: Run | None) -> Run | None:
    """Return a run's row of the index; None if its record does not count, of which `Observer` says why."""
    if indexed and (indexed.size, indexed.changed) == stamp:
        return indexed
    try:
        return row_of(read_record(f"{run.place}/{RECORD}", run.run_id), run.place, *stamp)
    except UserError:
        return None


def _without_id(run: Watched) -> Standing:
    """Return the state of a planned run without an id."""
    return Standing(state="skipped" if run.is_unsuited else "no data", detail=run.problem or "")


def _durations(runs: Iterable[Run]) -> dict[tuple[str, str, str, str], float]:
    """Return the median seconds of training and evaluation by task, model, size and scale."""
    groups: dict[tuple[str, str, str, str], list[float]] = {}
    for run in runs:
        place = (run.task, run.model, run.model_size, run.scale)
        groups.setdefault(place, []).append(run.train_seconds + run.evaluate_seconds)
    return {place: median(values) for place, values in groups.items()}
