"""What a sweep comes to on this machine's data and code: its runs with their ids, those that others need first."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nacbench.contracts.task import AnyTask
from nacbench.errors import UserError
from nacbench.recording.store import run_folder
from nacbench.running.config import RunConfig
from nacbench.running.identity import Identity, as_text, leaves
from nacbench.running.runner import unsupported
from nacbench.sweep.config import SweepConfig
from nacbench.sweep.profile import Profile


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """A run of a sweep, or one that another takes its network from.

    Attributes:
        config: what to compute.
        profile: with what resources.
        run_id: None where its data is missing, as the id depends on it.
        trained_on: the key of the run that its network is taken from.
        problem: why it cannot be done here: data is missing, or the model cannot do the task.
        is_unsuited: whether the problem is the model's.
        is_wanted: whether the sweep's file asks for it; else it is there for another.
        variant: the settings that tell it from other runs of the plan with its task, model and seed; mostly empty.
    """

    config: RunConfig
    profile: Profile
    run_id: str | None
    trained_on: str | None = None
    problem: str | None = None
    is_unsuited: bool = False
    is_wanted: bool = True
    variant: str = ""

    @property
    def key(self) -> str:
        """``task/model/run id``: where it lies in a store."""
        return f"{self.config.task.name}/{self.config.model.name}/{self.run_id}"

    @property
    def title(self) -> str:
        """For people."""
        names = (self.config.task.name, self.config.model.name, f"seed {self.config.seed}", self.variant)
        return " · ".join(filter(None, names))

    def folder(self, store: Path) -> Path:
        """Where it lies, or will."""
        assert self.run_id is not None
        return run_folder(store, self.config.task.name, self.config.model.name, self.run_id)


@dataclass(frozen=True)
class Plan:
    """A sweep's runs, each once; a run stands after the one that it takes its network from."""

    sweep: SweepConfig
    runs: tuple[PlannedRun, ...]

    @property
    def doable(self) -> list[PlannedRun]:
        """Those that have an id, and a model that can do the task."""
        return [run for run in self.runs if not run.problem]

    def by_key(self) -> dict[str, PlannedRun]:
        """Those that have an id."""
        return {run.key: run for run in self.runs if run.run_id}


def make_plan(sweep: SweepConfig, data_root: Path) -> Plan:
    """Expand a sweep and identify its runs; nothing is fetched.

    Raises:
        UserError: if the sweep's file asks for what cannot be.
    """
    planner = _Planner(sweep, data_root)
    found: dict[str, PlannedRun] = {}
    for config in sweep.expand():
        for run in planner.with_trained_on(config):
            place = run.key if run.run_id else json.dumps(run.config.as_dict(), sort_keys=True)
            known = found.get(place)
            found[place] = run if known is None or run.is_wanted else known
    runs = _told_apart(list(found.values()))
    return Plan(sweep, tuple(sorted(runs, key=lambda run: run.config.trained_on is not None)))


def _told_apart(runs: Sequence[PlannedRun]) -> list[PlannedRun]:
    """The runs, with what tells them from those that would have the same title."""
    by_title: dict[str, list[dict[str, Any]]] = defaultdict(list)
    settings = [leaves(run.config.as_dict()) for run in runs]
    for run, own in zip(runs, settings, strict=True):
        by_title[run.title].append(own)
    told = []
    for run, own in zip(runs, settings, strict=True):
        alike = by_title[run.title]
        names = [name for name in own if any(other.get(name) != own[name] for other in alike)]
        told.append(replace(run, variant=", ".join(f"{name}={as_text(own[name])}" for name in names)))
    return told


@dataclass
class _Planner:
    """Identifies runs; what is the same for many is looked up once."""

    sweep: SweepConfig
    data_root: Path
    _fingerprints: dict[str, str] = field(default_factory=dict)
    _missing: dict[str, str | None] = field(default_factory=dict)

    def with_trained_on(self, config: RunConfig, *, wanted: bool = True) -> Iterator[PlannedRun]:
        """The run after those that it needs."""
        before: PlannedRun | None = None
        if config.trained_on:
            for before in self.with_trained_on(config.trained_on, wanted=False):
                yield before
        task = config.task_plugin
        missing = self._what_is_missing(task, config)
        unsuited = unsupported(config)
        problem = unsuited or missing or (before.problem if before else None)
        identity = None if missing or (before and not before.run_id) else self._identity(config, task)
        yield PlannedRun(
            config=config,
            profile=self.sweep.profile_of(config),
            run_id=identity.run_id if identity else None,
            trained_on=before.key if before and before.run_id else None,
            problem=problem,
            is_unsuited=unsuited is not None,
            is_wanted=wanted,
        )

    def _identity(self, config: RunConfig, task: AnyTask) -> Identity:
        trained = config.trained_on
        before = self._identity(trained, trained.task_plugin) if trained else None
        place = _place(config)
        if place not in self._fingerprints:
            self._fingerprints[place] = task.fingerprint(self.data_root)
        return Identity.of(config, self._fingerprints[place], before)

    def _what_is_missing(self, task: AnyTask, config: RunConfig) -> str | None:
        place = _place(config)
        if place not in self._missing:
            self._missing[place] = task.missing(self.data_root)
        return self._missing[place]


def _place(config: RunConfig) -> str:
    return json.dumps([config.task.name, config.task.options, config.scale], sort_keys=True)


def require_data(plan: Plan) -> None:
    """Raise for the first run whose data is missing.

    Raises:
        UserError: with what would bring it.
    """
    for run in plan.runs:
        if run.problem and not run.is_unsuited:
            raise UserError(f"run {run.title}: {run.problem}")
