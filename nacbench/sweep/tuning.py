"""Hyper-parameter tuning: choose for each model and task the settings with the best validation score.

The runs are of ``X-tuning`` tasks (`nacbench.protocols.tuning`), which do not read test examples. A task is left out
unless all its models were tried with the same settings and seeds, and treated equally: a larger budget finds better
settings. So is one whose trials are of different code or data, as where more values were tried later. A trial that
diverged counts as the worst, as in a search: it was tried, and tells that its settings are bad.
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
from nacbench.protocols.grid import is_at_edge
from nacbench.recording.row import Run
from nacbench.reporting.floors import Floors
from nacbench.reporting.mixture import mixtures
from nacbench.reporting.searched import Searched
from nacbench.reporting.series import group
from nacbench.reporting.treatment import differences, in_words
from nacbench.statistics import Mean, t_interval
from nacbench.sweep.lost_trials import LostTrial
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
        score: mean over seeds on validation examples; None if the trial of a seed diverged.
        nll: mean negative log-likelihood on validation examples in nats; infinite if runs do not have it.
        seeds: that were tried.
        runs: that were finished.
    """

    settings: Mapping[str, Any]
    score: Mean | None
    nll: float
    seeds: frozenset[int]
    runs: Sequence[Run]


@dataclass(frozen=True)
class Tuned:
    """All settings that were tried for a model on a task.

    Attributes:
        cell: model and task.
        metric: what their scores mean.
        tried: sorted by their values; at least two, one of them with a score, if one can be chosen.
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
        return min(self.tried, key=lambda tried: (self._order(tried), tried.nll))

    def _order(self, tried: Tried) -> float:
        return math.inf if tried.score is None else self.metric.order(tried.score.value)

    @property
    def is_above_guessing(self) -> bool:
        """Whether the best settings are shown to be above guessing; otherwise noise may have chosen them.

        By the rule of ‡ in tables; it is always true where guesses are not known, as of metrics that are no accuracy.
        """
        return all(Floors([item]).are_exceeded(item) for item in group(self.best.runs))

    @property
    def at_the_edge(self) -> list[str]:
        """Names of settings whose best value is the smallest or largest of those tried, if none inside is as good."""
        if self.searched is not None:
            return self.searched.at_the_edge
        best = self._order(self.best)
        equals = [tried.settings for tried in self.tried if self._order(tried) == best]
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


def tuning_of(runs: Iterable[Run], diverged: Iterable[LostTrial] = ()) -> TuningResult:
    """Choose settings from these runs and trials that diverged; those of other tasks are ignored.

    Raises:
        UserError: if none is a run of an ``X-tuning`` task.
    """
    runs, diverged = list(runs), list(diverged)
    over = finished_later(diverged, runs)
    by_cell: dict[Cell, tuple[list[Run], list[LostTrial]]] = defaultdict(lambda: ([], []))
    for run in runs:
        if run.task.endswith(ENDING):
            by_cell[cell_of(run)][0].append(run)
    for trial in diverged:
        if trial.run_id not in over:
            by_cell[cell_of(trial)][1].append(trial)
    if not by_cell:
        raise UserError(f"no runs of tasks that end in {ENDING}; start some with: nacbench sweep submit mini-tuning")
    tuned: list[Tuned] = []
    hopeless: list[Cell] = []
    for cell, (own, lost) in sorted(by_cell.items(), key=lambda item: item[0]):
        tried = _tried(own, lost)
        if any(one.score is not None for one in tried):
            tuned.append(Tuned(cell, own[0].measure, tried, _epochs(own)))
        else:
            hopeless.append(cell)
    return _with_the_same_budget(tuned, hopeless)


def finished_later(trials: Iterable[LostTrial], runs: Iterable[Run]) -> set[str]:
    """Return the ids of trials that failed, and were finished with other code or data, under another id."""
    done = {_trial(run) for run in runs if run.task.endswith(ENDING)}
    return {trial.run_id for trial in trials if _trial(trial) in done}


def _trial(run: Run | LostTrial) -> tuple[Cell, int, str]:
    return cell_of(run), run.seed, json.dumps(_settings(run), sort_keys=True)


def cell_of(run: Run | LostTrial) -> Cell:
    """Return the model and task that a tuning run belongs to."""
    return Cell(run.task.removesuffix(ENDING), run.model, run.model_size, run.scale)


def _tried(runs: Sequence[Run], diverged: Sequence[LostTrial]) -> list[Tried]:
    """Group the trials of one cell by the settings in which they differ, and score each group."""
    done = [(run.seed, _settings(run)) for run in runs]
    lost = [(trial.seed, _settings(trial)) for trial in diverged]
    every = [settings for _, settings in (*done, *lost)]
    names = sorted({name for one in every for name in one if any(other.get(name) != one[name] for other in every)})
    groups: dict[str, tuple[dict[str, Any], list[Run], set[int]]] = {}
    for run, (seed, settings) in zip((*runs, *[None] * len(lost)), (*done, *lost), strict=True):
        own = {name: settings[name] for name in names if name in settings}
        _, finished, without = groups.setdefault(json.dumps(own, sort_keys=True), (own, [], set()))
        if run is not None:
            finished.append(run)
        else:
            without.add(seed)
    found = [
        Tried(
            settings=settings,
            score=None if without else t_interval([run.score for run in finished]),
            nll=fmean(run.numbers().get("nll", math.inf) for run in finished) if finished else math.inf,
            seeds=frozenset(run.seed for run in finished) | without,
            runs=finished,
        )
        for settings, finished, without in groups.values()
    ]
    return sorted(found, key=lambda tried: [_order(value) for value in tried.settings.values()])


def _order(value: Any) -> tuple[bool, float, str]:
    """Return a key that sorts numbers by size, before everything else by its text."""
    return (False, value, "") if _is_number(value) else (True, 0.0, as_text(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _settings(run: Run | LostTrial) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(run.settings)
    return {name: value for name, value in leaves(content).items() if not name.startswith(COMPUTED)}


def _epochs(runs: Sequence[Run]) -> int:
    """Return the most epochs of a run; 0 if no recipe counts in epochs."""
    found = [json.loads(run.settings)["training"].get("epochs") for run in runs]
    return max((epochs for epochs in found if isinstance(epochs, int)), default=0)


def _with_the_same_budget(tuned: Sequence[Tuned], hopeless: Sequence[Cell]) -> TuningResult:
    """Leave out tasks whose models were tried or treated unequally, or whose trials cannot be compared.

    Args:
        tuned: models and tasks with a score.
        hopeless: models and tasks of which each choice of settings has diverged.
    """
    by_task: dict[tuple[str, str], list[Tuned]] = defaultdict(list)
    for one in tuned:
        by_task[one.cell.task, one.cell.scale].append(one)
    for cell in hopeless:
        by_task[cell.task, cell.scale]  # makes an entry for it
    kept: list[Tuned] = []
    lines: list[str] = []
    for (task, scale), models in sorted(by_task.items()):
        budgets = {one.cell: _budget(one) for one in models}
        if none := [cell.model for cell in hopeless if (cell.task, cell.scale) == (task, scale)]:
            lines.append(f"{task}: of {', '.join(none)} all settings that were tried have diverged")
        elif len(set(budgets.values())) > 1:
            given = ", ".join(f"{_called(cell, budgets)} {_count(budget)}" for cell, budget in sorted(budgets.items()))
            lines.append(f"{task}: models were tried with different settings or seeds (runs: {given})")
        elif len({one.seeds for one in models[0].tried}) > 1:
            given = "; ".join(f"{label(one.settings)}: {_listed(one.seeds)}" for one in models[0].tried)
            lines.append(f"{task}: settings were tried with different seeds ({given})")
        elif unequal := _unequal(models):
            lines.append(f"{task}: trials differ in more than the model and what was tried: {unequal}")
        elif mixed := mixtures(run for one in models for tried in one.tried for run in tried.runs):
            way_out = "so that scores of trials cannot be compared; tune each in a folder of its own"
            lines += [f"{line}, {way_out}" for line in mixed]
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


def _listed(seeds: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(seeds)))


def _unequal(models: Sequence[Tuned]) -> str:
    """Return in what trials of the same settings differ besides the model; empty if in nothing."""
    by_settings: dict[str, list[Run]] = defaultdict(list)
    for one in models:
        for tried in one.tried:
            by_settings[json.dumps(tried.settings, sort_keys=True)] += tried.runs
    for runs in filter(None, by_settings.values()):  # none, if all of them diverged
        found = differences(runs, {})
        if distinct := list({tuple(own.items()): own for own in found}.values()) if found[0] else []:
            return in_words(distinct)
    return ""


def _budget(one: Tuned) -> frozenset[tuple[str, frozenset[int]]]:
    return frozenset((json.dumps(tried.settings, sort_keys=True), tried.seeds) for tried in one.tried)


def label(settings: Mapping[str, Any]) -> str:
    """Return settings as text: ``training.lr=0.001, …``."""
    return ", ".join(f"{name}={as_text(value)}" for name, value in settings.items())
