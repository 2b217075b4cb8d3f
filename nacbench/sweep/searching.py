"""Carry out the searches of a sweep: which runs are due by the records, and their submission until nothing is left.

All state is in the records. A plan has every run that a search may come to; ``reached`` keeps those that the finished
rungs lead to, so that the other commands of ``nacbench sweep`` see these and no others.

A trial on a higher rung is another run, from scratch: its learning rate falls over more epochs, so that the shorter run
is not the beginning of the longer one.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from nacbench.errors import UserError
from nacbench.filesystem.files import utc_now
from nacbench.formats.dotted import leaves
from nacbench.machine import slurm
from nacbench.recording.index import Runs, look_at_runs
from nacbench.recording.record import Cause
from nacbench.recording.row import Run
from nacbench.recording.searches import Point, Search, begin
from nacbench.reporting.searched import Searched, states_of
from nacbench.sweep.block import Block, Trial
from nacbench.sweep.failure_files import note_failures
from nacbench.sweep.observer import Observer
from nacbench.sweep.plan import Place, Plan, PlannedRun, content_of
from nacbench.sweep.search import ENDING
from nacbench.sweep.starting import OUTSIDE, POLL_SECONDS, Starter
from nacbench.sweep.state import LIVE, Standing
from nacbench.sweep.submission import sole_submitter
from nacbench.sweep.submitting import Say


def searches_in(plan: Plan) -> list[Search]:
    """Return the searches of a plan, one for each model and task; those that cannot be done here are left out.

    Raises:
        UserError: if ``exclude`` leaves out a part of a search: the model would then have fewer trials than others.
    """
    planned = {content_of(run.config): run for run in plan.runs}
    cells: dict[tuple[int, str, str], list[tuple[Trial, list[PlannedRun | None]]]] = defaultdict(list)
    blocks: dict[int, Block] = {}
    for block, trial, configs in plan.sweep.searched():
        blocks[id(block)] = block
        runs = [planned.get(content_of(config)) for config in configs]
        cells[id(block), trial.task, trial.model].append((trial, runs))
    found: dict[str, Search] = {}
    for (place, task, model), tried in cells.items():
        runs = [run for _, own in tried for run in own]
        there = [run for run in runs if run is not None]
        if there and len(there) < len(runs):
            raise UserError(
                f"exclude leaves out {len(runs) - len(there)} of {len(runs)} runs of the search for {model} on {task}, "
                "which would shrink its budget alone; exclude whole models or tasks"
            )
        if there and not any(run.problem or run.run_id is None for run in there):
            search = _search(plan.sweep.name, blocks[place], tried, there[0])
            found[search.file_name] = search
    return list(found.values())


def _search(
    sweep: str, block: Block, tried: Sequence[tuple[Trial, Sequence[PlannedRun | None]]], first: PlannedRun
) -> Search:
    assert block.search is not None
    points: dict[int, dict[str, Any]] = {}
    runs: dict[int, list[tuple[str, ...]]] = defaultdict(list)
    for trial, own in tried:  # in the order of rungs
        points[trial.number] = trial.point
        runs[trial.number].append(tuple(str(run.run_id) for run in own if run is not None))
    config = first.config
    space = block.search.space_of(config.model.name)
    return Search(
        sweep=sweep,
        began=utc_now(),
        method=block.search.method,
        task=config.task.name.removesuffix(ENDING),
        model=config.model.name,
        size=config.model.size,
        scale=config.scale,
        seed=block.search.seed,
        seeds=block.seeds,
        space={name: space[name].text for name in sorted(space)},
        by=block.search.by,
        budgets=tuple(trial.budget for trial, _ in tried if trial.number == 0),
        sizes=tuple(block.search.sizes),
        lose=block.search.lose,
        points=tuple(Point(settings=points[number], runs=tuple(runs[number])) for number in sorted(points)),
    )


@dataclass(frozen=True)
class Hunt:
    """The searches of a plan at one moment.

    Attributes:
        plan: the runs that have been reached, and those of the sweep that belong to no search.
        states: of the searches.
        seconds: core-seconds of all trials that have not ended, those of later rungs among them, by finished runs of
            the same model and task; of those that can be estimated.
        unknown: number of searches that cannot be.
    """

    plan: Plan
    states: Sequence[Searched]
    seconds: float = 0.0
    unknown: int = 0


def look(plan: Plan, place: Place, searches: Sequence[Search]) -> Hunt:
    """Return the searches of a plan by the finished runs and failures of the store."""
    found = look_at_runs(place.store) if place.store.is_dir() else Runs([])
    states = states_of(searches, found.runs, found.failures)
    hidden = {run_id for search in searches for run_id in search.run_ids}
    hidden -= {run_id for state in states for run_id in _reached(state)}
    runs = tuple(run for run in plan.runs if run.run_id not in hidden)
    ahead = _ahead(states, found.runs)
    known = sum(one for one in ahead if one is not None)
    return Hunt(Plan(plan.sweep, runs), states, known, ahead.count(None))


def _reached(state: Searched) -> Iterable[str]:
    for rung, one in enumerate(state.rungs):
        for result in one.results:
            yield from state.search.points[result.number].runs[rung]


def _ahead(states: Sequence[Searched], runs: Iterable[Run]) -> list[float | None]:
    """Return the core-seconds of what is left of each search; None if no run of the model on the task is done."""
    rates: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for run in runs:
        settings = leaves(json.loads(run.settings))
        for by in {state.search.by for state in states}:
            budget = settings.get(by)
            if isinstance(budget, int) and budget > 0:
                task = run.task.removesuffix(ENDING)
                rates[by, task, run.model, run.model_size, run.scale].append(run.core_seconds / budget)
    ahead: list[float | None] = []
    for state in states:
        own, left = state.search, budget_left(state)
        known = rates.get((own.by, *own.place))
        ahead.append(0.0 if not left else median(known) * left if known else None)
    return ahead


def budget_left(state: Searched) -> int:
    """Return the sum of budgets of all trials that have not ended, those of later rungs among them."""
    own = state.search
    ended = sum(rung.budget for rung in state.rungs for result in rung.results if result.is_over)
    return own.budget - ended * len(own.seeds)


@dataclass
class Searcher:
    """Carries out the searches of a plan.

    Attributes:
        plan: with every run that they may come to.
        place: store and data.
        say: called with lines of progress of the runs.
        show: called with each new situation.
        warn: called with lines about files that cannot be read.
        retried: causes of failure whose runs are started again.
    """

    plan: Plan
    place: Place
    say: Say
    show: Callable[[Hunt], None] = lambda hunt: None
    warn: Callable[[Sequence[str]], None] = lambda lines: None
    retried: tuple[Cause, ...] = OUTSIDE

    def run(self) -> Hunt:
        """Start what is due until nothing is; return the last situation.

        Raises:
            UserError: if Slurm refuses, or is not on this machine and has some of the runs.
        """
        searches = searches_in(self.plan)
        starter = Starter(self.plan, self.place, self.say, self.warn, self.retried)
        with sole_submitter(self.place.store, "searcher", "searches in"):
            begin(self.place.store, searches)
            pause = POLL_SECONDS[0]
            while True:
                hunt, standings = self._look(searches, starter)
                due = [run for run in hunt.plan.doable if starter.is_due(run, standings[run.key])]
                if due and starter.start(due):
                    pause = POLL_SECONDS[0]
                elif due or any(standings[run.key].state in (*LIVE, "unknown") for run in hunt.plan.doable):
                    time.sleep(pause)
                    pause = min(pause * 1.5, POLL_SECONDS[1])
                else:
                    return hunt

    def _look(self, searches: Sequence[Search], starter: Starter) -> tuple[Hunt, dict[str, Standing]]:
        """Return the situation, and the state of every run by key."""
        observer = Observer(self.place.store)
        # states before records: a run that ends in between is live, and is looked at once more
        standings = observer.standings(self.plan.runs)
        starter.look(observer, standings)
        note_failures(self.plan, self.place, observer, standings)
        hunt = look(self.plan, self.place, searches)
        self.show(hunt)
        silence = [f"{observer.silence}; waiting for it"] if observer.is_silent and slurm.is_available() else []
        self.warn([*observer.broken, *silence])
        return hunt, standings
