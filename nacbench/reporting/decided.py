"""Verdicts from looks after every seed, and how many seeds more they would take; see `nacbench.reporting.anytime`.

Comparisons are judged together by Holm's step-down procedure: those that are decided at the level divided by their
number are decided, the others are judged at the level divided by the number of those that are left, and so on. All that
were planned count, also those without any run. Each claim is judged at the whole level by itself, by the rule of
``nacbench claims``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from nacbench.contracts.metric import Metric
from nacbench.reporting import anytime
from nacbench.reporting.anytime import (
    LEVEL,
    Decision,
    Look,
    decide,
    fewest,
    first_count,
    forecast,
    half_width,
    is_futile,
    looks,
)
from nacbench.reporting.paper.claims import Answer, Claim, Interval, Side, Trade, answer
from nacbench.reporting.series import Series, first_seeds

Word = Literal["better", "worse", "equivalent", "agrees", "disagrees", "undecided", "contradictory"]
FAR = 5.0
OPEN: tuple[Word, ...] = ("undecided", "contradictory")


@dataclass(frozen=True)
class Case:
    """A comparison or a claim, by the numbers that decide it.

    Attributes:
        sides: the numbers, of seeds 0, 1, 2, … up to the first that is missing; none without any seed.
        margin: of practical equivalence, in units of the metric; 0: there is no equivalence.
        claim: the claim, whose sides have bars; None of a comparison, which has one side.
    """

    sides: Sequence[Side]
    margin: float = 0.0
    claim: Claim | None = None


@dataclass(frozen=True)
class Judged:
    """What the seeds say.

    Attributes:
        verdict: of the first model against the second, or whether the seeds agree with a claim; ``contradictory`` is
            undecided, and no more seeds will change that.
        seeds: number of seeds that were looked at.
        decided: number of seeds at which the verdict was reached; None if it is open.
        level: probability of a wrong verdict, after correction.
        looks: after each seed, for each number that decides; relative to its bar.
        bars: that the numbers are compared with.
        need: seeds that decide in all, if the effect is as measured; None for more than can be forecast.
        far_off: seeds that lie far from the others, as where a model collapses: then the test may not hold.
    """

    verdict: Word
    seeds: int
    decided: int | None
    level: float
    looks: tuple[tuple[anytime.Look, ...], ...]
    bars: tuple[float, ...]
    need: int | None
    far_off: tuple[int, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether there is no verdict."""
        return self.verdict in OPEN

    @property
    def is_futile(self) -> bool:
        """Whether it is given up, as it would take too many seeds."""
        return self.verdict == "undecided" and is_futile(self.seeds, self.need)

    @property
    def values(self) -> list[tuple[float, float, float]]:
        """Mean, and ends of the interval at the level, of each number that decides."""
        return [
            (own[-1].mean + bar, own[-1].low + bar, own[-1].high + bar)
            for own, bar in zip(self.looks, self.bars, strict=True)
        ]

    def measured(self, metric: Metric) -> str:
        """Return means and intervals of what decides: a difference, or a gain and a loss as they are; — without any."""
        if not self.seeds:
            return "—"
        if len(self.values) == 1:
            ((mean, low, high),) = self.values
            if math.isfinite(low) and math.isfinite(high):
                low, high = metric.possible(low, high)
            return f"{metric.change(mean)}{_interval(low, high, lambda end: metric.changes(end)[0])}"
        return ", ".join(f"{mean:.3g}{_interval(low, high, '{:.3g}'.format)}" for mean, low, high in self.values)

    def in_words(self, metric: Metric, margin: float) -> str:
        """Return the verdict with the margin that it holds for, or that there is none yet, or will be none.

        Args:
            metric: the task's main metric.
            margin: of a comparison, as differences are shown; 0 of a claim.
        """
        if self.is_open:
            return "futile" if self.is_futile else "undecided"
        if not margin:
            return self.verdict
        how = "within" if self.verdict == "equivalent" else "by more than"
        size = metric.with_difference_unit(f"{margin:g}")
        return f"{self.verdict} {how} {'1 point' if size == '1 points' else size}"


def in_units(margin: float, metric: Metric) -> float:
    """Return a margin that is given as differences are shown, such as in points, in units of the metric."""
    return margin / 100 if metric.percent else margin


def compared(ours: Series, theirs: Series) -> list[Side]:
    """Return by how much the first is better for each seed that counts; none without a shared seed."""
    gains = {seed: ours.measure.gain(value) for seed, value in ours.differences(theirs).items()}
    return _from_the_first([Side(gains, 0.0, max(ours.grain, theirs.grain))])


