"""What tuning decides: of the settings that were tried for a model on a task, those with the best validation score.

The runs are those of ``X-tuning`` tasks (`nacbench.protocols.tuning`), so the test examples have no say. Every model
must have been given the same settings and seeds to try: a task where one has had more than another is left out.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, NamedTuple

import yaml

from nacbench.errors import UserError
from nacbench.recording.index import Run
from nacbench.running.identity import as_text, leaves
from nacbench.statistics import Mean, t_interval

ENDING = "-tuning"
COMPUTED = ("code.", "data", "task_version")  # in a run's identity, but nobody's choice


class Cell(NamedTuple):
    """What is tuned: a model on a task."""

    task: str
    model: str
    size: str
    scale: str


@dataclass(frozen=True)
class Tried:
    """Settings that were tried, and how good they were.

    Attributes:
        settings: by name, as for ``--set``.
        score: on validation examples, over seeds.
        nll: mean negative log-likelihood on them; infinite where runs do not have it.
        seeds: that they were tried with.
    """

    settings: Mapping[str, Any]
    score: Mean
    nll: float
    seeds: frozenset[int]


@dataclass(frozen=True)
class Tuned:
    """What was tried for a model on a task, in order of the settings.

    Attributes:
        cell: model and task.
        tried: at least two.
        epochs: passes over the training examples in each of the runs.
    """

    cell: Cell
    tried: Sequence[Tried]
    epochs: int

    @property
    def best(self) -> Tried:
        """Those with the highest mean score; of equals, those with the lowest negative log-likelihood."""
        return max(self.tried, key=lambda tried: (tried.score.value, -tried.nll))

    @property
    def at_the_edge(self) -> list[str]:
        """Settings whose best value is the smallest or largest of three or more that were tried."""
        names = []
        for name, value in self.best.settings.items():
            values = {tried.settings[name] for tried in self.tried}
            numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
            if numbers and len(values) > 2 and value in (min(values), max(values)):
                names.append(name)
        return names


@dataclass(frozen=True)
class Outcome:
    """All that was tuned.

    Attributes:
        tuned: sorted by task and model.
        left_out: a line for each model or task that nothing can be said of yet.
    """

    tuned: Sequence[Tuned]
    left_out: Sequence[str]


def tuning_of(runs: Iterable[Run]) -> Outcome:
    """What these runs decide.

    Raises:
        UserError: if none of them is one for tuning.
    """
    by_cell: dict[Cell, list[Run]] = defaultdict(list)
    for run in runs:
        if run.task.endswith(ENDING):
            by_cell[Cell(run.task.removesuffix(ENDING), run.model, run.model_size, run.scale)].append(run)
    if not by_cell:
        raise UserError(f"no runs of tasks that end in {ENDING}; start some with: nacbench sweep submit mini-tuning")
    tuned, left_out = [], []
    for cell, own in sorted(by_cell.items()):
        found = _tried(own)
        if len(found) < 2:
            left_out.append(f"{cell.task}, {cell.model}: only one choice of settings has been tried")
        else:
            tuned.append(Tuned(cell, found, _epochs(own)))
    return _with_the_same_budget(tuned, left_out)


def _tried(runs: Sequence[Run]) -> list[Tried]:
    """The settings that differ between runs of one cell, with their scores."""
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
        )
        for some in by_settings.values()
    ]
    return sorted(found, key=lambda tried: [(isinstance(v, str), v) for v in tried.settings.values()])


def _settings(run: Run) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(run.settings)
    return {name: value for name, value in leaves(content).items() if not name.startswith(COMPUTED)}


def _epochs(runs: Sequence[Run]) -> int:
    return max(int(json.loads(run.settings)["training"]["epochs"]) for run in runs)


def _with_the_same_budget(tuned: Sequence[Tuned], left_out: Sequence[str]) -> Outcome:
    """Without the tasks where models were not given the same to try."""
    by_task: dict[tuple[str, str], list[Tuned]] = defaultdict(list)
    for one in tuned:
        by_task[one.cell.task, one.cell.scale].append(one)
    kept, lines = [], list(left_out)
    for (task, _), models in by_task.items():
        budgets = {one.cell.model: _budget(one) for one in models}
        if len(set(budgets.values())) == 1:
            kept += models
        else:
            given = ", ".join(f"{model} {sum(len(seeds) for _, seeds in b)}" for model, b in sorted(budgets.items()))
            lines.append(f"{task}: not all models have had the same to try (runs: {given})")
    return Outcome(kept, lines)


def _budget(one: Tuned) -> frozenset[tuple[str, frozenset[int]]]:
    return frozenset((json.dumps(tried.settings, sort_keys=True), tried.seeds) for tried in one.tried)


def choices_file(outcome: Outcome, written_by: str) -> str:
    """The content of a file for the key ``choices`` of a sweep, with what it was decided by.

    Args:
        outcome: what was decided.
        written_by: the command, for people.
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
            "evidence": {
                "tried": {label(tried.settings): round(tried.score.value, 6) for tried in one.tried},
                "seeds": sorted(one.best.seeds),
                "epochs": one.epochs,
            },
        }
        for one in outcome.tuned
    ]
    head = f"# Written by: {written_by}\n# tried: scores on validation examples; the test examples had no say.\n"
    return head + str(yaml.safe_dump({"choices": choices}, sort_keys=False, width=160))


def label(settings: Mapping[str, Any]) -> str:
    """Settings for people: ``training.lr=0.001, …``."""
    return ", ".join(f"{name}={as_text(value)}" for name, value in settings.items())
