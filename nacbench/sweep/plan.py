"""Plan a sweep: its runs with their ids, in an order in which networks are trained before they are scored."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from nacbench.errors import UserError
from nacbench.formats.dotted import as_text, leaves
from nacbench.recording.row import series_of, settings_of
from nacbench.recording.store import run_folder
from nacbench.running.config import RunConfig
from nacbench.running.identity import Identity, code_of
from nacbench.running.runner import fingerprint_of, unsupported
from nacbench.sweep.config import SweepConfig
from nacbench.sweep.profile import Profile

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """A run of a sweep, or a run that trains the network of one.

    Attributes:
        config: what to compute.
        profile: executor and resources.
        run_id: None if its data is missing, as the id depends on it.
        trained_on: key of the run that trains its network, if it is of an evaluation task.
        problem: why it cannot be computed here: data is missing, or the model cannot do the task.
        is_unsuited: whether the problem is that the model cannot do the task.
        is_wanted: whether the sweep's file asks for it; false if it only trains the network of another run.
        variant: settings in which it differs from runs with the same task, model and seed; empty if there are none.
        settings: what it has in common with the runs of its series, as in `nacbench.recording.row.Run`; empty without
            an id.
    """

    config: RunConfig
    profile: Profile
    run_id: str | None
    trained_on: str | None = None
    problem: str | None = None
    is_unsuited: bool = False
    is_wanted: bool = True
    variant: str = ""
    settings: str = ""

    @property
    def key(self) -> str:
        """``task/model/run id``: its folder, relative to the store."""
        return f"{self.config.task.name}/{self.config.model.name}/{self.run_id}"

    @property
    def series(self) -> str:
        """What its record will have as its series."""
        return series_of(self.settings)

    @property
    def title(self) -> str:
        """Task, model, seed and variant, for readers."""
        names = (self.config.task.name, self.config.model.name, f"seed {self.config.seed}", self.variant)
        return " · ".join(filter(None, names))

    def folder(self, store: Path) -> Path:
        """Return its folder, which may not exist yet."""
        assert self.run_id is not None
        return run_folder(store, self.config.task.name, self.config.model.name, self.run_id)


@dataclass(frozen=True)
class Place:
    """Where a plan is carried out: the folder of runs, and the mirror of data sets."""

    store: Path
    data_root: Path


def counts_of(sweep: SweepConfig) -> tuple[int, int]:
    """Return the number of runs that a sweep asks for, and of others that train their networks; no data is needed."""
    configs = sweep.expand()
    wanted = {content_of(config) for config in configs}
    before = {content_of(own) for config in configs if config.trained_on for own in _with_networks(config.trained_on)}
    return len(wanted), len(before - wanted)


def content_of(config: RunConfig) -> str:
    """Return what decides the numbers of a run, without its code and data, as text: equal for equal ones."""
    return json.dumps(config.identifying(), sort_keys=True)


@dataclass(frozen=True)
class Plan:
    """Runs of a sweep without duplicates; a run comes after the run that trains its network."""

    sweep: SweepConfig
    runs: tuple[PlannedRun, ...]

    @property
    def doable(self) -> list[PlannedRun]:
        """Runs whose data is there and whose model can do the task."""
        return [run for run in self.runs if not run.problem]

    def by_key(self) -> dict[str, PlannedRun]:
        """Return the runs that have an id, by key."""
        return {run.key: run for run in self.runs if run.run_id}

    def part(self, runs: Iterable[PlannedRun]) -> "Plan":
        """Return a plan of some of its runs, with those that train their networks, done or not.

        Without these, submit could not tell that the network of a run is there, or is being trained.
        """
        every = self.by_key()
        keys: set[str] = set()
        for run in runs:
            key: str | None = run.key
            while key in every and key not in keys:
                keys.add(key)
                key = every[key].trained_on
        return Plan(self.sweep, tuple(run for run in self.runs if run.run_id and run.key in keys))


def make_plan(sweep: SweepConfig, data_root: Path) -> Plan:
    """Expand a sweep and compute the ids of its runs; no data is fetched.

    Raises:
        UserError: if a run of the sweep is not valid.
    """
    planner = _Planner(sweep, data_root)
    found: dict[str, PlannedRun] = {}
    for config in sweep.expand():
        for run in planner.with_trained_on(config):
            place = run.key if run.run_id else content_of(run.config)
            known = found.get(place)
            found[place] = run if known is None or run.is_wanted else known
    runs = _told_apart(list(found.values()))
    return Plan(sweep, tuple(sorted(runs, key=lambda run: run.config.trained_on is not None)))


def _told_apart(runs: Sequence[PlannedRun]) -> list[PlannedRun]:
    """Return the runs with a variant wherever several would have the same title."""
    by_title: dict[str, list[int]] = defaultdict(list)
    for index, run in enumerate(runs):
        by_title[run.title].append(index)
    distinct = list(runs)
    for same in by_title.values():
        if len(same) == 1:
            continue
        settings = [leaves(runs[index].config.identifying()) for index in same]
        values: dict[str, Counter[str]] = defaultdict(Counter)  # how often a setting has a value, both as text
        for own in settings:
            for name, value in own.items():
                values[name][repr(value)] += 1
        differing = {name for name, found in values.items() if max(found.values()) < len(same)}
        for index, own in zip(same, settings, strict=True):
            variant = ", ".join(f"{name}={as_text(value)}" for name, value in own.items() if name in differing)
            distinct[index] = replace(runs[index], variant=variant)
    return distinct


@dataclass
class _Planner:
    """Computes ids of runs; what depends on task, model and options alone is looked up once."""

    sweep: SweepConfig
    data_root: Path
    _known: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    def with_trained_on(self, config: RunConfig, *, wanted: bool = True) -> Iterator[PlannedRun]:
        """Yield the run, preceded by the runs that train its network."""
        before: PlannedRun | None = None
        if config.trained_on:
            for before in self.with_trained_on(config.trained_on, wanted=False):
                yield before
        place = _place(config)
        missing = self._once(("missing", place), lambda: config.task_plugin.missing(self.data_root))
        absent = self._once(("library", config.model.name), config.model_plugin.missing)
        plugins = tuple((id(one.task_plugin), id(one.model_plugin)) for one in _with_networks(config))
        unsuited = self._once(("unsuited", plugins), lambda: unsupported(config))
        problem = unsuited or missing or absent or (before.problem if before else None)
        identity = None if missing or (before and not before.run_id) else self._identity(config)
        yield PlannedRun(
            config=config,
            profile=self.sweep.profile_of(config),
            run_id=identity.run_id if identity else None,
            trained_on=before.key if before and before.run_id else None,
            problem=problem,
            is_unsuited=unsuited is not None,
            is_wanted=wanted,
            settings=self._settings(config, identity) if identity else "",
        )

    def _identity(self, config: RunConfig) -> Identity:
        before = self._identity(config.trained_on) if config.trained_on else None
        data = self._once(("data", _place(config)), lambda: fingerprint_of(config, self.data_root))
        code = self._once(("code", config.task.name, config.model.name), lambda: code_of(config))
        return Identity.of(config, data, before, code)

    def _settings(self, config: RunConfig, identity: Identity) -> str:
        """Return the settings of its series as text, made once for all seeds: these share their plug-ins."""
        plugins = tuple((id(one.task_plugin), id(one.model_plugin)) for one in _with_networks(config))
        return self._once(("settings", plugins), lambda: settings_of(identity.as_dict()))

    def _once(self, key: tuple[Any, ...], look_up: Callable[[], T]) -> T:
        if key not in self._known:
            self._known[key] = look_up()
        found: T = self._known[key]
        return found


def _with_networks(config: RunConfig) -> Iterator[RunConfig]:
    """Yield the run, then those that train its network."""
    yield config
    if config.trained_on:
        yield from _with_networks(config.trained_on)


def _place(config: RunConfig) -> str:
    return json.dumps([config.task.name, config.task.options, config.scale, config.skip_unreadable], sort_keys=True)


def require_data(plan: Plan) -> None:
    """Check that the data of all runs is there, and the libraries of their models.

    Raises:
        UserError: for the first run that lacks something; the message says how to get it.
    """
    for run in plan.runs:
        if run.problem and not run.is_unsuited:
            raise UserError(f"run {run.title}: {run.problem}")
