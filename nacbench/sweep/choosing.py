"""Choices by searches: for each model and task the best trial with the whole budget, if all were searched equally."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from nacbench.recording.row import Run
from nacbench.reporting.searched import Result, Searched, latest
from nacbench.reporting.tables.searches import progress
from nacbench.reporting.treatment import differences, in_words
from nacbench.statistics import t_interval
from nacbench.sweep.lost_trials import LostTrial
from nacbench.sweep.tuning import Cell, Tried, Tuned, TuningResult, tuning_of


def choices_of(runs: Sequence[Run], searches: Sequence[Searched], diverged: Iterable[LostTrial] = ()) -> TuningResult:
    """Choose settings from the runs of searches, and from grids of all other runs and trials that diverged.

    Of several searches for a model and task the one counts that began last.

    Raises:
        UserError: if there is no search, and none of the runs is of an ``X-tuning`` task.
    """
    of_searches = {run_id for state in searches for run_id in state.search.run_ids}
    grids = [run for run in runs if run.run_id not in of_searches]
    lost = [trial for trial in diverged if trial.run_id not in of_searches]
    found = tuning_of(grids, lost) if grids or lost or not searches else TuningResult([], [])
    by_task: dict[tuple[str, str], list[Searched]] = defaultdict(list)
    for state in latest(searches):
        by_task[state.search.task, state.search.scale].append(state)
    tuned = [one for one in found.tuned if (one.cell.task, one.cell.scale) not in by_task]
    lines = list(found.left_out)
    for place, states in by_task.items():
        others = [one.cell.model for one in found.tuned if (one.cell.task, one.cell.scale) == place]
        if others:
            lines.append(
                f"{place[0]}: {', '.join(others)} also has runs of no search; tune them in folders of their own"
            )
        elif problem := _problem(states):
            lines.append(f"{place[0]}: {problem}")
        else:
            tuned += [_tuned(state) for state in states]
    return TuningResult(sorted(tuned, key=lambda one: one.cell), lines)


def _problem(states: Sequence[Searched]) -> str:
    """Return why a task cannot be decided; empty if it can."""
    if len({state.search.plan for state in states}) > 1:
        told = ", ".join(f"{state.search.model} {_amount(state)}" for state in states)
        return f"models were searched with different budgets, seeds, methods or spaces ({told})"
    for state in states:
        if state.best is None:
            return f"the search for {state.search.model}: {progress(state)}"
    return _unequal(states)


def _amount(state: Searched) -> str:
    own = state.search
    return f"{own.sizes[0]} trials, {own.method}, {own.by} {own.budget} in all"


def _unequal(states: Iterable[Searched]) -> str:
    """Return in what trials of the same settings and budget differ besides the model; empty if in nothing."""
    same: dict[str, list[Run]] = defaultdict(list)
    for state in states:
        for rung in state.rungs:
            for result in rung.results:
                same[json.dumps([rung.budget, result.settings], sort_keys=True)] += result.runs
    for runs in same.values():
        found = differences(runs, {}) if runs else []
        if found and found[0]:
            distinct = list({tuple(own.items()): own for own in found}.values())
            return f"trials differ in more than the model and what was tried: {in_words(distinct)}"
    return ""


def _tuned(state: Searched) -> Tuned:
    own, metric = state.search, state.metric
    assert metric is not None
    last = [result for result in state.rungs[-1].results if not result.is_lost]
    tried = [
        Tried(
            settings=result.settings,
            score=t_interval([run.score for run in result.runs]),
            nll=result.nll,
            seeds=frozenset(own.seeds),
            runs=result.runs,
        )
        for result in last
    ]
    return Tuned(Cell(*own.place), metric, tried, own.budgets[-1], state)


def rows_of(state: Searched) -> list[dict[str, Any]]:
    """Return all results of a search as plain data."""
    return [
        {**result.settings, "trial": result.number, "rung": number, "budget": rung.budget, "score": _finite(result)}
        for number, rung in enumerate(state.rungs, 1)
        for result in rung.results
    ]


def _finite(result: Result) -> float | None:
    return None if result.is_lost else result.score
