"""Reproduce recorded runs on this machine with the current code, and compare metrics and predictions exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacbench.errors import UserError
from nacbench.filesystem.files import resolved, utc_now
from nacbench.formats.dotted import leaves
from nacbench.machine.cores import MOST_THREADS, default_threads
from nacbench.recording.index import nothing_finished, read_runs
from nacbench.recording.locate import locate
from nacbench.recording.predictions import Agreement, compare_predictions
from nacbench.recording.record import RunRecord
from nacbench.recording.row import Run
from nacbench.recording.store import CONFIG, PREDICTIONS, finished, run_folder
from nacbench.recording.surroundings import MISSING, are_known, differing_surroundings
from nacbench.running.config import RunConfig
from nacbench.running.identity import Identity
from nacbench.running.initial import with_places
from nacbench.running.resolve import read_yaml, resolve
from nacbench.seeds import seed_for
from nacbench.training.interrupt import Interrupted

if TYPE_CHECKING:
    from nacbench.running.outcome import Outcome
    from nacbench.training.execution import Execution

NOTHING = Agreement("absent")


@dataclass(frozen=True)
class Recorded:
    """A finished run: its folder and record."""

    folder: Path
    record: RunRecord

    @property
    def title(self) -> str:
        return f"{self.record.task} · {self.record.model} · seed {self.record.seed}"

    @property
    def store(self) -> Path:
        """Store that the run is in, or its own folder if that is not in a store."""
        own = (self.record.task, self.record.model, self.record.run_id)
        place = self.folder.resolve()
        return place.parents[2] if place.parts[-3:] == own else place


@dataclass(frozen=True)
class Repetition:
    """Result of reproducing a recorded run.

    Attributes:
        recorded: the recorded run.
        again: the new record; None if an ``error`` occurred.
        error: the exception, if computing failed.
        compared: number of values compared, without predictions.
        numbers: values that differ by name, as (recorded, new).
        predictions: comparison of the predictions.
        identity: fields of the identity that differ, as (name, recorded, new) in text.
        surroundings: differences in hardware and library versions, in the same form.
        earlier: the new run had been finished before, and was only compared.
    """

    recorded: Recorded
    again: RunRecord | None = None
    error: Exception | None = None
    compared: int = 0
    numbers: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    predictions: Agreement = NOTHING
    identity: Sequence[tuple[str, str, str]] = ()
    surroundings: Sequence[tuple[str, str, str]] = ()
    earlier: bool = False

    @property
    def same(self) -> bool:
        """Whether all values are equal, digit for digit. False for damaged predictions, which cannot be compared."""
        return self.again is not None and not self.numbers and self.predictions.state in ("same", "absent")

    @property
    def knows_surroundings(self) -> bool:
        """Whether both records tell all of what can change last digits."""
        return self.again is not None and are_known(self.recorded.record.environment, self.again.environment)

    @property
    def reason(self) -> str:
        """The error in one line; empty if the run was computed."""
        if self.error is None:
            return ""
        named = "" if isinstance(self.error, UserError) else f"{type(self.error).__name__}: "
        return " ".join(f"{named}{self.error}".split())


# -- selecting runs ----------------------------------------------------------------------------------------------------


def find_runs(names: Sequence[str], store: Path) -> tuple[list[Run], list[str]]:
    """Return the named finished runs without duplicates, and one line for each broken record.

    Args:
        names: stores, folders of runs, or prefixes of run ids.
        store: store in which ids are looked up.

    Raises:
        UserError: if a name is none of these, or there is no finished run.
    """
    runs: dict[Path, Run] = {}
    broken: list[str] = []
    for name in names:
        found = read_runs(locate(name, store))
        broken += found.broken
        runs |= {Path(run.folder).resolve(): run for run in found.runs}
    if not runs:
        raise nothing_finished(broken, names)
    return list(runs.values()), broken


def draw(runs: Sequence[Run], count: int, seed: int) -> list[Run]:
    """Draw ``count`` runs at random, or all if there are fewer.

    They are ordered by a hash of seed and run id, so that anyone can draw the same runs, and nobody can choose them.
    """
    return sorted(runs, key=lambda run: seed_for(seed, "repeat", run.run_id))[:count]


def refuse_inside(out: Path, runs: Sequence[Recorded], names: Sequence[str]) -> None:
    """Check that the folder for new runs is not inside a store of recorded ones, where reports would mix them.

    Args:
        out: folder for new runs.
        runs: recorded runs.
        names: names of the recorded runs as the user gave them.

    Raises:
        UserError: if it is.
    """
    place = resolved(out)
    for folder in (*{one.store for one in runs}, *(Path(name).resolve() for name in names if Path(name).is_dir())):
        if place.is_relative_to(folder):
            raise UserError(f"--out {out} lies in {folder}, among the runs that are repeated; name another folder")


# -- computing and comparing -------------------------------------------------------------------------------------------


def repeat_runs(
    runs: Sequence[Recorded], *, out: Path, data_root: Path, execution: Callable[[RunRecord], Execution]
) -> Iterator[Repetition]:
    """Compute runs again, one after another. A failure is part of the result and does not stop the others.

    Args:
        runs: recorded runs.
        out: store for the new runs; runs that are finished there are only compared.
        data_root: mirror of data sets.
        execution: returns device and other execution settings for a record.

    Raises:
        Interrupted: if a signal asked to stop; a new call with the same ``out`` continues.
    """
    # Runs that train first: evaluations then find their networks, computed with the settings of the right record
    for one in sorted(runs, key=lambda one: one.record.trained_on is not None):
        yield _repeat(one, out, data_root, execution)


def compare(recorded: Recorded, again: RunRecord, folder: Path, *, earlier: bool = False) -> Repetition:
    """Compare a record with that of the same run computed again in another folder.

    Weights are not compared: predictions follow from them, and safetensors writes its header in any order.
    """
    first, second = _numbers(recorded.record), _numbers(again)
    return Repetition(
        recorded,
        again,
        compared=len(first),
        numbers={
            name: (first.get(name, MISSING), second.get(name, MISSING))
            for name in dict.fromkeys([*first, *second])
            if first.get(name, MISSING) != second.get(name, MISSING)
        },
        predictions=compare_predictions(
            recorded.folder / PREDICTIONS, recorded.record.files.get(PREDICTIONS), folder / PREDICTIONS
        ),
        identity=_identity(recorded.record).differences(_identity(again)),
        surroundings=differing_surroundings(recorded.record.environment, again.environment),
        earlier=earlier,
    )


def _repeat(one: Recorded, out: Path, data_root: Path, execution: Callable[[RunRecord], Execution]) -> Repetition:
    began = utc_now()
    try:
        outcome = _compute(one, out, data_root, execution)
        earlier = outcome.was_finished and outcome.record.finished < began
        return compare(one, outcome.record, outcome.folder, earlier=earlier)
    except Interrupted:
        raise
    except Exception as error:  # any: the current code may fail on an old configuration in any way
        return Repetition(one, error=error)


def _compute(one: Recorded, out: Path, data_root: Path, execution: Callable[[RunRecord], Execution]) -> Outcome:
    """Compute a run, after the run that trains its network; each with the number of threads of its own record."""
    from nacbench.running import runner

    def do(config: RunConfig, record: RunRecord) -> Outcome:
        def with_its_threads() -> Execution:
            return replace(execution(record), threads=_threads_of(record))

        return runner.run(config, store=out, data_root=data_root, execution=with_its_threads)

    config = resolve(_config_of(one))
    trained = _trained_on(one)
    if config.trained_on is not None and trained is not None:  # without its record, the runner computes it
        do(config.trained_on, trained)
    return do(config, one.record)


def _config_of(one: Recorded) -> dict[str, Any]:
    """Return a run's configuration, with the places of weights that it began with: its record has their digest only."""
    config: dict[str, Any] = one.record.identity["config"]
    written = read_yaml(one.folder / CONFIG) if (one.folder / CONFIG).is_file() else None
    return with_places(config, written, one.store)


def _trained_on(one: Recorded) -> RunRecord | None:
    """Return the record of the run that trained the network, if it is in the same store."""
    trained_on = one.record.trained_on
    if trained_on is None:
        return None
    try:
        return finished(run_folder(one.store, trained_on.task, one.record.model, trained_on.run_id))
    except UserError:
        return None


def _threads_of(record: RunRecord) -> int:
    """Return the threads of a recorded run, which decide how sums are rounded; the default if they cannot be used."""
    count = record.environment.hardware.threads
    return count if count <= MOST_THREADS else default_threads()


def _numbers(record: RunRecord) -> dict[str, Any]:
    """Return the values that must be equal: all metrics, and which weights were selected."""
    return leaves({**record.metrics, "selection": record.selection.model_dump()})


def _identity(record: RunRecord) -> Identity:
    return Identity.model_validate(record.identity)
