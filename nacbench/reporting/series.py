"""Series of runs that differ only in their seed; a series is a row of a table, with a mean and an interval."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from nacbench.formats.dotted import leaves
from nacbench.recording.row import Run
from nacbench.reporting.names import defaults_of, has_usual_size, shown, sized, told_apart
from nacbench.statistics import Difference, Mean, paired_difference, t_interval

UNNAMED = ("task.name", "model.name", "model.size", "scale")  # not part of a variant: rows have them in other places


@dataclass(frozen=True)
class Series:
    """Runs that differ only in their seed.

    Attributes:
        runs: one for each seed, sorted by seed.
        differing: settings by name, as text, in which this series differs from others of the same task, model, size and
            scale; empty if it is the only one.
        told: what the label tells of these, in short, by name; nothing for the plain variant.
    """

    runs: Sequence[Run]
    differing: Mapping[str, str]
    told: Mapping[str, str]

    @property
    def first(self) -> Run:
        """One of the runs, for what all of them share."""
        return self.runs[0]

    @property
    def is_trained_here(self) -> bool:
        """Whether these runs trained the network that they score; false for runs of evaluation tasks."""
        return not self.first.trained_on

    @property
    def variant(self) -> str:
        """The differing settings in one line."""
        return ", ".join(f"{name}={value}" for name, value in self.differing.items())

    @property
    def label(self) -> str:
        """The model's name, with its size unless it is the usual one, and what tells this variant from others."""
        return self.label_without(())

    def label_without(self, names: Collection[str]) -> str:
        """Return the label without these settings."""
        first = self.first
        model = sized(first.model, first.model_size, first.task, first.scale)
        return ", ".join([model, *(text for name, text in self.told.items() if name not in names)])

    @property
    def full_label(self) -> str:
        """The model's name with its size and all differing settings."""
        return ", ".join(filter(None, [f"{self.first.model} ({self.first.model_size})", self.variant]))

    @property
    def is_plain(self) -> bool:
        """Whether the model has the usual size and the defaults of all differing settings."""
        return not self.told and has_usual_size(self.first)

    @cached_property
    def score(self) -> Mean:
        """Mean of the main metric on the test split over seeds, with its 95 % interval."""
        return t_interval([run.score for run in self.runs], floor=self.grain)

    @cached_property
    def grain(self) -> float:
        """Step of the score: one of the examples that it is a share of; 0 if it is no share."""
        return max(run.grain for run in self.runs)

    @cached_property
    def train_seconds(self) -> float:
        """Seconds in training steps, mean over seeds."""
        return math.fsum(run.train_seconds for run in self.runs) / len(self.runs)

    def mean(self, value: Callable[[Run], float]) -> Mean:
        """Return the mean over seeds of a number of each run."""
        return t_interval([value(run) for run in self.runs])

    def has(self, *names: str) -> bool:
        """Return whether all runs have all of these metrics or measurements."""
        return all(run.numbers().keys() >= set(names) for run in self.runs)

    def metric(self, name: str, split: str = "test") -> Mean | None:
        """Return the mean over seeds of a metric or measurement; None if a run does not have it."""
        found = [run.numbers(split).get(name) for run in self.runs]
        values = [value for value in found if value is not None]
        return t_interval(values) if len(values) == len(found) else None

    def against(self, other: Series) -> Difference | None:
        """Return the score of this series minus that of another, paired by seed; None if they share no seed."""
        theirs = {run.seed: run.score for run in other.runs}
        pairs = [(run.score, theirs[run.seed]) for run in self.runs if run.seed in theirs]
        if not pairs:
            return None
        floor = max(self.grain, other.grain)
        return paired_difference([ours for ours, _ in pairs], [their for _, their in pairs], floor=floor)


def group(runs: Iterable[Run]) -> list[Series]:
    """Group runs into series, sorted by task, scale and score, the best first.

    The variants of a model stand together: its plain variant first, and then the others by score.
    """
    cells: dict[tuple[str, ...], dict[str, dict[int, Run]]] = {}
    for run in runs:
        cell = cells.setdefault((run.task, run.scale, run.model, run.model_size), {})
        cell.setdefault(run.series, {})[run.seed] = run
    return _sorted([item for cell in cells.values() for item in _variants(list(cell.values()))])


def _variants(by_seed: Sequence[Mapping[int, Run]]) -> list[Series]:
    """Return the series of one task, scale, model and size."""
    runs = [[own[seed] for seed in sorted(own)] for own in by_seed]
    if len(runs) == 1:
        return [Series(runs[0], {}, {})]
    settings = [leaves(json.loads(own[0].settings)) for own in runs]
    names = _differing(settings)
    told = told_apart(settings, names, defaults_of(runs[0][0]))
    texts = [{name: shown(own, name) for name in names} for own in settings]
    return [Series(*parts) for parts in zip(runs, texts, told, strict=True)]


def _sorted(series: Sequence[Series]) -> list[Series]:
    leading: dict[tuple[str, ...], tuple[bool, float]] = {}
    for item in series:
        own = (item.is_plain, item.score.value)
        leading[_cell(item)] = max(leading.get(_cell(item), own), own)

    def place(item: Series) -> tuple[Any, ...]:
        first = item.first
        head = -leading[_cell(item)][1]
        return (
            first.task,
            first.scale,
            head,
            first.model,
            not item.is_plain,
            bool(item.told),
            -item.score.value,
            item.label,
        )

    return sorted(series, key=place)


def _cell(item: Series) -> tuple[str, ...]:
    return item.first.task, item.first.scale, item.first.model


def by_cell(series: Iterable[Series]) -> dict[tuple[str, str], list[Series]]:
    """Return series by task label and scale; scores can be compared within a cell only."""
    cells: dict[tuple[str, str], list[Series]] = {}
    for item in series:
        cells.setdefault((item.first.task_label, item.first.scale), []).append(item)
    return cells


def of_usual_size(some: Sequence[Series]) -> list[Series]:
    """Return the series whose model has the usual size of their task and scale; all of them, if none has it."""
    return [item for item in some if has_usual_size(item.first)] or list(some)


def _differing(settings: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the names of settings in which the series of a cell differ, in the order of the first that has them."""
    first, *others = settings
    names = dict.fromkeys(first)
    differing = set()
    for own in others:
        if own != first:
            names |= dict.fromkeys(own)
            differing |= {name for name in own.keys() | first.keys() if own.get(name, names) != first.get(name, names)}
    return [name for name in names if name in differing and name not in UNNAMED]
