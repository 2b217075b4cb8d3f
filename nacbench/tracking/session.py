"""One run in several trackers: each is told the same, and one that fails is left out from then on."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nacbench.errors import told
from nacbench.tracking.known import TRACKERS
from nacbench.tracking.numbers import scalars_of
from nacbench.tracking.tracker import About, Log, Place, Scalars, State


class Session:
    """A run's logs in some trackers.

    Args:
        about: the run.
        places: where each tracker writes, by its name.
        failed: told a tracker's name and what it raised; it is left out from then on.
    """

    def __init__(self, about: About, places: Mapping[str, Place], failed: Callable[[str, Exception], None]) -> None:
        self._failed = failed
        self._logs: dict[str, Log] = {}
        self._step = 0
        for name, place in places.items():
            try:
                self._logs[name] = TRACKERS.get(name)().start(about, place)
            except Exception as error:
                failed(name, error)

    def row(self, row: Mapping[str, Any]) -> None:
        """Log a row of the learning curve."""
        self._step = row["step"]
        self._each(lambda log: log.scalars(row["step"], scalars_of(row)))

    def finish(self, metrics: Scalars, state: State) -> None:
        """Log the final metrics, after the last update, and how the run ended."""
        self._each(lambda log: log.finish(self._step, metrics, state))
        self._logs.clear()

    def _each(self, work: Callable[[Log], None]) -> None:
        for name, log in list(self._logs.items()):
            try:
                work(log)
            except Exception as error:
                del self._logs[name]
                self._failed(name, error)


def places_in(folder: Path, names: tuple[str, ...]) -> dict[str, Place]:
    """Return where trackers write unless the user chose: a folder in the run's folder for each, with its name."""
    return {name: Place(folder / name) for name in names}


def failure_line(name: str, error: Exception) -> str:
    """Return one line on a tracker that failed."""
    return f"{name} failed, so that the run is not logged there: {told(error)}"
