"""Series of runs that differ only in their seed; a series is a row of a table, with a mean and an interval."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from nacbench.contracts.task import SCALES
from nacbench.errors import UserError
from nacbench.formats.dotted import as_text, leaves
from nacbench.recording.row import Run
from nacbench.registry import MODELS, TASKS, usual_size
from nacbench.statistics import Difference, Mean, paired_difference, t_interval

# metrics that are shares of examples, and a difference of two
SHARE = re.compile(r"(clean_|whole_)?accuracy(/.+)?|error/.+|mean_error|mce|(?P<difference>drop)")
UNNAMED = ("task.name", "model.name", "model.size", "scale")  # not part of a variant: rows have them in other places


@dataclass(frozen=True)
class Series:
    """Runs that differ only in their seed.

    Attributes:
        runs: one for each seed, sorted by seed.
        differing: settings by name, as text, in which this series differs from others of the same task, model, size and
            scale; empty if it is the only one.
    """

    runs: Sequence[Run]
    differing: Mapping[str, str]

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
        """The model's name with its size and the differing settings."""
        return self.label_without(())

    def label_without(self, names: Collection[str]) -> str:
        """Return the label without these settings."""
        differing = [f"{name}={value}" for name, value in self.differing.items() if name not in names]
        return ", ".join([f"{self.first.model} ({self.first.model_size})", *differing])

    @cached_property
    def score(self) -> Mean:
        """Mean of the main metric on the test split over seeds, with its 95 % interval."""
        return self._mean(self.first.metric, [run.score for run in self.runs])

    @cached_property
    def grain(self) -> float:
        """Step of the score: one of the examples that it is a share of; 0 if it is no share."""
        return max(run.grain for run in self.runs)

    def _mean(self, metric: str, values: Sequence[float]) -> Mean:
        """Return the mean of a metric: of a share, with a spread of one example at least, and from 0 to 1."""
        share = SHARE.fullmatch(metric)
        if share is None:
            return t_interval(values)
        return t_interval(values, floor=self.grain, within=(-1.0 if share["difference"] else 0.0, 1.0))

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
        return t_interval([value(run) for run in self.runs], floor=floor)

    def has(self, *names: str) -> bool:
        """Return whether all runs have all of these metrics or measurements."""
        return all(run.numbers().keys() >= set(names) for run in self.runs)

    def metric(self, name: str, split: str = "test") -> Mean | None:
        """Return the mean over seeds of a metric or measurement; None if a run does not have it."""
        found = [run.numbers(split).get(name) for run in self.runs]
        values = [value for value in found if value is not None]
        return self._mean(name, values) if len(values) == len(found) else None

    def against(self, other: Series) -> Difference | None:
        """Return the score of this series minus that of another, paired by seed; None if they share no seed."""
        theirs = {run.seed: run.score for run in other.runs}
        pairs = [(run.score, theirs[run.seed]) for run in self.runs if run.seed in theirs]
        if not pairs:
            return None
        floor = max(self.grain, other.grain)
        return paired_difference([ours for ours, _ in pairs], [their for _, their in pairs], floor=floor)


def group(runs: Iterable[Run]) -> list[Series]:
    """Group runs into series, sorted by task, scale and score, the best first."""
    cells: dict[tuple[str, ...], dict[str, dict[int, Run]]] = {}
    for run in runs:
        cell = cells.setdefault((run.task, run.scale, run.model, run.model_size), {})
        cell.setdefault(run.series, {})[run.seed] = run
    series = []
    for cell in cells.values():
        firsts = {key: next(iter(seeds.values())) for key, seeds in cell.items()}
        settings = {key: leaves(json.loads(run.settings)) if len(cell) > 1 else {} for key, run in firsts.items()}
        differing = _differing(settings.values())
        for key, seeds in cell.items():
            own = {name: _shown(settings[key], name) for name in differing}
            series.append(Series([seeds[seed] for seed in sorted(seeds)], own))
    return sorted(series, key=lambda s: (s.first.task, s.first.scale, -s.score.value, s.label))


def by_cell(series: Iterable[Series]) -> dict[tuple[str, str], list[Series]]:
    """Return series by task label and scale; scores can be compared within a cell only."""
    cells: dict[tuple[str, str], list[Series]] = {}
    for item in series:
        cells.setdefault((item.first.task_label, item.first.scale), []).append(item)
    return cells


def of_usual_size(some: Sequence[Series]) -> list[Series]:
    """Return the series whose model has the usual size of their task and scale; all of them, if none has it."""
    return [item for item in some if _has_usual_size(item.first)] or list(some)


def _has_usual_size(run: Run) -> bool:
    scale = next((own for own in SCALES if own == run.scale), None)  # a record of another version may have others
    try:
        return scale is not None and run.model_size == usual_size(TASKS.get(run.task), scale, MODELS.get(run.model))
    except UserError:  # a plug-in is not loaded, or has another name by now
        return False


def _shown(settings: Mapping[str, Any], name: str) -> str:
    return as_text(settings[name]) if name in settings else "—"


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
