"""Confidence intervals and significance tests over seeds and over test examples, each with its reference.

Two sources of variance are kept apart. Seeds: how much a score varies when training is repeated (`t_interval`,
`paired_difference`). Test examples: how much it would vary on other examples from the same distribution with the same
trained networks (`wilson_interval`, `mcnemar`, `paired_bootstrap`).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np

Key = TypeVar("Key")
MOST_SEEDS = 1000  # upper limit of the search in `seeds_needed`
UNBOUNDED = (-math.inf, math.inf)


@dataclass(frozen=True)
class Mean:
    """A mean over seeds.

    Attributes:
        value: the mean.
        half_width: of the confidence interval; NaN for a single seed.
        count: number of seeds.
        within: ends of the range that the mean must lie in, such as (0, 1) for a share.
    """

    value: float
    half_width: float
    count: int
    within: tuple[float, float] = UNBOUNDED

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end of the confidence interval, cut to the range; both NaN for a single seed.

        Student's interval can reach beyond the range. The mean cannot, so an interval that is cut there holds the mean
        exactly as often as the whole one: nothing is claimed that the data do not show.
        """
        low, high = self.within
        # NaN first, as min and max keep their first argument then
        return max(self.value - self.half_width, low), min(self.value + self.half_width, high)

    @property
    def is_cut(self) -> bool:
        """Whether the interval reaches beyond the range."""
        return self.value - self.half_width < self.within[0] or self.value + self.half_width > self.within[1]


@dataclass(frozen=True)
class Difference:
    """A mean of paired differences over seeds.

    Attributes:
        value: the mean difference, first minus second.
        half_width: of the confidence interval; NaN for a single pair, and without any spread.
        p: two-sided p-value of the paired t test; NaN likewise.
        deviation: sample standard deviation of the differences, at least its floor; NaN for a single pair.
        count: number of pairs.
        looks: what `nacbench.reporting.anytime.difference` adds if the number of pairs was not fixed beforehand. Then
            ``p`` and ``half_width`` are anytime-valid: they hold however often one looked.
    """

    value: float
    half_width: float
    p: float
    deviation: float
    count: int
    looks: "Looks | None" = None

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end of the confidence interval."""
        return self.looks.interval if self.looks else (self.value - self.half_width, self.value + self.half_width)

    @property
    def lead(self) -> float:
        """Number whose sign says which of the two is ahead where ``p`` was found."""
        return self.looks.lead if self.looks else self.value


@dataclass(frozen=True)
class Looks:
    """What a difference has in addition if one looked at it after each pair.

    Attributes:
        interval: the largest lower and the smallest upper end of all looks; up to the last one at which the lower was
            not above the upper.
        lead: mean difference at the look with the least p-value.
        decided: number of pairs at which zero was first outside of the interval; None if it never was.
        contradictory: whether the ends have crossed at a later look, so that the pairs are not of one distribution.
    """

    interval: tuple[float, float]
    lead: float
    decided: int | None
    contradictory: bool = False


def t_interval(
    values: Sequence[float],
    confidence: float = 0.95,
    floor: float = 0.0,
    within: tuple[float, float] = UNBOUNDED,
) -> Mean:
    """Return the mean and Student's t interval of independent, approximately normal values (Student 1908).

    Args:
        values: one per seed, at least one.
        confidence: in (0, 1).
        floor: least standard deviation. A share of N test examples has steps of 1/N, so that seeds which agree to the
            last example by chance do not show that there is no spread.
        within: ends of the range that the mean must lie in.

    Returns:
        The mean, with ``half_width`` = t_{n-1} · max(s, floor) / √n, where s is the sample standard deviation with
        denominator n - 1.

    Raises:
        ValueError: if there are no values.
    """
    count = len(values)
    if not count:
        raise ValueError("a mean needs at least one value; there are none")
    mean = math.fsum(values) / count  # fsum rounds once, so that the order of the seeds does not matter
    if count == 1:
        return Mean(mean, math.nan, 1, within)
    deviation = max(_deviation(values, mean), floor)
    return Mean(mean, _t_quantile(count - 1, confidence) * deviation / math.sqrt(count), count, within)


def paired_difference(
    first: Sequence[float], second: Sequence[float], confidence: float = 0.95, floor: float = 0.0
) -> Difference:
    """Return the mean of paired differences, such as two models' scores with equal seeds (paired t test, Student 1908).

    Args:
        first, second: one value per seed, in the same order; at least one each.
        confidence: of the interval, in (0, 1).
        floor: least standard deviation of the differences, as for `t_interval`. Without it, of tables of 18 pairs of
            equal models with three seeds, 44 % had a significant difference somewhere after correction; with a floor
            of one test example at most 5 % have.

    Returns:
        The difference; without any spread and floor its p and half width are NaN, as nothing can be tested.

    Raises:
        ValueError: if the lengths differ or are 0.
    """
    from scipy.special import stdtr

    if len(first) != len(second):
        raise ValueError(f"paired values need equal lengths, not {len(first)} and {len(second)}")
    differences = [a - b for a, b in zip(first, second, strict=True)]
    mean = t_interval(differences, confidence, floor)
    if mean.count == 1:
        return Difference(mean.value, math.nan, math.nan, math.nan, 1)
    deviation = max(_deviation(differences, mean.value), floor)
    if deviation == 0:
        return Difference(mean.value, math.nan, math.nan, 0.0, mean.count)
    statistic = abs(mean.value) * math.sqrt(mean.count) / deviation
    p = 2 * float(stdtr(mean.count - 1, -statistic))
    return Difference(mean.value, mean.half_width, p, deviation, mean.count)


def wilson_interval(hits: int, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a proportion (Wilson 1927).

    Args:
        hits: number of successes, from 0 to ``count``.
        count: number of trials, at least one.
        confidence: in (0, 1).

    Returns:
        Lower and upper end, in [0, 1].
    """
    z = NormalDist().inv_cdf(0.5 + confidence / 2)  # not scipy, which takes a fifth of a second of every run to import
    share = hits / count
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, centre - half), min(1.0, centre + half)