def claimed(claim: Claim, members: Sequence[Series]) -> list[Side]:
    """Return the numbers that a claim is judged by for each seed that counts; none if a series does not have them."""
    if isinstance(claim, Trade) and not members[0].has(claim.gain.metric, claim.loss.metric):
        return []
    return _from_the_first(claim.sides(*members))


def judge_all(cases: Sequence[Case]) -> list[Judged]:
    """Judge comparisons together, and each claim by itself."""
    family = [number for number, case in enumerate(cases) if case.claim is None]
    levels = holm_levels([cases[number] for number in family])
    by_number = dict(zip(family, levels, strict=True))
    return [_judged(case, by_number.get(number, LEVEL)) for number, case in enumerate(cases)]


def holm_levels(family: Sequence[Case], level: float = LEVEL) -> list[float]:
    """Return the level at which each comparison of a family is judged, by Holm's step-down procedure.

    Args:
        family: the comparisons, those without a seed, too.
        level: probability that any of the verdicts is ever wrong.
    """
    levels: dict[int, float] = {}
    while len(levels) < len(family):
        own = level / (len(family) - len(levels))
        open_ones = [number for number in range(len(family)) if number not in levels]
        reached = [
            number for number in open_ones if _verdict(family[number], _looks(family[number], own))[0] not in OPEN
        ]
        if not reached:
            return [levels.get(number, own) for number in range(len(family))]
        levels |= dict.fromkeys(reached, own)
    return [levels[number] for number in range(len(family))]


def _from_the_first(sides: Sequence[Side]) -> list[Side]:
    """Return sides with seeds 0, 1, 2, … up to the first that is missing; none if that is seed 0."""
    found = [side._replace(by_seed=dict(first_seeds(side.by_seed))) for side in sides]
    return found if all(side.by_seed for side in found) else []


def _looks(case: Case, level: float) -> tuple[tuple[Look, ...], ...]:
    return tuple(
        tuple(looks([value - side.bar for value in side.by_seed.values()], floor=side.floor, level=level))
        for side in case.sides
    )


def _verdict(case: Case, found: Sequence[Sequence[Look]]) -> tuple[Word, int | None]:
    """Return the verdict, and the number of seeds at which it was reached."""
    if case.claim is None:
        decision = decide(found[0], case.margin) if found else Decision("undecided", None)
        return decision.verdict, decision.seeds
    verdict: tuple[Word, int | None] = ("undecided", None)
    for now in zip(*found, strict=True):
        if any(look.low > look.high for look in now):  # what was decided before stays
            return ("contradictory", now[0].count) if verdict[0] == "undecided" else verdict
        said = _answer(case, [(look.low, look.high) for look in now])
        if said != verdict[0]:  # an effect that agrees can turn out to be smaller than claimed
            verdict = said, now[0].count
    return verdict


def _answer(case: Case, ends: Sequence[Interval]) -> Answer:
    """Return whether seeds agree with a claim, by intervals that are relative to its bars."""
    assert case.claim is not None
    bars = [side.bar for side in case.sides]
    intervals = [(low + bar, high + bar) for bar, (low, high) in zip(bars, ends, strict=True)]
    return answer(case.claim, bars, intervals)


def _judged(case: Case, level: float) -> Judged:
    found = _looks(case, level)
    verdict, decided = _verdict(case, found)
    seeds = min((len(own) for own in found), default=0)
    if verdict in OPEN:
        decided = None
    bars = tuple(side.bar for side in case.sides)
    return Judged(verdict, seeds, decided, level, found, bars, _need(case, found, level), _far_off(case.sides))


def _far_off(sides: Sequence[Side]) -> tuple[int, ...]:
    """Return the seeds that lie more than ``FAR`` median deviations, or test examples, from the median."""
    found: set[int] = set()
    for side in sides:
        centre = median(side.by_seed.values())
        usual = max(median(abs(value - centre) for value in side.by_seed.values()), side.floor)
        found |= {seed for seed, value in side.by_seed.items() if abs(value - centre) > FAR * usual}
    return tuple(sorted(found))


def _need(case: Case, found: Sequence[Sequence[Look]], level: float) -> int | None:
    """Return how many seeds decide in all if means and deviations stay as they are."""
    last = [own[-1] for own in found]
    if not last or last[0].count < 2:
        return fewest(level)
    if case.claim is None:
        return forecast(last[0], case.margin, level)

    def decides(count: int) -> bool:
        widths = [half_width(count, look.deviation, level) for look in last]
        ends = [(look.mean - width, look.mean + width) for look, width in zip(last, widths, strict=True)]
        return _answer(case, ends) != "undecided"

    return first_count(decides, last[0].count)


def _interval(low: float, high: float, shown: Callable[[float], str]) -> str:
    return f" ({shown(low)} … {shown(high)})" if math.isfinite(low) and math.isfinite(high) else ""
