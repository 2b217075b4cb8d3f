"""Intervals, against SciPy's own, by hand, and by simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from nacbench.results.statistics import t_interval, wilson_interval


def test_t_interval_by_hand() -> None:
    mean = t_interval([1.0, 2.0, 3.0])
    assert mean.value == 2.0
    assert mean.half_width == pytest.approx(4.302652729911275 * 1.0 / math.sqrt(3))
    assert mean.count == 3


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_t_interval_is_scipy_s(confidence: float) -> None:
    values = [0.61, 0.63, 0.58, 0.66]
    low, high = stats.t.interval(confidence, 3, loc=np.mean(values), scale=stats.sem(values))
    mean = t_interval(values, confidence)
    assert (mean.value - mean.half_width, mean.value + mean.half_width) == pytest.approx((low, high))


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_t_intervals_cover_the_truth_as_often_as_they_say(seeds: int) -> None:
    draws = np.random.default_rng(0).normal(0.6, 0.01, (5_000, seeds))
    covered = [abs(mean.value - 0.6) <= mean.half_width for mean in map(t_interval, draws.tolist())]
    assert 0.93 <= np.mean(covered) <= 0.97


def test_one_seed_has_no_interval_and_none_has_no_mean() -> None:
    assert math.isnan(t_interval([0.5]).half_width)
    with pytest.raises(ValueError, match="at least one value"):
        t_interval([])


@pytest.mark.parametrize(("hits", "count"), [(0, 10), (10, 10), (3, 7), (951, 1000)])
def test_wilson_interval_is_scipy_s(hits: int, count: int) -> None:
    expected = stats.binomtest(hits, count).proportion_ci(method="wilson")
    assert wilson_interval(hits, count) == pytest.approx((expected.low, expected.high), abs=1e-12)
