"""All runs of some stores as one list: finished, failed, running and queued ones, with what tells them apart."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from nacbench.contracts.metric import Metric
from nacbench.errors import UserError
from nacbench.filesystem.files import absolute
from nacbench.recording.choice import Choice, condition
from nacbench.recording.index import look_at_runs
from nacbench.recording.record import Failure
from nacbench.recording.row import Run
from nacbench.recording.row import settings_of as common_settings
from nacbench.recording.store import locate, read_state
from nacbench.recording.tags import NOTHING, Tags, read_tags
from nacbench.reporting.names import defaults_of, differing, settings_of, sized, told_apart
from nacbench.running.resolve import resolve
from nacbench.sweep.state import Observer, State

UNKNOWN = "{}"  # settings of a run of which nothing is known


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One run of a store.

    Attributes:
        folder: of the run.
        settings: JSON as in `nacbench.recording.row.Run`; ``{}`` where nothing is known of them.
        state: as in `nacbench.sweep.state.Standing`.
        detail: more about the state, such as the reason of a failure.
        metric, score: of a finished run.
        seconds: of training and evaluation of a finished run.
        finished: end of the run, ISO 8601 in UTC; empty if it has not ended.
        tags: tags and notes that it was given.
        told: settings that tell it from other runs of the same task, scale, model and size, in short.
    """

    run_id: str
    folder: str
    task: str
    model: str
    model_size: str
    scale: str
    seed: int
    settings: str = UNKNOWN
    state: State = "done"
    detail: str = ""
    metric: Metric | None = None
    score: float | None = None
    seconds: float | None = None
    finished: str = ""
    tags: Tags = NOTHING
    told: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The model's name, with its size unless it is the usual one."""
        return sized(self.model, self.model_size, self.task, self.scale)

    @property
    def variant(self) -> str:
        """The settings that tell it from others, in one line."""
        return ", ".join(self.told.values())

    @property
    def shown_score(self) -> str:
        """The score in the unit of its metric; empty without one."""
        return "" if self.metric is None or self.score is None else self.metric.value_text(self.score)


@dataclass(frozen=True)
class _Begun:
    """A run without a record, as `nacbench.sweep.state.Observed`."""

    listed: Listed
    problem: None = None
    is_unsuited: bool = False
    trained_on: None = None

    @property
    def key(self) -> str:
        return f"{self.listed.task}/{self.listed.model}/{self.listed.run_id}"

    @property
    def run_id(self) -> str:
        return self.listed.run_id

    def folder(self, store: Path) -> Path:
        return Path(self.listed.folder)


def listed(stores: Sequence[Path], choice: Choice, *, ask_slurm: bool = True) -> tuple[list[Listed], list[str]]:
    """Return the runs below some folders that are chosen, and a line for each thing that cannot be read.

    Args:
        stores: folders of runs.
        choice: which runs count; of runs that are not finished, those that have what it asks for.
        ask_slurm: if false, the state of runs that are not finished comes from files alone.

    Raises:
        UserError: if a folder does not exist, or the choice is not valid or leaves none of the finished runs.
    """
    found = look_at_runs(*stores)
    known = {run.run_id for run in found.runs}
    broken = list(found.broken)
    failed = [_failed(*one) for one in zip(found.failures, found.failed, strict=True)]
    begun = [own for folder in found.unfinished if (own := _unfinished(folder, broken))]
    others = {own.folder: own for own in [*failed, *begun] if own.run_id not in known}
    for store in dict.fromkeys([*stores, *(Path(folder).parents[2] for folder in others)]):
        observer = Observer(store, ask_slurm=ask_slurm)
        broken += observer.broken
        for own in _submitted(observer):
            if own.run_id not in known:
                others.setdefault(own.folder, own)
        here = [_Begun(own) for own in others.values() if Path(own.folder).parents[2] == Path(absolute(store))]
        states = observer.standings(here)
        for one in here:
            standing = states[one.key]
            others[one.listed.folder] = replace(one.listed, state=standing.state, detail=standing.detail)
    rest = [replace(own, tags=_tags(own.folder, broken)) for own in others.values()]
    rest = [own for own in rest if _meets(own, choice)]
    try:
        finished = choice.of(found).runs
    except UserError:
        if not rest:
            raise
        finished = []  # what is asked for is all unfinished
    once = {(run.run_id, run.result): _done(run) for run in reversed(finished)}  # of equal copies, the first
    return _told([*once.values(), *rest]), broken


