"""Floors of scores: guessing, the most frequent class, and models that learn nothing deep (``floor-…``).

A score says something about a model only if it lies above them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from nacbench.contracts.metric import ACCURACY, Metric
from nacbench.recording.row import Run
from nacbench.reporting.names import scored_on
from nacbench.reporting.series import Series, by_cell, common_unit, group
from nacbench.reporting.significance import ADDED, ADDED_RULE
from nacbench.statistics import Mean

MODELS = "floor-"  # beginning of the names of models that are floors
MARK = "‡"
RULE = (
    f"{MARK}: not shown to be better than the floors, which are chance, always giving the most frequent class, and the "
    f"models {MODELS}…: the 95 % interval is not wholly better than a guess, the paired difference over seeds does not "
    "exclude that a floor's model is as good (a single seed is compared by its interval over test examples), or there "
    "is no interval. Constant: all predictions of a run are the same class."
)


@dataclass(frozen=True)
class Floor:
    """A score that a model has to be better than.

    Attributes:
        name: for readers.
        value: the score.
        series: of a model, whose seeds are compared with those of others; None of a guess, which has no seeds.
    """

    name: str
    value: float
    series: Series | None = None


class Guesses(NamedTuple):
    """Accuracy of guessing, and of always giving the most frequent class; NaN where unknown."""

    chance: float
    majority: float


def guesses(item: Series, metric: str | None = None) -> Guesses:
    """Return the scores of guesses in a metric, by default the main one: they are known of an accuracy alone."""
    if (metric or item.first.metric).partition("/")[0] != ACCURACY.name:
        return Guesses(math.nan, math.nan)
    return Guesses(item.first.chance, item.first.majority)


def _examples(item: Series) -> tuple[Any, ...]:
    """Return what examples a series is scored on, at what scale."""
    first = item.first
    return first.fingerprint, first.scored, scored_on(first.notes), first.scale


def is_floor(item: Series) -> bool:
    """Whether a series is of a model that learns nothing deep."""
    return item.first.model.startswith(MODELS)


def with_floors(series: Sequence[Series], runs: Iterable[Run]) -> list[Series]:
    """Return series that know the floors of their examples among runs that are not shown.

    Whoever looks at some models only is told no less of what their scores are worth.

    Args:
        series: what is shown.
        runs: all finished runs.
    """
    shown = {item.first.series for item in series}
    others = group(run for run in runs if run.model.startswith(MODELS) and run.series not in shown)
    by_examples: dict[tuple[Any, ...], list[Series]] = {}
    for floor in others:
        by_examples.setdefault(_examples(floor), []).append(floor)
    return [replace(item, floors=by_examples.get(_examples(item), ())) for item in series]


class Floors:
    """Floors of every task and scale.

    Args:
        series: all series of a report; those that are no rows of it come with them, see `with_floors`.
        called: what figures call the line of the best one.
        metric: in which they are meant if none is named; None for the main metric of each series.
    """

    def __init__(self, series: Sequence[Series], called: str = "best floor", metric: str | None = None) -> None:
        self.called = called
        self._metric = metric
        self._units_differ = common_unit(series) is None
        besides = {id(floor): floor for item in series for floor in item.floors}
        self._models: Mapping[tuple[str, str], Sequence[Series]] = by_cell(
            [*filter(is_floor, series), *besides.values()]
        )
        self._by_examples: dict[tuple[Any, ...], list[Series]] = {}
        for own in self._models.values():
            for item in own:
                self._by_examples.setdefault(_examples(item), []).append(item)

    def of(self, item: Series, metric: str | None = None) -> list[Floor]:
        """Return the floors of a series, the best last; none if nothing is known.

        Args:
            item: the series. Of a model that is a floor itself, only chance and the most frequent class count.
            metric: of the whole task.
        """
        metric = metric or self._metric or item.first.metric
        chance, majority = guesses(item, metric)
        named = (("most frequent class", majority), ("chance", chance))  # of equal ones the last: the simpler name
        found = [Floor(name, value) for name, value in named if not math.isnan(value)]
        for other in self._floor_models(item) if self._models and not is_floor(item) else ():
            mean = other.metric(metric)
            if mean is not None:
                found.append(Floor(other.label, mean.value, other))
        return sorted(found, key=lambda floor: self.measure(item, metric).gain(floor.value))

    def measure(self, item: Series, metric: str | None = None) -> Metric:
        """Return what the floors of a series mean; other metrics than the main one that have floors are accuracies."""
        return item.measure if (metric or self._metric) in (None, item.first.metric) else ACCURACY

    def _floor_models(self, item: Series) -> Sequence[Series]:
        """Return the floors among the models of a task; of one that has none, those on the same examples.

        No floor is pruned, say, but a pruned network is scored on the examples of the task that trained it.
        """
        own = self._models.get((item.first.task_label, item.first.scale), ())
        return own or self._by_examples.get(_examples(item), ())

    def highest(self, items: Sequence[Series], metric: str | None = None) -> Floor | None:
        """Return the best floor of the series of one task and scale; None if nothing is known."""
        found = [self.of(item, metric)[-1:] for item in items]
        measure = self.measure(items[0], metric)
        return max((floor for own in found for floor in own), key=lambda floor: measure.gain(floor.value), default=None)

    def marked(self, item: Series, mean: Mean | None = None, metric: str | None = None) -> str:
        """Return a score with its interval, marked if it is not shown to exceed its floor, or if seeds were added.

        Where scores of a report have different units, the name of the metric and its unit are told, too.

        Args:
            item: the series.
            mean: the score, if it is not that of the series on the whole task.
            metric: metric whose floors count.
        """
        metric = metric or self._metric
        measure = self.measure(item, metric)
        text = measure.text(mean or item.score)
        if self._units_differ and metric is None:
            text = f"{measure.name} {measure.with_unit(text)}"
        text = f"{text} {ADDED}" if item.is_adaptive else text
        return text if self.are_exceeded(item, mean, metric) else f"{text} {MARK}"

    def are_exceeded(self, item: Series, mean: Mean | None = None, metric: str | None = None) -> bool:
        """Whether a score is shown to be better than all its floors; arguments are those of `marked`."""
        metric = metric or self._metric
        measure = self.measure(item, metric)
        return all(_is_better(item, measure, mean or item.score, floor) for floor in self.of(item, metric))

    def notes(self, items: Iterable[Series]) -> list[str]:
        """Return lines below a table with these rows: the rules of the marks, and the floors of each task."""
        items = list(items)
        lines = []
        for (task, _), rows in by_cell(items).items():
            deep = [item for item in rows if not is_floor(item)] or rows
            told = dict.fromkeys(filter(None, map(self._listed, deep)))
            unit = self.measure(rows[0]).shown_unit
            lines += [f"{task}: floors{unit and f' in {unit}'}: {'; or '.join(told)}."] if told else []
        return [*([RULE] if lines else []), *([ADDED_RULE] if any(item.is_adaptive for item in items) else []), *lines]

    def _listed(self, item: Series) -> str:
        return ", ".join(f"{floor.name} {self.measure(item).number(floor.value)}" for floor in self.of(item))


def constant(item: Series) -> str:
    """Return `` (constant)`` if all runs of a series answer with one class each, or how many do; otherwise nothing."""
    count = sum(run.constant for run in item.runs)
    if not count:
        return ""
    return " (constant)" if count == len(item.runs) else f" ({count} of {len(item.runs)} constant)"


def _is_better(item: Series, measure: Metric, mean: Mean, floor: Floor) -> bool:
    """Whether a score is shown to be better than a floor; without an interval nothing is shown.

    A model's seeds are compared with those of a floor that is a model, as ``nacbench compare`` does; where they share
    less than two, and for guesses, the score's interval decides.
    """
    if floor.series is not None and mean is item.score:
        difference = item.against(floor.series)
        if difference is not None and difference.count > 1:
            low, high = difference.interval
            return measure.gain(low if measure.better == "higher" else high) > 0  # false for NaN
    found = _interval(item, mean)
    if found is None:
        return False
    low, high = found
    return measure.gain((low if measure.better == "higher" else high) - floor.value) > 0


def _interval(item: Series, mean: Mean) -> tuple[float, float] | None:
    """Return a score's 95 % interval over seeds; of a single seed over independent test examples, or None."""
    if not math.isnan(mean.half_width):
        return mean.value - mean.half_width, mean.value + mean.half_width
    return item.over_examples if mean is item.score else None
