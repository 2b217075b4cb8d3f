"""Statistics over seeds and over test examples, each with its reference."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


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


def t_interval(values: Sequence[float], confidence: float = 0.95) -> Mean:
    """Mean and Student's t interval of independent, roughly normal values (Student 1908).

    Args:
        values: at least one, one a seed.
        confidence: in (0, 1).

    Returns:
        The mean, with ``half_width`` = t_{n-1} · s / √n, s the sample standard deviation with n - 1 in its denominator.
    """
    from scipy.stats import t

    count = len(values)
    if not count:
        raise ValueError("a mean needs at least one value")
    mean = math.fsum(values) / count
    if count == 1:
        return Mean(mean, math.nan, 1)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))
    quantile = float(t.ppf(0.5 + confidence / 2, count - 1))
    return Mean(mean, quantile * deviation / math.sqrt(count), count)


def wilson_interval(hits: int, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """The Wilson score interval of a proportion (Wilson 1927).

    Args:
        hits: successes, from 0 to ``count``.
        count: trials, at least one.
        confidence: in (0, 1).

    Returns:
        Lower and upper end, in [0, 1].
    """
    from scipy.stats import norm

    z = float(norm.ppf(0.5 + confidence / 2))
    share = hits / count
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, centre - half), min(1.0, centre + half)
