"""Decide comparisons while seeds are added: a test and an interval that hold however often, and whenever, one looks.

A t test promises 5 % wrong decisions for a number of seeds that was fixed beforehand. Looked at after every seed from
3 to 20, and stopped as soon as it decides, it is wrong in 23 %. The rule here is a test martingale: the likelihood
ratio of noncentral against central Student's t, with a normal prior on the effect in units of the deviation and the
right Haar prior on the deviation (Lai 1976, Ann. Statist. 4, 265-280; Wang and Ramdas 2023, arXiv 2310.03722). If the
differences of seeds are independent and normal with one distribution, the probability that it is *ever* at least
1/alpha under a true bar is at most alpha (Ville 1939). Heavy tails and ties do no harm. Where one model collapses on
a few seeds and the other never does, it is wrong far more often, as every test is that has not seen a collapse yet.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from nacbench.statistics import Difference, Looks

PRIOR = 8.0  # variance of the effect's prior in squared deviations. A constant: choosing it by the data is not valid
LEVEL = 0.05  # probability of ever deciding wrongly
MOST = 1000  # seeds up to which a forecast looks
FUTILE_FROM, FUTILE_BEYOND = 8, 60  # after so many seeds, a comparison that needs more than the other is given up

Verdict = Literal["better", "worse", "equivalent", "undecided", "contradictory"]


@dataclass(frozen=True)
class Look:
    """What is known after the first ``count`` shared seeds.

    Attributes:
        count: number of seeds.
        mean: of the differences.
        deviation: their sample standard deviation with denominator n - 1, at least the floor; NaN for one seed.
        log_e: logarithm of the evidence (e-value) against the bar.
        p: anytime-valid p-value of the bar: the least of all looks so far.
        low, high: running ends of the interval at the level: the largest lower and the smallest upper end so far.
    """

    count: int
    mean: float
    deviation: float
    log_e: float
    p: float
    low: float
    high: float


@dataclass(frozen=True)
class Decision:
    """Verdict on a comparison, which stays once it is reached.

    Attributes:
        verdict: of the first model against the second; ``equivalent`` only with a margin; ``contradictory`` if the
            running interval is empty, so that the seeds cannot be of one distribution.
        seeds: number of seeds at which it was reached; None while there is none.
    """

    verdict: Verdict
    seeds: int | None


def log_e(differences: Sequence[float], bar: float = 0.0, floor: float = 0.0) -> float:
    """Return the logarithm of the evidence (e-value) that the mean difference is not at a bar.

    With n differences of mean m and deviation s (at least ``floor``), g = ``PRIOR``, b = ln(1 + n·g) and
    x = n·(m - bar)² / ((n - 1)·s²) it is (n·(ln(1 + x) - ln(1 + x / (1 + n·g))) - b) / 2.

    Args:
        differences: one per seed, in the order of the seeds.
        bar: mean difference that is tested.
        floor: least standard deviation, such as one test example.
    """
    count = len(differences)
    if count < 2:
        return 0.0
    mean, deviation = _moments(differences, floor)
    b, off = math.log1p(count * PRIOR), mean - bar
    if off == 0:
        return -b / 2
    if deviation == 0:
        return b * (count - 1) / 2  # the limit: equal differences are never taken for certain
    x = count * (off / deviation) ** 2 / (count - 1)
    return (count * (math.log1p(x) - math.log1p(x / (1 + count * PRIOR))) - b) / 2


def half_width(count: int, deviation: float, level: float = LEVEL) -> float:
    """Return the half width of the interval of a mean difference: all bars whose evidence is less than 1 / level.

    Args:
        count: number of seeds; with fewer than three it is infinite.
        deviation: standard deviation of the differences, at least the floor.
        level: probability that the interval ever excludes the true mean.
    """
    if count < 2:
        return math.inf
    b = math.log1p(count * PRIOR)
    a = (b - 2 * math.log(level)) / count
    if a >= b:
        return math.inf
    return deviation * math.sqrt((count - 1) / count * math.expm1(a) / -math.expm1(a - b))


def looks(differences: Sequence[float], bar: float = 0.0, floor: float = 0.0, level: float = LEVEL) -> list[Look]:
    """Return what was known after each seed; arguments are those of `log_e` and `half_width`."""
    found: list[Look] = []
    p, low, high = 1.0, -math.inf, math.inf
    for count in range(1, len(differences) + 1):
        so_far = differences[:count]
        mean, deviation = _moments(so_far, floor)
        evidence = log_e(so_far, bar, floor)
        width = half_width(count, deviation, level)
        p, low, high = min(p, math.exp(-max(evidence, 0.0))), max(low, mean - width), min(high, mean + width)
        found.append(Look(count, mean, deviation, evidence, p, low, high))
    return found


def decide(found: Sequence[Look], margin: float = 0.0) -> Decision:
    """Return the verdict of the first look that has one.

    Args:
        found: looks after each seed, at the level that the verdict is to hold at.
        margin: of practical equivalence, fixed before the first look: better or worse means by more than this, and
            equivalent means by less. Zero: there is no equivalence.

    Raises:
        ValueError: if the margin is negative.
    """
    if margin < 0:
        raise ValueError(f"a margin is a distance, at least 0, not {margin:g}")
    for look in found:
        if look.low > look.high:
            return Decision("contradictory", look.count)
        if look.low > margin:
            return Decision("better", look.count)
        if look.high < -margin:
            return Decision("worse", look.count)
        if look.low > -margin and look.high < margin:
            return Decision("equivalent", look.count)
    return Decision("undecided", None)


def difference(differences: Sequence[float], floor: float = 0.0) -> Difference:
    """Return the mean of paired differences with what may be said of it however often one looked.

    Args:
        differences: one per seed, at least one, in the order of the seeds.
        floor: least standard deviation, such as one test example.

    Returns:
        The difference. Its p is 1 where the seeds contradict each other, so that nothing was decided.
    """
    found = looks(differences, floor=floor)
    last, decision = found[-1], decide(found)
    lead = next(look for look in found if look.p == last.p).mean
    is_one = decision.verdict != "contradictory"
    held = [look for look in found if look.low <= look.high]
    ends = Looks((held[-1].low, held[-1].high), lead, decision.seeds if is_one else None, len(held) < len(found))
    width = half_width(last.count, last.deviation)
    return Difference(last.mean, _known(width), last.p if is_one else 1.0, last.deviation, last.count, ends)


def mean_width(values: Sequence[float], floor: float = 0.0) -> float:
    """Return the half width of the interval of a mean over seeds; NaN for fewer than three, which bound nothing."""
    return _known(half_width(len(values), _moments(values, floor)[1]))


def fewest(level: float = LEVEL) -> int:
    """Return the least number of seeds that can decide anything."""
    return next(count for count in range(2, MOST) if math.isfinite(half_width(count, 1.0, level)))


def _known(width: float) -> float:
    return width if math.isfinite(width) else math.nan


def forecast(look: Look, margin: float = 0.0, level: float = LEVEL) -> int | None:
    """Return how many seeds decide if mean and deviation stay as they are; None for more than ``MOST``.

    Args:
        look: the last look; with a single seed nothing is known of the deviation, and `fewest` is returned.
        margin: as for `decide`; whichever verdict needs fewer seeds counts.
        level: as for `half_width`.
    """
    if look.count < 2:
        return fewest(level)
    distance = abs(abs(look.mean) - margin) if margin else abs(look.mean)
    return first_count(lambda count: half_width(count, look.deviation, level) < distance, look.count)


def first_count(decides: Callable[[int], bool], seeds: int) -> int | None:
    """Return the least number of seeds that would decide; None for more than ``MOST``.

    Args:
        decides: whether so many seeds would; more of them never take it back, as intervals get narrower.
        seeds: that there are, and do not decide.
    """
    if not decides(MOST):
        return None
    low, high = max(2, seeds), MOST
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    return high


def is_futile(seeds: int, need: int | None) -> bool:
    """Whether a comparison without a verdict is given up.

    Args:
        seeds: that were looked at.
        need: forecast of the seeds that decide, in all; None for more than can be forecast.
    """
    return seeds >= FUTILE_FROM and (need is None or need > FUTILE_BEYOND)


def _moments(differences: Sequence[float], floor: float) -> tuple[float, float]:
    """Return the mean, and the standard deviation or its floor; in two passes, as scores near 1 lose all digits."""
    count = len(differences)
    mean = math.fsum(differences) / count
    if count < 2:
        return mean, math.nan
    variance = math.fsum((one - mean) ** 2 for one in differences) / (count - 1)
    return mean, max(math.sqrt(variance), floor)
