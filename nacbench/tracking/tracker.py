"""What a tracker is told of a run, and the interface that each one implements."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from nacbench.contracts.plugin import Plugin
from nacbench.errors import UserError
from nacbench.formats.dotted import as_text, leaves

Setting = str | int | float | bool
Scalars = Mapping[str, float]
State = Literal["finished", "failed", "interrupted"]

PROJECT = "nacbench"  # of trackers that sort runs by project, unless the user's environment names another


@dataclass(frozen=True, kw_only=True)
class About:
    """What a tracker shows of a run besides its numbers. It follows from the id's configuration alone.

    Attributes:
        run_id: the run's id.
        task, model: their names.
        size: of the model.
        seed: of the run.
        settings: every setting by dotted name, such as ``training.lr``.
    """

    run_id: str
    task: str
    model: str
    size: str
    seed: int
    settings: Mapping[str, Setting]

    @classmethod
    def of(cls, config: Mapping[str, Any], run_id: str) -> "About":
        """Return what is shown of a run with this configuration, as in its record's identity."""
        return cls(
            run_id=run_id,
            task=config["task"]["name"],
            model=config["model"]["name"],
            size=config["model"]["size"],
            seed=config["seed"],
            settings={key: _setting(value) for key, value in leaves(config).items()},
        )

    @property
    def name(self) -> str:
        """The run's name in a list of runs; unique, as it ends with the run's id."""
        return f"{self.task}-{self.model}-{self.size}-seed{self.seed}-{self.run_id}"

    @property
    def tags(self) -> dict[str, str]:
        """Facts that trackers filter by."""
        return {"task": self.task, "model": self.model, "size": self.size, "seed": str(self.seed)}


def _setting(value: Any) -> Setting:
    return value if isinstance(value, str | int | float | bool) else as_text(value)


@dataclass(frozen=True)
class Place:
    """Where a tracker writes.

    Attributes:
        folder: for its files; it may not exist yet.
        is_chosen: whether the user has named it, so that it counts more than a variable of the tracker's own.
    """

    folder: Path
    is_chosen: bool = False

    def from_environment(self, name: str) -> str | None:
        """Return the place that the user's environment names for this tracker, unless one was chosen for this run."""
        return None if self.is_chosen else os.environ.get(name) or None


class Log(Protocol):
    """A run's log in one tracker. Any method may raise what it likes: the run goes on without this tracker."""

    def scalars(self, step: int, values: Scalars) -> None:
        """Log numbers by name, after ``step`` updates; steps never fall."""

    def finish(self, step: int, metrics: Scalars, state: State) -> None:
        """Log the final metrics after the last update, and how the run ended; write everything out."""


@dataclass(frozen=True, kw_only=True)
class Tracker(Plugin):
    """Base class of trackers.

    A run is always told from its beginning: `start` replaces what the tracker has of the run, and a resumed run is told
    its rows up to the checkpoint again. So nothing is doubled, no row of lost steps stays, and a run that was logged
    while it was computed equals one that is exported when it is finished.

    Attributes:
        title: its name for readers.
        library: distribution that it needs.
        extra: of nacbench, which installs the library; empty if none does.
        shares_folder: whether one folder holds the logs of many runs; otherwise each run has a folder of its own.
    """

    title: ClassVar[str]
    library: ClassVar[str]
    extra: ClassVar[str] = ""
    shares_folder: ClassVar[bool] = True

    @classmethod
    def missing(cls) -> str | None:
        """Return in one line which library is missing and how to install it, or None if it is here."""
        try:
            distribution(cls.library)  # its metadata alone: importing it may take seconds
        except PackageNotFoundError:
            wanted = f"'nacbench[{cls.extra}]'" if cls.extra else cls.library
            return f"{cls.title} needs {cls.library}, which is not installed: pip install {wanted}"
        return None

    def start(self, about: About, place: Place) -> Log:
        """Start the log of a run, in place of what the tracker has of the same run.

        Libraries are imported here: it is called in a process that computes nothing.

        Args:
            about: what is shown of the run besides its numbers.
            place: where the log is written.

        Raises:
            Exception: whatever the library raises; the run goes on, with one warning.
        """
        raise UserError(f"{type(self).__name__} must define start(about, place)")