def mcnemar(first: "np.ndarray", second: "np.ndarray") -> float:
    """Return the two-sided p-value of McNemar's exact test of equal error rates (McNemar 1947; Dietterich 1998).

    Only examples count that exactly one network answers correctly. Under the null hypothesis the number that the first
    one answers correctly is binomial with probability 1/2.

    Args:
        first, second: whether each network answers the N test examples correctly, bool arrays.

    Returns:
        In (0, 1]; 1 if the networks never differ.

    Raises:
        ValueError: if the shapes differ.
    """
    from scipy.stats import binomtest

    if first.shape != second.shape:
        raise ValueError(f"both networks must answer the same examples, not {first.shape} and {second.shape}")
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    discordant = only_first + only_second
    return float(binomtest(only_first, discordant).pvalue) if discordant else 1.0


def paired_bootstrap(
    first: "np.ndarray", second: "np.ndarray", confidence: float = 0.95, samples: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of a mean difference over test examples (Efron and Tibshirani 1993).

    Args:
        first, second: one value per test example, for example 1 if answered correctly, for the same N examples.
        confidence: in (0, 1).
        samples: number of bootstrap samples.
        seed: of the random numbers.

    Returns:
        Lower and upper end of the interval of ``mean(first - second)``.

    Raises:
        ValueError: if the shapes differ.
    """
    import numpy as np

    if first.shape != second.shape:
        raise ValueError(f"both networks must answer the same examples, not {first.shape} and {second.shape}")
    differences = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    values, counts = np.unique(differences, return_counts=True)
    rng = np.random.default_rng(seed)
    # Draw how often each distinct value occurs instead of N indices: the same distribution, and differences of
    # right (1) and wrong (0) have three values, however many examples there are
    batch = max(1, 10**7 // len(values))  # bounds the memory: 10**7 counts of 8 bytes
    means = [
        rng.multinomial(len(differences), counts / counts.sum(), min(batch, samples - done)) @ values / len(differences)
        for done in range(0, samples, batch)
    ]
    tail = 0.5 - confidence / 2
    low, high = np.quantile(np.concatenate(means), [tail, 1 - tail])
    return float(low), float(high)


def resampled_interval(
    value: "Callable[[np.ndarray], float]", units: int, confidence: float = 0.95, samples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of a number that is no mean (Efron and Tibshirani 1993).

    Args:
        value: gives the number of a sample from how often it has each unit, whole numbers that sum to ``units``; NaN
            where it is not defined, as where a rare class was not drawn. Such samples do not count.
        units: number of independent units, such as test examples.
        confidence: in (0, 1).
        samples: number of bootstrap samples.
        seed: of the random numbers.

    Returns:
        Lower and upper end; NaN if no sample has a value.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    found = [value(np.bincount(rng.integers(0, units, units), minlength=units)) for _ in range(samples)]
    values = np.array([one for one in found if not math.isnan(one)])
    if not len(values):
        return math.nan, math.nan
    tail = 0.5 - confidence / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def holm(p_values: Mapping[Key, float]) -> dict[Key, float]:
    """Return Holm-corrected p-values, which control the family-wise error rate (Holm 1979).

    NaN, for a test that could not be made, stays NaN and is not counted.
    """
    order = sorted(((p, key) for key, p in p_values.items() if not math.isnan(p)), key=lambda pair: pair[0])
    corrected: dict[Key, float] = dict.fromkeys(p_values, math.nan)
    largest = 0.0
    for rank, (p, key) in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p))
        corrected[key] = largest
    return corrected


def smallest_difference(deviation: float, count: int, power: float = 0.8, confidence: float = 0.95) -> float:
    """Return the minimum detectable difference of a paired t test at a given power (Cohen 1988).

    Args:
        deviation: standard deviation of the paired differences over seeds.
        count: number of seeds; infinity is returned for fewer than two.
        power: probability of finding the difference, in (0, 1).
        confidence: 1 minus the significance level, in (0, 1).
    """
    from scipy.optimize import brentq

    if count < 2:
        return math.inf
    if deviation == 0:
        return 0.0
    effect = brentq(lambda size: _power(size, count, confidence) - power, 1e-9, 1e4)
    return float(effect) * deviation


def seeds_needed(difference: float, deviation: float, power: float = 0.8, confidence: float = 0.95) -> int | None:
    """Return the number of seeds at which a paired t test has a given power; None above ``MOST_SEEDS``.

    Args:
        difference: the assumed true difference.
        deviation: standard deviation of the paired differences over seeds.
        power: probability of finding the difference, in (0, 1).
        confidence: 1 minus the significance level, in (0, 1).
    """
    if difference == 0:
        return None
    if deviation == 0:
        return 2
    effect = abs(difference) / deviation
    if _power(effect, MOST_SEEDS, confidence) < power:
        return None
    low, high = 1, MOST_SEEDS  # bisection, since power grows with the number of seeds
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _power(effect, middle, confidence) >= power else (middle, high)
    return high


def _power(effect: float, count: int, confidence: float) -> float:
    """Return the power of the two-sided paired t test on ``count`` pairs for a difference of ``effect`` deviations."""
    import numpy as np
    from scipy.special import gammaincinv, ndtr

    # Given the sample deviation, the test statistic is normal. Average over the sample deviation by Gauss-Legendre
    # quadrature over its quantiles.
    nodes, weights = np.polynomial.legendre.leggauss(200)
    chi_squared = 2 * gammaincinv((count - 1) / 2, (nodes + 1) / 2)  # quantiles of chi-squared, count - 1 degrees
    measured = np.sqrt(chi_squared / (count - 1))
    bound = _t_quantile(count - 1, confidence) * measured
    shift = effect * math.sqrt(count)
    return float((ndtr(shift - bound) + ndtr(-shift - bound)) @ weights / 2)


@cache
def _t_quantile(freedom: int, confidence: float) -> float:
    """Return the half width of Student's t interval in standard errors, for the given degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.5 + confidence / 2))


def _deviation(values: Sequence[float], mean: float) -> float:
    return math.sqrt(math.fsum([(value - mean) ** 2 for value in values]) / (len(values) - 1))
