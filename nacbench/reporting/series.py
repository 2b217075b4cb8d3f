"""Series of runs that differ only in their seed; a series is a row of a table, with a mean and an interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count
from typing import Any

from nacbench.contracts.metric import Metric
from nacbench.recording.metric_facts import meaning_in
from nacbench.recording.row import Run
from nacbench.reporting import anytime
from nacbench.reporting.names import defaults_of, differing, has_usual_size, settings_of, shown, sized, told_apart
from nacbench.reporting.treatment import Choices, at_the_edge, differences
from nacbench.statistics import UNBOUNDED, Difference, Mean, paired_difference, t_interval


@dataclass(frozen=True)
class Series:
    """Runs that differ only in their seed.

    Attributes:
        runs: one for each seed, sorted by seed.
        differing: settings by name, as text, in which this series differs from others of the same task, model, size and
            scale; empty if it is the only one.
        told: what the label tells of these, in short, by name; nothing for the plain variant.
        treatment: settings other than the model's own, by name, as text, in which rows of its task and scale differ.
        treated: number of this treatment among those of the task and scale, from 1; 0 if all rows have the same.
        at_the_edge: settings that tuning chose at the edge of those tried.
        floors: series of floors that are no rows of the report, as its runs were chosen, but hold for this one.
    """

    runs: Sequence[Run]
    differing: Mapping[str, str]
    told: Mapping[str, str]
    treatment: Mapping[str, str] = field(default_factory=dict)
    treated: int = 0
    at_the_edge: Sequence[str] = ()
    floors: Sequence[Series] = ()

    @property
    def first(self) -> Run:
        """One of the runs, for what all of them share."""
        return self.runs[0]

    @cached_property
    def is_adaptive(self) -> bool:
        """Whether seeds were added until a comparison was decided; see `nacbench.recording.decisions`.

        The seeds of the first look were not: their number was fixed beforehand.
        """
        return self.has_added(run.seed for run in self.runs)

    def has_added(self, seeds: Iterable[int]) -> bool:
        """Whether any of these seeds was added to this series until a comparison was decided."""
        among = set(seeds)
        return self.is_asked and any(run.seed >= run.adaptive for run in self.runs if run.seed in among)

    @property
    def is_asked(self) -> bool:
        """Whether a comparison or claim with it is decided by adding seeds, or will be."""
        return all(run.adaptive for run in self.runs)

    @property
    def measure(self) -> Metric:
        """What the numbers of the score mean: direction, range, unit."""
        return self.first.measure

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
        return self._mean(self.first.metric, [run.score for run in self.runs])

    @property
    def rank(self) -> float:
        """Key that sorts series of a task by their scores, the best first and NaN last."""
        return self.measure.order(self.score.value)

    @cached_property
    def grain(self) -> float:
        """Step of the score: one of the examples that it is a share of; 0 if it is no share."""
        return self.grain_of(self.first.metric)

    @property
    def over_examples(self) -> tuple[float, float] | None:
        """The Wilson interval of the score over test examples, of a single seed; None if they are not independent.

        A protocol may score an example many times, or in episodes.
        """
        if len(self.runs) > 1 or not self.is_trained_here:
            return None
        return self.measure.over_examples(self.score.value, self.first.scored)

    @cached_property
    def train_seconds(self) -> float:
        """Seconds in training steps, mean over seeds."""
        return math.fsum(run.train_seconds for run in self.runs) / len(self.runs)

    def mean(self, value: Callable[[Run], float], floor: float = 0.0) -> Mean:
        """Return the mean over seeds of a number of each run.

        Args:
            value: the number.
            floor: least standard deviation over seeds.
        """
        return self._lasting([value(run) for run in self.runs], floor)

    def has(self, *names: str) -> bool:
        """Return whether all runs have all of these metrics or measurements."""
        return all(run.numbers().keys() >= set(names) for run in self.runs)

    def metric(self, name: str, split: str = "test") -> Mean | None:
        """Return the mean over seeds of a metric or measurement; None if a run does not have it."""
        found = [run.numbers(split).get(name) for run in self.runs]
        values = [value for value in found if value is not None]
        return self._mean(name, values) if len(values) == len(found) else None

    def grain_of(self, name: str) -> float:
        """Return the step of a metric: one of the examples that it is a share of; 0 if it is no share."""
        meaning = self._meaning(name)
        return max(meaning.grain(run.scored) for run in self.runs) if meaning else 0.0

    def _meaning(self, name: str) -> Metric | None:
        """Return what the numbers of a metric mean, if the records say so or it is a built-in one."""
        return meaning_in(self.first.facts, name)

    def _mean(self, name: str, values: Sequence[float]) -> Mean:
        """Return the mean of a metric within its range; the least spread of a share is one example."""
        meaning = self._meaning(name)
        within = (meaning.least, meaning.most) if meaning else UNBOUNDED
        return self._lasting(values, self.grain_of(name), within)

    def _lasting(self, values: Sequence[float], floor: float = 0.0, within: tuple[float, float] = UNBOUNDED) -> Mean:
        """Return a mean with an interval that holds although one looked after each seed, if one did."""
        mean = t_interval(values, floor=floor, within=within)
        return replace(mean, half_width=anytime.mean_width(values, floor)) if self.is_adaptive else mean

    def differences(self, other: Series) -> Mapping[int, float]:
        """Return the score of this series minus that of another for each seed that counts, in ascending order.

        These are the seeds that both have. If any of them were added until a decision, only those below the first one
        that is missing: a seed that failed must not be passed over, nor one that has not ended yet.
        """
        ours, theirs = ({run.seed: run.score for run in item.runs} for item in (self, other))
        found = {seed: ours[seed] - theirs[seed] for seed in sorted(ours.keys() & theirs.keys())}
        if not self.is_adaptive_with(other):
            return found
        return dict(first_seeds(found))

    def is_adaptive_with(self, other: Series) -> bool:
        """Whether seeds that two series share were added to one of them until a decision.

        Where they share those of the first look alone, seeds that one of them got for another question change nothing.
        """
        shared = {run.seed for run in self.runs} & {run.seed for run in other.runs}
        return self.has_added(shared) or other.has_added(shared)

    def against(self, other: Series) -> Difference | None:
        """Return the score of this series minus that of another, paired by seed; None if they share no seed.

        Of a metric of which lower values are better, a negative difference speaks for this series:
        `nacbench.contracts.metric.Metric.gain` gives by how much it is better. If seeds that they share were added
        until a decision, p value and interval hold however often one looked.
        """
        differences = list(self.differences(other).values())
        if not differences:
            return None
        floor = max(self.grain, other.grain)
        if self.is_adaptive_with(other):
            return anytime.difference(differences, floor)
        return paired_difference(differences, [0.0] * len(differences), floor=floor)


def group(runs: Iterable[Run], tuned: Choices | None = None) -> list[Series]:
    """Group runs into series, sorted by task, scale and score, the best first.

    The variants of a model stand together: its plain variant first, and then the others by score.

    Args:
        runs: finished runs.
        tuned: what is known of tuning, which decides whether rows with different learning rates were treated equally.
    """
    cells: dict[tuple[str, ...], dict[str, dict[int, Run]]] = {}
    for run in runs:
        cell = cells.setdefault((run.task, run.scale, run.model, run.model_size), {})
        cell.setdefault(run.series, {})[run.seed] = run
    ordered = _sorted([item for cell in cells.values() for item in _variants(list(cell.values()))])
    treated = {id(old): new for rows in by_cell(ordered).values() for old, new in _with_treatments(rows, tuned or {})}
    return [treated[id(item)] for item in ordered]


def _variants(by_seed: Sequence[Mapping[int, Run]]) -> list[Series]:
    """Return the series of one task, scale, model and size."""
    runs = [[own[seed] for seed in sorted(own)] for own in by_seed]
    if len(runs) == 1:
        return [Series(runs[0], {}, {})]
    settings = [settings_of(own[0].settings) for own in runs]
    names = differing(settings)
    told = told_apart(settings, names, defaults_of(runs[0][0]))
    texts = [{name: shown(own, name) for name in names} for own in settings]
    return [Series(*parts) for parts in zip(runs, texts, told, strict=True)]


def _sorted(series: Sequence[Series]) -> list[Series]:
    leading: dict[tuple[str, ...], tuple[bool, float]] = {}
    for item in series:
        own = (not item.is_plain, item.rank)
        leading[_cell(item)] = min(leading.get(_cell(item), own), own)

    def place(item: Series) -> tuple[Any, ...]:
        first, head = item.first, leading[_cell(item)][1]
        return (first.task, first.scale, head, first.model, not item.is_plain, bool(item.told), item.rank, item.label)

    return sorted(series, key=place)


def _cell(item: Series) -> tuple[str, ...]:
    return item.first.task, item.first.scale, item.first.model


def first_seeds(by_seed: Mapping[int, float]) -> Iterator[tuple[int, float]]:
    """Yield the values of seeds 0, 1, 2, … up to the first that is missing."""
    for seed in count():
        if seed not in by_seed:
            return
        yield seed, by_seed[seed]


def _with_treatments(rows: Sequence[Series], tuned: Choices) -> Iterator[tuple[Series, Series]]:
    """Yield each row of a task and scale, and the same with its treatment, if rows differ in that."""
    numbers: dict[tuple[str, ...], int] = {}
    for item, own in zip(rows, differences([item.first for item in rows], tuned), strict=True):
        number = numbers.setdefault(tuple(own.values()), len(numbers) + 1) if own else 0
        edge = at_the_edge(item.first, tuned)
        yield item, replace(item, treatment=own, treated=number, at_the_edge=edge) if own or edge else item


def by_cell(series: Iterable[Series]) -> dict[tuple[str, str], list[Series]]:
    """Return series by task label and scale; scores can be compared within a cell only."""
    cells: dict[tuple[str, str], list[Series]] = {}
    for item in series:
        cells.setdefault((item.first.task_label, item.first.scale), []).append(item)
    return cells


def common_unit(series: Iterable[Series]) -> str | None:
    """Return the unit in which all scores are shown, empty if they have none; None if they differ."""
    units = {item.measure.shown_unit for item in series}
    return next(iter(units), "") if len(units) < 2 else None


def of_usual_size(some: Sequence[Series]) -> list[Series]:
    """Return the series whose model has the usual size of their task and scale; all of them, if none has it."""
    return [item for item in some if has_usual_size(item.first)] or list(some)
