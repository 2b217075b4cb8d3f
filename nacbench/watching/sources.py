"""Which runs are watched: all that a folder holds or has been submitted to, or all of a sweep, begun or not."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from nacbench.errors import UserError
from nacbench.filesystem.files import absolute
from nacbench.recording.claimants import CLAIMS
from nacbench.recording.record import FAILURE, RECORD
from nacbench.recording.row import settings_of
from nacbench.recording.store import STATE, read_state
from nacbench.recording.walk import Walk
from nacbench.sweep.plan import Plan, PlannedRun
from nacbench.sweep.submission import submissions

MARKS = (RECORD, FAILURE, STATE, CLAIMS)  # by which a run's folder is known, from its first second on
Stamp = tuple[int, int]  # size of a record in bytes, and time of its last change (ctime) in nanoseconds


@dataclass(eq=False)
class Watched:
    """A run that is watched; `nacbench.sweep.observer.Observer` tells its state.

    Attributes:
        number: its number on the page.
        place: its folder, absolute; it may not exist yet.
        store: folder of runs that it is in.
        problem, is_unsuited: as those of a planned run.
        trained_on: not known here.
    """

    number: int
    place: str
    store: Path
    problem: str | None = None
    is_unsuited: bool = False
    _config: Mapping[str, Any] = field(default_factory=dict)
    _settings: str = ""
    trained_on: str | None = None

    @property
    def key(self) -> str:
        """``task/model/run id``: its folder, relative to the store."""
        return "/".join(self.place.split("/")[-3:])

    @property
    def run_id(self) -> str | None:
        """Its id; None for a planned run whose data is missing, as the id depends on it."""
        return self.place.rpartition("/")[2] or None

    def folder(self, store: Path) -> Path:
        """Return its folder."""
        return Path(self.place)

    @property
    def config(self) -> Mapping[str, Any]:
        """Its configuration, as a record has it; empty as long as nothing tells it."""
        if not self._config and (state := read_state(Path(self.place))):
            self._config = state.identity["config"]
        return self._config

    @property
    def settings(self) -> str:
        """JSON of its configuration without the seed."""
        if not self._settings and self.config:
            self._settings = settings_of({"config": self.config})
        return self._settings or "{}"


Look = list[tuple[Watched, Stamp | None]]  # runs, each with what its record is known by, if it has one


class Source(Protocol):
    """Where the watched runs come from.

    Attributes:
        title: what is watched, in a few words.
        problems: one line for each thing that could not be looked into, at the last look.
    """

    title: str
    problems: list[str]

    def stores(self) -> list[Path]:
        """Return the folders of runs, as far as there are any."""
        ...

    def look(self) -> Look:
        """Return the runs that there are now."""
        ...


class FolderSource:
    """Runs below a folder: those that have begun, and those that sweeps have submitted to its stores.

    Args:
        top: a store, a folder above several, or one inside a store, down to that of one run. It may not exist yet.

    Raises:
        UserError: if it is a file.
    """

    def __init__(self, top: Path) -> None:
        if os.path.lexists(top) and not top.is_dir():
            raise UserError(f"{top} is not a folder; name one that holds runs, such as runs/, or a sweep")
        self.title = str(top)
        self.problems: list[str] = []
        self._top = absolute(top)
        self._known: dict[str, Watched] = {}
        self._stores: set[str] = set()

    def stores(self) -> list[Path]:
        """Return the watched folder, which may hold several stores, if it exists."""
        return [Path(self._top)] if Path(self._top).is_dir() else []

    def look(self) -> Look:
        """Return the runs that there are now; none if the folder does not exist."""
        if not Path(self._top).is_dir():
            return []
        walk = Walk(MARKS)
        found = [
            (self._watched(place), (size, when) if name == RECORD else None)
            for place, name, size, when in sorted(walk.below(self._top))
        ]
        self._stores = {str(run.store) for run, _ in found} | {self._top}
        self.problems = walk.problems
        begun = {run.place for run, _ in found}
        return [*found, *((self._watched(place, config), None) for place, config in self._submitted(begun))]

    def _submitted(self, begun: set[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield the runs that were submitted and have no folder yet, each once."""
        seen = set(begun)
        for store in sorted(self._stores):
            for submission in submissions(Path(store)):
                for run in submission.runs:
                    place = f"{store}/{run.key}"
                    if place not in seen and place.startswith(f"{self._top}/"):
                        seen.add(place)
                        yield place, run.config

    def _watched(self, place: str, config: Mapping[str, Any] | None = None) -> Watched:
        if place not in self._known:
            store = Path("/".join(place.split("/")[:-3]) or "/")
            self._known[place] = Watched(len(self._known), place, store, _config=config or {})
        return self._known[place]


class SweepSource:
    """All runs of a sweep.

    Args:
        plan: of the sweep.
        store: folder of runs.
    """

    def __init__(self, plan: Plan, store: Path) -> None:
        self.title = f"{plan.sweep.name} in {store}"
        self.problems: list[str] = []
        self._store = store
        self._runs = [self._watched(number, run) for number, run in enumerate(plan.runs)]

    def stores(self) -> list[Path]:
        """Return the folder of runs, if it exists."""
        return [self._store] if self._store.is_dir() else []

    def look(self) -> Look:
        """Return all runs of the sweep."""
        return [(run, _stamp(f"{run.place}/{RECORD}") if run.run_id else None) for run in self._runs]

    def _watched(self, number: int, run: PlannedRun) -> Watched:
        place = absolute(run.folder(self._store)) if run.run_id else ""
        return Watched(number, place, self._store, run.problem, run.is_unsuited, run.config.as_dict())


def _stamp(path: str) -> Stamp | None:
    try:
        found = os.stat(path)  # noqa: PTH116 (plain strings: there may be very many)
    except OSError:
        return None
    return found.st_size, found.st_ctime_ns
