"""Ranks of models across tasks, and whether they differ: Friedman's test and Nemenyi's critical difference.

Scores of different tasks have no common unit, so their mean says nothing; the rank of a model on a task has one.
References: Friedman 1937; Nemenyi 1963; Demšar 2006 (Journal of Machine Learning Research 7, 1-30).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count

from nacbench.reporting.floors import is_floor
from nacbench.reporting.series import Series, by_cell
from nacbench.reporting.significance import LEVEL
from nacbench.reporting.tables.side_by_side import shown_variant

FEWEST_MODELS = 3  # two are compared by the paired test of `nacbench compare`, on each task
DIGITS = 12  # of scores, significant ones: equal means of seeds can differ in the last by rounding


@dataclass(frozen=True)
class Ranking:
    """Models on the tasks that all of them share.

    Attributes:
        tasks: tasks that all models were trained and scored on, the blocks of the test.
        others: tasks that a model lacks.
        merits: of each model, a number for each task of which more is better.
        unequal: tasks on which these models were not treated equally, which do not count.
        rare: models that have fewer than half of the tasks, which do not stand: few tasks would be left that all share.
    """

    tasks: Sequence[str]
    others: Sequence[str]
    merits: Mapping[str, Sequence[float]]
    unequal: Sequence[str] = ()
    rare: Sequence[str] = ()

    @cached_property
    def ranks(self) -> dict[str, float]:
        """Mean rank of each model, 1 for the best, the best first; equal scores share the mean of their ranks."""
        from scipy.stats import rankdata

        by_task = [rankdata([-merit for merit in row]).tolist() for row in zip(*self.merits.values(), strict=True)]
        means = {
            name: math.fsum(ranks) / len(ranks)
            for name, ranks in zip(self.merits, zip(*by_task, strict=True), strict=True)
        }
        return dict(sorted(means.items(), key=lambda pair: (pair[1], pair[0])))

    @cached_property
    def p(self) -> float:
        """Of Friedman's test that all models are equal, by its chi-squared distribution, which errs on the safe side.

        1 if all models tie everywhere.
        """
        from scipy.stats import friedmanchisquare

        found = float(friedmanchisquare(*self.merits.values()).pvalue)
        return 1.0 if math.isnan(found) else found

    @property
    def critical_difference(self) -> float:
        """Difference of two mean ranks that is significant at 0.05 among all pairs (Nemenyi)."""
        return critical_difference(len(self.merits), len(self.tasks))

    @property
    def needed(self) -> int:
        """Fewest tasks with which anything could be shown."""
        return fewest_tasks(len(self.merits))

    @property
    def is_tested(self) -> bool:
        """Whether there are enough models and tasks for a test."""
        return len(self.merits) >= FEWEST_MODELS and len(self.tasks) >= self.needed

    def are_apart(self, one: str, other: str) -> bool:
        """Return whether two models differ significantly: Friedman's test does, and so do their mean ranks."""
        return self.p < LEVEL and abs(self.ranks[one] - self.ranks[other]) >= self.critical_difference

    def groups(self) -> list[list[str]]:
        """Return the largest sets of models of which no two are apart, each of two or more, the best first."""
        names = list(self.ranks)
        found: list[list[str]] = []
        for first, name in enumerate(names):
            own = [other for other in names[first:] if not self.are_apart(name, other)]
            if len(own) > 1 and not (found and set(own) <= set(found[-1])):
                found.append(own)
        return found

    def record(self, one: str, other: str) -> tuple[int, int, int]:
        """Return the numbers of tasks on which one model is better than another, equal, and worse."""
        pairs = list(zip(self.merits[one], self.merits[other], strict=True))
        wins, losses = sum(a > b for a, b in pairs), sum(a < b for a, b in pairs)
        return wins, len(pairs) - wins - losses, losses


def critical_difference(models: int, tasks: int) -> float:
    """Return Nemenyi's critical difference of mean ranks at 0.05: q · √(k (k + 1) / (6 N)) for k models on N tasks.

    q is the quantile of the studentised range of k means with infinitely many degrees of freedom, over √2.
    """
    from scipy.stats import studentized_range

    q = float(studentized_range.ppf(1 - LEVEL, models, math.inf)) / math.sqrt(2)
    return q * math.sqrt(models * (models + 1) / (6 * tasks))


def fewest_tasks(models: int) -> int:
    """Return the fewest tasks on which models in the same order everywhere are told apart, for 2 models or more."""
    from scipy.special import chdtrc

    def suffices(tasks: int) -> bool:
        p = float(chdtrc(models - 1, tasks * (models - 1)))  # of Friedman's test where all tasks agree
        return p < LEVEL and critical_difference(models, tasks) <= models - 1

    return next(tasks for tasks in count(1) if suffices(tasks))


def ranking(series: Sequence[Series]) -> Ranking | None:
    """Rank models over the tasks that all of them share; None if there are fewer than two tasks or two models.

    Models that have fewer than half of the tasks do not stand.

    A task is a block of the test, and blocks must be independent. So tasks that score the networks of another task do
    not count, and of a task's entries (its scales, parts of its data) one does: that with the most models. A model
    stands in the variant of the table side by side; floors do not stand. Models that were treated unequally are not
    compared, so that such a task does not count.
    """
    by_task: dict[str, dict[str, float]] = {}
    unequal: dict[str, None] = {}
    for items in by_cell(item for item in series if item.is_trained_here and not is_floor(item)).values():
        names = dict.fromkeys(item.first.model for item in items)
        variants = {name: shown_variant([item for item in items if item.first.model == name]) for name in names}
        merits = {name: _merit(item) for name, item in variants.items() if item is not None}
        task = items[0].first.task
        if len({item.treated for item in variants.values() if item is not None}) > 1:
            unequal[task] = None
            continue
        if len(merits) > len(by_task.get(task, {})):
            by_task[task] = merits
    dropped = [task for task in unequal if task not in by_task]
    times = Counter(name for merits in by_task.values() for name in merits)
    models = sorted(name for name, number in times.items() if 2 * number >= len(by_task))
    if len(by_task) < 2 or len(models) < 2:
        # said, where unequal treatment has left nothing; not where there is one task or one model
        is_worth_a_word = dropped and len(by_task) + len(dropped) > 1
        return Ranking([], list(by_task), dict.fromkeys(models, ()), dropped) if is_worth_a_word else None
    shared = [task for task, merits in by_task.items() if set(models) <= merits.keys()]
    others = [task for task in by_task if task not in shared]
    by_model = {name: [by_task[task][name] for task in shared] for name in models}
    return Ranking(shared, others, by_model, dropped, sorted(times.keys() - set(models)))


def _merit(item: Series) -> float:
    """Return a number of which more is better, whatever the direction of the metric."""
    return float(f"{-item.rank:.{DIGITS}g}")
