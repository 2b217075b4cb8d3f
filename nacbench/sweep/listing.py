"""All runs of some stores as one list: finished, failed, running and queued ones, with what tells them apart."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nacbench.contracts.metric import Metric
from nacbench.errors import UserError
from nacbench.filesystem.files import absolute
from nacbench.recording.bounded import ID
from nacbench.recording.choice import Choice, condition
from nacbench.recording.identity import RecordedConfig
from nacbench.recording.index import look_at_runs
from nacbench.recording.locate import locate
from nacbench.recording.record import FAILURE, RECORD, Failure
from nacbench.recording.row import Run
from nacbench.recording.row import settings_of as common_settings
from nacbench.recording.store import STATE, read_state
from nacbench.recording.tags import NOTHING, Tags, read_tags
from nacbench.reporting.names import settings_of, sized
from nacbench.sweep.observer import Observer
from nacbench.sweep.state import State
from nacbench.sweep.variants import UNKNOWN, kind_of, variants

SHOWN = 4  # folders in an error


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One run of a store.

    Attributes:
        folder: of the run.
        settings: JSON as in `nacbench.recording.row.Run`, of a run that has not begun only its configuration; ``{}``
            where nothing is known of them.
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
    def store(self) -> Path:
        """Folder of runs that it is in: where commands look for it by its id, and where the same run goes on."""
        return Path(_store_of(self.folder))

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
    """A run without a record, as `nacbench.sweep.observer.Observed`."""

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
    tops = [absolute(store) for store in stores]
    within = [*others, *(run.folder for run in found.runs if run.folder not in tops)]
    rest: list[Listed] = []
    for store in dict.fromkeys([*tops, *map(_store_of, within)]):
        observer = Observer(Path(store), ask_slurm=ask_slurm)
        here = [own for own in others.values() if _store_of(own.folder) == store]
        rest += _not_finished(observer, here, tops, known)
        broken += [line for line in observer.broken if line not in broken]
    rest = [replace(own, tags=_tags(own.folder, broken)) for own in rest]
    rest = [own for own in rest if _meets(own, choice)]
    try:
        finished = choice.of(found).runs
    except UserError:
        if not rest:
            raise
        finished = []  # what is asked for is all unfinished
    once = {(run.run_id, run.result): _done(run) for run in reversed(finished)}  # of equal copies, the first
    return _told([*once.values(), *rest]), broken


def _not_finished(
    observer: Observer, begun: Iterable[Listed], tops: Sequence[str], done: Collection[str]
) -> list[Listed]:
    """Return the runs of a store that are not finished, with their states.

    Args:
        observer: of the store.
        begun: those that have begun.
        tops: folders; of the submitted runs, those below them are returned, too.
        done: ids of finished runs, which are left out.
    """
    found = {own.folder: own for own in begun}
    for own in _submitted(observer, tops):
        if own.run_id not in done:
            found.setdefault(own.folder, own)
    asked = [_Begun(own) for own in found.values()]
    states = observer.standings(asked)
    return [replace(one.listed, state=states[one.key].state, detail=states[one.key].detail) for one in asked]


def _store_of(folder: str) -> str:
    return "/".join(folder.split("/")[:-3]) or "/"


def _is_below(folder: str, tops: Iterable[str]) -> bool:
    return any(folder == top or folder.startswith(f"{top.rstrip('/')}/") for top in tops)


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


def _submitted(observer: Observer, tops: Sequence[str]) -> Iterator[Listed]:
    """Yield the runs below some folders that were submitted, of which some may have no folder yet."""
    for submission in observer.submissions:
        for run in submission.runs:
            folder = f"{absolute(observer.store)}/{run.key}"
            if not _is_below(folder, tops):
                continue
            task, model, run_id = run.key.split("/")
            known = _checked(run.config)
            yield Listed(
                run_id=run_id,
                folder=folder,
                task=task,
                model=model,
                model_size=known.model.size if known else "",
                scale=known.scale if known else "",
                seed=known.seed if known else 0,
                settings=common_settings({"config": run.config}) if known else UNKNOWN,
            )


def _checked(config: Mapping[str, Any]) -> RecordedConfig | None:
    """Return what every configuration has; None if this is none, as the submission of another version may have."""
    try:
        return RecordedConfig.model_validate(config, strict=True)
    except ValidationError:
        return None


def _meets(own: Listed, choice: Choice) -> bool:
    names = ((own.task, choice.tasks), (own.model, choice.models))
    if not all(not patterns or any(fnmatchcase(name, one) for one in patterns) for name, patterns in names):
        return False
    conditions = [condition(text) for text in choice.where]
    settings = {**settings_of(own.settings), "seed": own.seed, "tag": own.tags.tags, "note": own.tags.notes}
    return all(one.key in settings and one.holds(settings) for one in conditions)


def _told(runs: Sequence[Listed]) -> list[Listed]:
    """Return runs with the settings that tell their variants apart, sorted by task, scale, model, variant and seed."""
    told = variants(runs)
    found = [replace(run, told=texts) if (texts := told[kind_of(run), run.settings]) else run for run in runs]
    return sorted(found, key=lambda run: (run.task, run.scale, run.label, run.variant, run.seed))


# -- one run -----------------------------------------------------------------------------------------------------------


def one_run(name: str, store: Path) -> tuple[Listed, list[str]]:
    """Return the run of a folder, an id, or the beginning of one; and a line for each thing that cannot be read.

    A run that a sweep has submitted is found before it has a folder, by its id or by the folder that it will have.

    Raises:
        UserError: if there is none, or several ids begin so.
    """
    try:
        folder = absolute(locate(name, store))
    except UserError:
        if "/" in name and _has_id(name):
            folder = absolute(name)
        elif (known := _known_by_id(name, store)) is not None:
            return known, []
        else:
            raise
    found, broken = listed([Path(folder)], Choice()) if _has_id(folder) and Path(folder).is_dir() else ([], [])
    if not any(own.folder == folder for own in found):  # what is known of a run without files is in its store
        observer = Observer(Path(_store_of(folder)))
        found = [replace(own, tags=_tags(folder, broken)) for own in _not_finished(observer, (), [folder], ())]
    for own in found:
        if own.folder == folder:
            return own, broken
    if broken:
        raise UserError(f"{folder} holds no run that can be read: {broken[0]}")
    if not _has_id(folder) and (Path(folder) / RECORD).exists():  # such as an export for the hub
        raise UserError(f"{folder} is not a run's folder: it has a {RECORD}, but its name is not the id of a run")
    raise UserError(f"{folder} is not a run's folder: it has no {RECORD}, {FAILURE} or {STATE}")


def _has_id(folder: str) -> bool:
    """Whether a folder is called as those of runs are, which one with many runs, or all files of a machine, is not."""
    return bool(re.fullmatch(ID, Path(folder).name))


def _known_by_id(name: str, store: Path) -> Listed | None:
    """Return the run below a folder whose id begins so, with a folder or not, or None.

    Raises:
        UserError: if there are several.
    """
    if not re.fullmatch("[0-9a-f]+", name) or not store.is_dir():
        return None
    found = [own for own in listed([store], Choice())[0] if own.run_id.startswith(name)]
    if len(found) > 1:
        some = ", ".join(own.folder for own in found[:SHOWN]) + (" …" if len(found) > SHOWN else "")
        raise UserError(
            f"{name!r} is not a run's folder; ids of {len(found)} runs start with it: {some}; give more of the id, or "
            "the folder"
        )
    return found[0] if found else None
