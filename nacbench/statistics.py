"""Statistics over seeds and over test examples, each with its reference.

Two kinds of chance are kept apart. Seeds: how much a score moves when training is repeated; `t_interval` and
`paired_difference` speak of that. Test examples: how much it would move on other examples of the same kind with the
very networks at hand; `wilson_interval`, `mcnemar` and `paired_bootstrap` speak of that, and not of training.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np

Key = TypeVar("Key")
MOST_SEEDS = 1000  # `seeds_needed` looks no further


@dataclass(frozen=True)
class Mean:
    """A mean over seeds.

    Attributes:
        value: the mean.
        half_width: of its interval; NaN for a single seed, which has none.
        count: number of seeds.
    """

    value: float
    half_width: float
    count: int


@dataclass(frozen=True)
class Difference:
    """A mean of paired differences over seeds.

    Attributes:
        value: the mean difference, first minus second.
        half_width: of its interval; NaN for a single pair.
        p: two-sided, of the paired t test; NaN for a single pair.
        deviation: sample standard deviation of the differences; NaN for a single pair.
        count: number of pairs.
    """

    value: float
    half_width: float
    p: float
    deviation: float
    count: int

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end."""
        return self.value - self.half_width, self.value + self.half_width


def t_interval(values: Sequence[float], confidence: float = 0.95) -> Mean:
    """Mean and Student's t interval of independent, roughly normal values (Student 1908).

    Args:
        values: at least one, one a seed.
        confidence: in (0, 1).

    Returns:
        The mean, with ``half_width`` = t_{n-1} · s / √n, s the sample standard deviation with n - 1 in its denominator.
    """
    count = len(values)
    if not count:
        raise ValueError("a mean needs at least one value")
    mean = math.fsum(values) / count
    if count == 1:
        return Mean(mean, math.nan, 1)
    return Mean(mean, _t_quantile(count - 1, confidence) * _deviation(values, mean) / math.sqrt(count), count)


def paired_difference(first: Sequence[float], second: Sequence[float], confidence: float = 0.95) -> Difference:
    """Mean difference of values that belong together, such as two models' scores with the same seed (Student 1908).

    Where all differences are the same, p is 0, or 1 if they are all 0.

    Args:
        first, second: one a seed, in the same order; at least one each.
        confidence: of the interval, in (0, 1).
    """
    from scipy.special import stdtr

    if len(first) != len(second):
        raise ValueError(f"pairs need as many values on both sides, not {len(first)} and {len(second)}")
    differences = [a - b for a, b in zip(first, second, strict=True)]
    mean = t_interval(differences, confidence)
    if mean.count == 1:
        return Difference(mean.value, math.nan, math.nan, math.nan, 1)
    deviation = _deviation(differences, mean.value)
    if deviation == 0:
        return Difference(mean.value, 0.0, float(mean.value == 0), 0.0, mean.count)
    statistic = abs(mean.value) * math.sqrt(mean.count) / deviation
    p = 2 * float(stdtr(mean.count - 1, -statistic))
    return Difference(mean.value, mean.half_width, p, deviation, mean.count)


def wilson_interval(hits: int, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """The Wilson score interval of a proportion (Wilson 1927).

    Args:
        hits: successes, from 0 to ``count``.
        count: trials, at least one.
        confidence: in (0, 1).

    Returns:
        Lower and upper end, in [0, 1].
    """
    from scipy.special import ndtri  # scipy.stats takes half a second to import

    z = float(ndtri(0.5 + confidence / 2))
    share = hits / count
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, centre - half), min(1.0, centre + half)


def mcnemar(first: "np.ndarray", second: "np.ndarray") -> float:
    """Two-sided p of McNemar's exact test that two networks err equally often (McNemar 1947; Dietterich 1998).

    Args:
        first, second: whether each answered the same N test examples right (bool).

    Returns:
        In (0, 1]; 1 where they never differ. Only the examples count that exactly one of them has right: of so many,
        a fair coin gives the number that the first has.
    """
    from scipy.stats import binomtest

    if first.shape != second.shape:
        raise ValueError(f"both must answer the same examples, not {first.shape} and {second.shape}")
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    discordant = only_first + only_second
    return float(binomtest(only_first, discordant).pvalue) if discordant else 1.0