def _tags(folder: str, broken: list[str]) -> Tags:
    """Return the tags of a run that is not finished; the index has read those of the others."""
    try:
        return read_tags(folder)
    except UserError as error:
        broken.append(str(error))
        return NOTHING


def _done(run: Run) -> Listed:
    return Listed(
        run_id=run.run_id,
        folder=run.folder,
        task=run.task,
        model=run.model,
        model_size=run.model_size,
        scale=run.scale,
        seed=run.seed,
        settings=run.settings,
        metric=run.measure,
        score=run.score,
        seconds=run.train_seconds + run.evaluate_seconds,
        finished=run.finished,
        tags=run.own_tags(),
    )


def _failed(failure: Failure, folder: str) -> Listed:
    state = read_state(Path(folder))
    return Listed(
        run_id=failure.run_id,
        folder=folder,
        task=failure.task,
        model=failure.model,
        model_size=failure.size,
        scale=failure.scale,
        seed=failure.seed,
        settings=common_settings(state.identity) if state else UNKNOWN,
        state=failure.status,
        detail=failure.reason,
        finished=failure.when,
    )


def _unfinished(folder: str, broken: list[str]) -> Listed | None:
    """Return a run that was started, from the identity that it began with; if that is broken, None and a line more."""
    state = read_state(Path(folder))
    if state is None:
        broken.append(f"{folder}/state.json is broken, so its run is not listed; the same command starts it again")
        return None
    config = state.identity["config"]
    task, model = config["task"], config["model"]
    return Listed(
        run_id=os.path.basename(folder),  # noqa: PTH119 (as the index: plain strings)
        folder=folder,
        task=task["name"],
        model=model["name"],
        model_size=model["size"],
        scale=config["scale"],
        seed=config["seed"],
        settings=common_settings(state.identity),
    )


def _submitted(observer: Observer) -> Iterator[Listed]:
    """Yield the runs of a store's submissions, of which some may have no folder yet."""
    for submission in observer.submissions:
        for run in submission.runs:
            task, model, run_id = run.key.split("/")
            try:
                config = resolve(run.config).as_dict()
            except UserError:  # a plug-in that is not loaded: what is in the file must do
                config = run.config
            yield Listed(
                run_id=run_id,
                folder=f"{absolute(observer.store)}/{run.key}",
                task=task,
                model=model,
                model_size=str(config.get("model", {}).get("size", "")),
                scale=str(config.get("scale", "")),
                seed=int(config.get("seed", 0)),
                settings=common_settings({"config": config}),
            )


def _meets(own: Listed, choice: Choice) -> bool:
    names = ((own.task, choice.tasks), (own.model, choice.models))
    if not all(not patterns or any(fnmatchcase(name, one) for one in patterns) for name, patterns in names):
        return False
    conditions = [condition(text) for text in choice.where]
    settings = {**settings_of(own.settings), "seed": own.seed, "tag": own.tags.tags, "note": own.tags.notes}
    return all(one.key in settings and one.holds(settings) for one in conditions)


def _told(runs: Sequence[Listed]) -> list[Listed]:
    """Return runs with the settings that tell their variants apart, sorted by task, scale, model, variant and seed."""
    cells: dict[tuple[str, ...], dict[str, list[Listed]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        cells[run.task, run.scale, run.model, run.model_size][run.settings].append(run)
    found = []
    for by_settings in cells.values():
        variants = [settings_of(text) for text in by_settings]
        first = next(iter(by_settings.values()))[0]
        told = told_apart(variants, differing(variants), defaults_of(first)) if len(variants) > 1 else [{}]
        for own, texts in zip(by_settings.values(), told, strict=True):
            found += [replace(run, told=texts) if texts else run for run in own]
    return sorted(found, key=lambda run: (run.task, run.scale, run.label, run.variant, run.seed))


def one_run(name: str, store: Path) -> tuple[Listed, list[str]]:
    """Return the run of a folder, an id, or the beginning of one; and a line for each thing that cannot be read.

    Raises:
        UserError: if there is none, or several ids begin so.
    """
    folder = Path(absolute(locate(name, store)))
    found, broken = listed([folder], Choice())
    for own in found:
        if own.run_id == folder.name:
            return own, broken
    raise UserError(f"{folder} holds no run that can be read{f': {broken[0]}' if broken else ''}")
