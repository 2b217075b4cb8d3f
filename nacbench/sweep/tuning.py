"""Hyper-parameter tuning: choose for each model and task the settings with the best validation score.

The runs are of ``X-tuning`` tasks (`nacbench.protocols.tuning`), which do not read test examples. A task is left out
unless all its models were tried with the same settings and seeds, and treated equally: a larger budget finds better
settings.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, NamedTuple

from nacbench.contracts.metric import Metric
from nacbench.errors import UserError
from nacbench.formats.dotted import as_text, leaves
from nacbench.formats.yaml_text import as_yaml
from nacbench.protocols.grid import is_at_edge
from nacbench.recording.row import Run
from nacbench.reporting.searched import Searched
from nacbench.reporting.treatment import differences, in_words
from nacbench.statistics import Mean, t_interval
from nacbench.sweep.evidence import evidence
from nacbench.sweep.search import ENDING

COMPUTED = ("code.", "data", "task_version")  # fields of a run's identity that are not settings


class Cell(NamedTuple):
    """A model on a task, whose settings are tuned together."""

    task: str
    model: str
    size: str
    scale: str


@dataclass(frozen=True)
class Tried:
    """Settings that were tried, with their validation score.

    Attributes:
        settings: values by name, as for ``--set``.
        score: mean over seeds on validation examples.
        nll: mean negative log-likelihood on validation examples in nats; infinite if runs do not have it.
        seeds: seeds of the runs.
        runs: the runs.
    """

    settings: Mapping[str, Any]
    score: Mean
    nll: float
    seeds: frozenset[int]
    runs: Sequence[Run]


@dataclass(frozen=True)
class Tuned:
    """All settings that were tried for a model on a task.

    Attributes:
        cell: model and task.
        metric: what their scores mean.
        tried: sorted by their values; at least two, if one of them can be chosen.
        epochs: most passes over the training examples of a run.
        searched: the search that tried them, whose trials with the whole budget ``tried`` has by number; None for a
            grid.
    """

    cell: Cell
    metric: Metric
    tried: Sequence[Tried]
    epochs: int
    searched: Searched | None = None

    @property
    def best(self) -> Tried:
        """Settings with the best mean score; ties are broken by the lowest negative log-likelihood."""
        return min(self.tried, key=lambda tried: (self.metric.order(tried.score.value), tried.nll))

    @property
    def at_the_edge(self) -> list[str]:
        """Names of settings whose best value is the smallest or largest of those tried, if none inside is as good."""
        if self.searched is not None:
            return self.searched.at_the_edge
        best = self.metric.order(self.best.score.value)
        equals = [tried.settings for tried in self.tried if self.metric.order(tried.score.value) == best]
        names = []
        for name in self.best.settings:
            values = [tried.settings[name] for tried in self.tried if name in tried.settings]
            good = [settings[name] for settings in equals if name in settings]
            if all(_is_number(one) for one in values) and all(is_at_edge(values, one) for one in good):
                names.append(name)
        return names


@dataclass(frozen=True)
class TuningResult:
    """Results of tuning.

    Attributes:
        tuned: models and tasks that can be decided.
        left_out: a line for each model or task that cannot be decided, with the reason.
    """

    tuned: Sequence[Tuned]
    left_out: Sequence[str]


def tuning_of(runs: Iterable[Run]) -> TuningResult:
    """Choose settings from these runs; runs of other tasks are ignored.

    Raises:
        UserError: if none is a run of an ``X-tuning`` task.
    """
    by_cell: dict[Cell, list[Run]] = defaultdict(list)
    for run in runs:
        if run.task.endswith(ENDING):
            by_cell[cell_of(run)].append(run)
    if not by_cell:
        raise UserError(f"no runs of tasks that end in {ENDING}; start some with: nacbench sweep submit mini-tuning")
    return _with_the_same_budget(
        [Tuned(cell, own[0].measure, _tried(own), _epochs(own)) for cell, own in sorted(by_cell.items())]
    )


def cell_of(run: Run) -> Cell:
    """Return the model and task that a tuning run belongs to."""
    return Cell(run.task.removesuffix(ENDING), run.model, run.model_size, run.scale)


def _tried(runs: Sequence[Run]) -> list[Tried]:
    """Group the runs of one cell by the settings in which they differ, and score each group."""
    flat = [_settings(run) for run in runs]
    names = sorted({name for one in flat for name in one if any(other.get(name) != one[name] for other in flat)})
    by_settings: dict[str, list[tuple[Run, dict[str, Any]]]] = defaultdict(list)
    for run, settings in zip(runs, flat, strict=True):
        own = {name: settings[name] for name in names if name in settings}
        by_settings[json.dumps(own, sort_keys=True)].append((run, own))
    found = [
        Tried(
            settings=some[0][1],
            score=t_interval([run.score for run, _ in some]),
            nll=fmean(run.numbers().get("nll", math.inf) for run, _ in some),
            seeds=frozenset(run.seed for run, _ in some),
            runs=[run for run, _ in some],
        )
        for some in by_settings.values()
    ]
    return sorted(found, key=lambda tried: [_order(value) for value in tried.settings.values()])


def _order(value: Any) -> tuple[bool, float, str]:
    """Return a key that sorts numbers by size, before everything else by its text."""
    return (False, value, "") if _is_number(value) else (True, 0.0, as_text(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _settings(run: Run) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(run.settings)
    return {name: value for name, value in leaves(content).items() if not name.startswith(COMPUTED)}


def _epochs(runs: Sequence[Run]) -> int:
    """Return the most epochs of a run; 0 if no recipe counts in epochs."""
    found = [json.loads(run.settings)["training"].get("epochs") for run in runs]
    return max((epochs for epochs in found if isinstance(epochs, int)), default=0)


def _with_the_same_budget(tuned: Sequence[Tuned]) -> TuningResult:
    """Leave out tasks whose models were tried with different settings or seeds, or were not treated equally."""
    by_task: dict[tuple[str, str], list[Tuned]] = defaultdict(list)
    for one in tuned:
        by_task[one.cell.task, one.cell.scale].append(one)
    kept: list[Tuned] = []
    lines: list[str] = []
    for (task, _), models in by_task.items():
        budgets = {one.cell: _budget(one) for one in models}
        if len(set(budgets.values())) > 1:
            given = ", ".join(f"{_called(cell, budgets)} {_count(budget)}" for cell, budget in sorted(budgets.items()))
            lines.append(f"{task}: models were tried with different settings or seeds (runs: {given})")
        elif unequal := _unequal(models):
            lines.append(f"{task}: trials differ in more than the model and what was tried: {unequal}")
        elif len(models[0].tried) < 2:
            lines += [f"{task}, {one.cell.model}: only one choice of settings has been tried" for one in models]
        else:
            kept += models
    return TuningResult(kept, lines)


def _called(cell: Cell, others: Iterable[Cell]) -> str:
    """Return the model's name, with its size if it was tried in several."""
    several = len({other.size for other in others if other.model == cell.model}) > 1
    return f"{cell.model} ({cell.size})" if several else cell.model