def paired_bootstrap(
    first: "np.ndarray", second: "np.ndarray", confidence: float = 0.95, samples: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of the mean difference over test examples, drawn anew in pairs (Efron and Tibshirani 1993).

    Args:
        first, second: one value a test example, such as whether it was answered right, of the same N examples.
        confidence: in (0, 1).
        samples: bootstrap samples.
        seed: of the draws: the same call gives the same interval.

    Returns:
        Lower and upper end of the interval of ``mean(first - second)``.
    """
    import numpy as np

    if first.shape != second.shape:
        raise ValueError(f"both must answer the same examples, not {first.shape} and {second.shape}")
    differences = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    values, counts = np.unique(differences, return_counts=True)
    rng = np.random.default_rng(seed)
    # how often each value is drawn; of right and wrong there are three, whatever the number of examples
    batch = max(1, 10**7 // len(values))
    means = [
        rng.multinomial(len(differences), counts / counts.sum(), min(batch, samples - done)) @ values / len(differences)
        for done in range(0, samples, batch)
    ]
    tail = 0.5 - confidence / 2
    low, high = np.quantile(np.concatenate(means), [tail, 1 - tail])
    return float(low), float(high)


def holm(p_values: Mapping[Key, float]) -> dict[Key, float]:
    """p values of several tests, corrected so that any false alarm at all is as rare as asked for (Holm 1979).

    NaN, a test that could not be made, stays NaN and does not count.
    """
    order = sorted(((p, key) for key, p in p_values.items() if not math.isnan(p)), key=lambda pair: pair[0])
    corrected: dict[Key, float] = dict.fromkeys(p_values, math.nan)
    largest = 0.0
    for rank, (p, key) in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p))
        corrected[key] = largest
    return corrected


def smallest_difference(deviation: float, count: int, power: float = 0.8, confidence: float = 0.95) -> float:
    """The smallest true difference that the paired t test on so many seeds finds with this probability (Cohen 1988).

    Args:
        deviation: standard deviation of the differences between two models with the same seed.
        count: seeds; at least two.
        power: probability of finding it.
        confidence: of the test.
    """
    from scipy.optimize import brentq

    if count < 2:
        return math.inf
    if deviation == 0:
        return 0.0
    effect = brentq(lambda size: _power(size, count, confidence) - power, 1e-9, 1e4)
    return float(effect) * deviation


def seeds_needed(difference: float, deviation: float, power: float = 0.8, confidence: float = 0.95) -> int | None:
    """Seeds with which the paired t test finds a true difference with this probability; None if over ``MOST_SEEDS``.

    Args:
        difference: the true one, supposed.
        deviation: standard deviation of the differences between two models with the same seed.
        power: probability of finding it.
        confidence: of the test.
    """
    if difference == 0:
        return None
    if deviation == 0:
        return 2
    effect = abs(difference) / deviation
    if _power(effect, MOST_SEEDS, confidence) < power:
        return None
    low, high = 1, MOST_SEEDS  # power grows with the number of seeds
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _power(effect, middle, confidence) >= power else (middle, high)
    return high


def _power(effect: float, count: int, confidence: float) -> float:
    """Probability that the two-sided paired t test on ``count`` pairs finds a difference of so many deviations."""
    import numpy as np
    from scipy.special import gammaincinv, ndtr

    # given the deviation that is measured, the test is a normal one; Gauss and Legendre average over the measured ones
    nodes, weights = np.polynomial.legendre.leggauss(200)
    chi_squared = 2 * gammaincinv((count - 1) / 2, (nodes + 1) / 2)  # its quantiles
    measured = np.sqrt(chi_squared / (count - 1))
    bound = _t_quantile(count - 1, confidence) * measured
    shift = effect * math.sqrt(count)
    return float((ndtr(shift - bound) + ndtr(-shift - bound)) @ weights / 2)


@cache
def _t_quantile(freedom: int, confidence: float) -> float:
    """Half width, in standard errors, of an interval of Student's t with so many degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.5 + confidence / 2))


def _deviation(values: Sequence[float], mean: float) -> float:
    return math.sqrt(math.fsum([(value - mean) ** 2 for value in values]) / (len(values) - 1))
