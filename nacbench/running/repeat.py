"""Recorded runs computed again, on this machine and by today's code, and what came out beside what was recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacbench.errors import UserError
from nacbench.files import utc_now
from nacbench.recording.index import Run, read_runs
from nacbench.recording.predictions import Agreement, compare_predictions
from nacbench.recording.record import Environment, RunRecord
from nacbench.recording.store import PREDICTIONS, finished, locate, run_folder
from nacbench.running.config import RunConfig, resolve
from nacbench.running.identity import Identity, flatten, leaves
from nacbench.seeds import seed_for
from nacbench.training.interrupt import Interrupted

if TYPE_CHECKING:
    from nacbench.running.runner import Outcome
    from nacbench.training.execution import Execution

MISSING = "—"  # stands for a value that only the other one has
MOST_THREADS = 1024  # a broken record must not bring the machine down
NOTHING = Agreement("absent")
CODE = ("git_commit", "git_dirty")  # the identity knows better which code counts


@dataclass(frozen=True)
class Recorded:
    """A finished run and where it lies."""

    folder: Path
    record: RunRecord

    @property
    def title(self) -> str:
        return f"{self.record.task} · {self.record.model} · seed {self.record.seed}"

    @property
    def store(self) -> Path:
        """The folder of runs that it lies in; its own folder where it lies in none."""
        own = (self.record.task, self.record.model, self.record.run_id)
        place = self.folder.resolve()
        return place.parents[2] if place.parts[-3:] == own else place


@dataclass(frozen=True)
class Repetition:
    """A recorded run, and what came of computing it again.

    Attributes:
        recorded: the run.
        again: the new record; None where there is none, because of ``error``.
        error: what stopped it.
        compared: how many numbers were compared, predictions not counted.
        numbers: of those, each that differs, recorded and new.
        predictions: how they agree.
        identity: each of its fields that differs, recorded and new, as text.
        surroundings: what differs in machine and versions, likewise.
        earlier: it had been computed before this was called, and was only compared.
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
        """Whether all numbers came out alike, digit for digit; what is damaged cannot be known to."""
        return self.again is not None and not self.numbers and self.predictions.state in ("same", "absent")

    @property
    def reason(self) -> str:
        """Why there is no new record, in one line; empty where there is one."""
        if self.error is None:
            return ""
        named = "" if isinstance(self.error, UserError) else f"{type(self.error).__name__}: "
        return " ".join(f"{named}{self.error}".split())


# -- which runs --------------------------------------------------------------------------------------------------------


def find_runs(names: Sequence[str], store: Path) -> tuple[list[Run], list[str]]:
    """The finished runs that are named, each once, and a line for each record that is broken.

    Args:
        names: folders of runs, of single runs, or beginnings of ids.
        store: where ids are looked up.

    Raises:
        UserError: if one is none of these, or there is no finished run.
    """
    runs: dict[Path, Run] = {}
    broken: list[str] = []
    for name in names:
        found = read_runs(locate(name, store))
        broken += found.broken
        runs |= {Path(run.folder).resolve(): run for run in found.runs}
    if not runs:
        raise UserError(broken[0] if broken else f"no finished run in {', '.join(names)}")
    return list(runs.values()), broken


def draw(runs: Sequence[Run], count: int, seed: int) -> list[Run]:
    """So many of some runs at random, or all of them: by seed and ids alone, wherever they lie."""
    return sorted(runs, key=lambda run: seed_for(seed, "repeat", run.run_id))[:count]


def refuse_inside(out: Path, runs: Sequence[Recorded], names: Sequence[str]) -> None:
    """See that new runs will not lie among the recorded ones, and be taken for them.

    Args:
        out: the folder for new runs.
        runs: the recorded ones.
        names: as the user named them.

    Raises:
        UserError: if they would.
    """
    place = out.resolve()
    for folder in (*{one.store for one in runs}, *(Path(name).resolve() for name in names if Path(name).is_dir())):
        if place.is_relative_to(folder):
            raise UserError(f"--out {out} lies in {folder}, among the runs that are repeated; name another folder")


# -- computing and comparing -------------------------------------------------------------------------------------------


def repeat_runs(
    runs: Sequence[Recorded], *, out: Path, data_root: Path, execution: Callable[[RunRecord], Execution]
) -> Iterator[Repetition]:
    """Compute runs again, one after another; what fails is told, and touches no other run.

    Those whose network another one takes come first.

    Args:
        runs: what to repeat.
        out: where the new runs go; what is finished there is not computed again.
        data_root: mirror of data sets.
        execution: the device and the like for a record's run.

    Raises:
        Interrupted: a signal asked to stop; with the same ``out`` it goes on from there.
    """
    for one in sorted(runs, key=lambda one: one.record.trained_on is not None):
        yield _repeat(one, out, data_root, execution)


def compare(recorded: Recorded, again: RunRecord, folder: Path, *, earlier: bool = False) -> Repetition:
    """A record beside that of the same run, computed again in another folder."""
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
        surroundings=_differences(recorded.record.environment, again.environment),
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
    except Exception as error:  # whatever today's code makes of an old configuration, the other runs are repeated
        return Repetition(one, error=error)


def _compute(one: Recorded, out: Path, data_root: Path, execution: Callable[[RunRecord], Execution]) -> Outcome:
    """The run, after the one that its network comes from; each with the threads of its own record."""
    from nacbench.running import runner

    def do(config: RunConfig, record: RunRecord) -> Outcome:
        with _threads(record.environment.hardware.get("threads")):
            return runner.run(config, store=out, data_root=data_root, execution=lambda: execution(record))

    config = resolve(one.record.identity["config"])
    trained = _trained_on(one)
    if config.trained_on is not None and trained is not None:  # otherwise the runner does it, with this run's threads
        do(config.trained_on, trained)
    return do(config, one.record)


def _trained_on(one: Recorded) -> RunRecord | None:
    """The record of the run that the network was taken from, where it lies in the same folder of runs."""
    trained_on = one.record.trained_on
    if trained_on is None:
        return None
    try:
        return finished(run_folder(one.store, trained_on.task, one.record.model, trained_on.run_id))
    except UserError:
        return None


@contextmanager
def _threads(count: Any) -> Iterator[None]:
    """While inside, torch computes with so many threads: sums are split otherwise with another number."""
    import torch

    before = torch.get_num_threads()
    wanted = count if isinstance(count, int) and 0 < count <= MOST_THREADS else before
    if wanted != before:
        torch.set_num_threads(wanted)
    try:
        yield
    finally:
        if wanted != before:
            torch.set_num_threads(before)


def _numbers(record: RunRecord) -> dict[str, Any]:
    """What must come out alike: every metric, and which weights count."""
    return leaves({**record.metrics, "selection": record.selection.model_dump()})


def _identity(record: RunRecord) -> Identity:
    return Identity.model_validate(record.identity)


def _differences(recorded: Environment, now: Environment) -> list[tuple[str, str, str]]:
    first, second = _surroundings(recorded), _surroundings(now)
    return [
        (name, first.get(name, MISSING), second.get(name, MISSING))
        for name in dict.fromkeys([*first, *second])
        if first.get(name, MISSING) != second.get(name, MISSING)
    ]


def _surroundings(environment: Environment) -> dict[str, str]:
    """Machine and versions as text, by name: ``cpu``, ``threads``, ``torch``."""
    content = environment.model_dump(exclude={"hardware", "versions", *CODE})
    return flatten({**environment.hardware, **content, **environment.versions})