def _count(budget: frozenset[tuple[str, frozenset[int]]]) -> int:
    return sum(len(seeds) for _, seeds in budget)


def _unequal(models: Sequence[Tuned]) -> str:
    """Return in what the trials of the same settings differ besides the model; empty if in nothing."""
    by_settings: dict[str, list[Run]] = defaultdict(list)
    for one in models:
        for tried in one.tried:
            by_settings[json.dumps(tried.settings, sort_keys=True)] += tried.runs
    for runs in by_settings.values():
        found = differences(runs, {})
        if distinct := list({tuple(own.items()): own for own in found}.values()) if found[0] else []:
            return in_words(distinct)
    return ""


def _budget(one: Tuned) -> frozenset[tuple[str, frozenset[int]]]:
    return frozenset((json.dumps(tried.settings, sort_keys=True), tried.seeds) for tried in one.tried)


def choices_file(outcome: TuningResult, written_by: str) -> str:
    """Return a YAML file for the key ``choices`` of a sweep, with the scores that the choices are based on.

    Args:
        outcome: the choices.
        written_by: the command that wrote it, for readers.
    """
    choices = [
        {
            "when": {
                "task": one.cell.task,
                "model": one.cell.model,
                "model.size": one.cell.size,
                "scale": one.cell.scale,
            },
            "use": dict(one.best.settings),
            "evidence": evidence(one.searched) if one.searched is not None else _evidence(one),
        }
        for one in outcome.tuned
    ]
    head = f"# Written by: {written_by}\n# tried: scores on validation examples; test examples were not read.\n"
    return head + as_yaml({"choices": choices}, width=160)


def _evidence(one: Tuned) -> dict[str, Any]:
    return {
        "tried": {label(tried.settings): round(tried.score.value, 6) for tried in one.tried},
        "seeds": sorted(one.best.seeds),
        "epochs": one.epochs,
        **({"at_the_edge": one.at_the_edge} if one.at_the_edge else {}),
    }


def label(settings: Mapping[str, Any]) -> str:
    """Return settings as text: ``training.lr=0.001, …``."""
    return ", ".join(f"{name}={as_text(value)}" for name, value in settings.items())
