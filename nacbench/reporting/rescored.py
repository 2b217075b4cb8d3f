"""Runs with another metric as their score: one that is recorded, or one that is computed from kept predictions."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from nacbench.contracts.metric import Metric
from nacbench.data.metrics.built_in import BUILT_IN
from nacbench.errors import UserError, unknown
from nacbench.recording.index import Runs
from nacbench.recording.metric_facts import MetricFacts, metric_in
from nacbench.recording.row import Run
from nacbench.reporting.kept import OtherKindError, computed_metric, read_kept


def rescored(runs: Runs, name: str) -> tuple[Runs, list[str]]:
    """Return runs whose score is another metric, and a line for each that has no such score and is left out.

    Everything that is made of runs, such as a report, is then of this metric: order, intervals, bold and units.

    Args:
        runs: finished runs.
        name: of the metric: one that the records hold, or one that is computed from predictions.

    Raises:
        UserError: if no run has it.
    """
    found, left_out = [], []
    for run in runs.runs:
        try:
            found.append(with_metric(run, name))
        except UserError as error:
            left_out.append(f"run {run.run_id} ({run.task}, {run.model}, seed {run.seed}) has no {name}: {error}")
    if not found:
        if not any(name in known for known in (BUILT_IN, *_recorded(runs.runs))):
            raise unknown("metric", name, sorted({*BUILT_IN, *(one for own in _recorded(runs.runs) for one in own)}))
        raise UserError(f"{left_out[0]}" if left_out else f"there is no run with {name}")
    return replace(runs, runs=found), left_out


def of_task(runs: Runs, task: str) -> Runs:
    """Return the runs of one task; all of them, if it has none, so that the reader is told which tasks there are."""
    return replace(runs, runs=[run for run in runs.runs if run.task == task] or runs.runs)


def _recorded(runs: Iterable[Run]) -> list[list[str]]:
    return [list(json.loads(facts)) for facts in dict.fromkeys(run.facts for run in runs)]


def with_metric(run: Run, name: str) -> Run:
    """Return a run whose score is another metric.

    Raises:
        UserError: with the reason why it has none.
    """
    if name == run.metric:
        return run
    described = metric_in(run.facts, name)
    value = run.all_metrics()["test"].get(name) if described else None
    if value is None:
        described, value = _computed(run, name)
    assert described is not None
    facts = {**json.loads(run.facts), name: MetricFacts.of(described).model_dump()}
    metrics = run.all_metrics()
    metrics["test"][name] = value
    return run._replace(metric=name, score=value, facts=json.dumps(facts), metrics=json.dumps(metrics))


def _computed(run: Run, name: str) -> tuple[Metric, float]:
    metric = computed_metric(run, name)
    if metric is None:
        raise UserError("it is not known how to compute it; a task's own metrics need its plug-in (--plugin)")
    value = read_kept(run, metric).value(metric)
    if math.isnan(value):
        raise UserError("it is not defined on these examples")
    return metric, value


def all_metrics(run: Run) -> tuple[Sequence[Run], list[str]]:
    """Return a run once for each metric that it has, and lines on built-in ones that would need more to be kept."""
    found, lines = [], []
    for name in dict.fromkeys([run.metric, *json.loads(run.facts), *BUILT_IN]):
        try:
            found.append(with_metric(run, name))
        except OtherKindError:
            continue
        except UserError as error:
            lines.append(f"no {name}: {error}")
    return found, lines
