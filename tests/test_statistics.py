"""Intervals and tests, against SciPy's own, by hand, and by simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from nacbench.statistics import (
    holm,
    mcnemar,
    paired_bootstrap,
    paired_difference,
    seeds_needed,
    smallest_difference,
    t_interval,
    wilson_interval,
)

SEEDS = [3, 5, 10]


def test_t_interval_by_hand() -> None:
    mean = t_interval([1.0, 2.0, 3.0])
    assert mean.value == 2.0
    assert mean.half_width == pytest.approx(4.302652729911275 * 1.0 / math.sqrt(3))
    assert mean.count == 3


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_t_interval_equals_scipy(confidence: float) -> None:
    values = [0.61, 0.63, 0.58, 0.66]
    low, high = stats.t.interval(confidence, 3, loc=np.mean(values), scale=stats.sem(values))
    mean = t_interval(values, confidence)
    assert (mean.value - mean.half_width, mean.value + mean.half_width) == pytest.approx((low, high))


@pytest.mark.parametrize("seeds", SEEDS)
def test_t_interval_has_its_nominal_coverage(seeds: int) -> None:
    draws = np.random.default_rng(0).normal(0.6, 0.01, (5_000, seeds))
    covered = [abs(mean.value - 0.6) <= mean.half_width for mean in map(t_interval, draws.tolist())]
    assert 0.93 <= np.mean(covered) <= 0.97


def test_an_interval_of_shares_is_cut_to_0_to_1_and_holds_the_mean_as_often() -> None:
    """Scores near 100 % with rare failures: the worst case, in which half of the intervals reach beyond."""
    rng = np.random.default_rng(0)
    samples = np.clip(1 - rng.exponential(0.05, (2000, 3)), 0, 1)
    truth = float(np.clip(1 - rng.exponential(0.05, 10**6), 0, 1).mean())
    whole = [t_interval(own) for own in samples.tolist()]
    cut = [t_interval(own, within=(0, 1)) for own in samples.tolist()]
    assert 0.3 < np.mean([mean.is_cut for mean in cut]) < 0.9
    assert all(0 <= mean.interval[0] <= mean.value <= mean.interval[1] <= 1 for mean in cut)
    holds = [[mean.interval[0] <= truth <= mean.interval[1] for mean in own] for own in (whole, cut)]
    assert holds[0] == holds[1]


def test_t_interval_of_one_value_and_of_none() -> None:
    assert math.isnan(t_interval([0.5]).half_width)
    with pytest.raises(ValueError, match="at least one value"):
        t_interval([])


@pytest.mark.parametrize(("hits", "count"), [(0, 10), (10, 10), (3, 7), (951, 1000)])
def test_wilson_interval_equals_scipy(hits: int, count: int) -> None:
    expected = stats.binomtest(hits, count).proportion_ci(method="wilson")
    assert wilson_interval(hits, count) == pytest.approx((expected.low, expected.high), abs=1e-12)


# -- differences between two models on the same seeds --------------------------------------------------------------


def test_paired_difference_equals_scipy() -> None:
    a, b = [0.61, 0.63, 0.58, 0.66], [0.60, 0.60, 0.57, 0.61]
    expected = stats.ttest_rel(a, b)
    low, high = expected.confidence_interval(0.95)
    found = paired_difference(a, b)
    assert found.p == pytest.approx(expected.pvalue)
    assert found.count == 4
    assert found.interval == pytest.approx((low, high))
    assert found.value == pytest.approx(0.025)
    assert found.deviation == pytest.approx(np.std(np.subtract(a, b), ddof=1))


def test_paired_difference_removes_variance_shared_by_seeds() -> None:
    hard = np.array([0.0, 0.2, 0.4, 0.6])
    assert paired_difference((hard + 0.1).tolist(), hard.tolist()).half_width == pytest.approx(0, abs=1e-12)


def test_paired_difference_of_equal_values_and_of_single_pairs() -> None:
    for second in ([0.25, 0.25], [0.5, 0.5]):  # without a spread nothing can be tested
        found = paired_difference([0.5, 0.5], second)
        assert (found.value, found.deviation) == (0.5 - second[0], 0)
        assert math.isnan(found.p) and math.isnan(found.half_width)
    single = paired_difference([0.5], [0.25])
    assert (single.value, single.count) == (0.25, 1)
    assert math.isnan(single.p)
    assert math.isnan(single.half_width)
    with pytest.raises(ValueError, match="not 2 and 1"):
        paired_difference([0.5, 0.6], [0.5])


def test_a_floor_replaces_a_smaller_spread() -> None:
    tied = paired_difference([0.5, 0.5, 0.5], [0.4, 0.4, 0.4], floor=0.01)
    assert tied.p == pytest.approx(2 * stats.t.sf(0.1 * math.sqrt(3) / 0.01, 2))
    assert tied.half_width == pytest.approx(stats.t.ppf(0.975, 2) * 0.01 / math.sqrt(3))
    assert tied.deviation == 0.01
    assert t_interval([0.5, 0.5, 0.5], floor=0.01).half_width == pytest.approx(tied.half_width)
    wide = [0.5, 0.7, 0.9]
    assert t_interval(wide, floor=0.01) == t_interval(wide)


@pytest.mark.parametrize("seeds", SEEDS)
def test_paired_difference_has_its_nominal_error_rate_and_coverage(seeds: int) -> None:
    rng = np.random.default_rng(1)
    shared = rng.normal(0.6, 0.05, (4_000, seeds))
    first, second = (shared + rng.normal(0, 0.01, shared.shape) for _ in range(2))
    found = [paired_difference(a, b) for a, b in zip(first.tolist(), second.tolist(), strict=True)]
    assert 0.04 <= np.mean([difference.p < 0.05 for difference in found]) <= 0.06
    assert 0.93 <= np.mean([low <= 0 <= high for low, high in (difference.interval for difference in found)]) <= 0.97


# -- differences between two networks on the same test examples ----------------------------------------------------


def test_mcnemar_counts_discordant_examples_only() -> None:
    both, first, second, none = np.ones(70), np.ones(15), np.zeros(5), np.zeros(10)
    a = np.concatenate([both, first, second, none]).astype(bool)
    b = np.concatenate([both, 1 - first, 1 - second, none]).astype(bool)
    assert mcnemar(a, b) == pytest.approx(stats.binomtest(15, 20).pvalue)
    assert mcnemar(b, a) == mcnemar(a, b)
    assert mcnemar(a, a) == 1
    with pytest.raises(ValueError, match="the same examples"):
        mcnemar(a, b[1:])


def answers(rng: np.random.Generator, size: tuple[int, int], accuracy: float) -> tuple[np.ndarray, np.ndarray]:
    """Two networks that are equally good and agree more than by chance."""
    shared = rng.random(size)
    mixed = [np.where(rng.random(size) < 0.7, shared, rng.random(size)) for _ in range(2)]
    return mixed[0] < accuracy, mixed[1] < accuracy


def test_mcnemar_keeps_its_nominal_error_rate() -> None:
    first, second = answers(np.random.default_rng(2), (2_000, 1_000), 0.8)
    false_alarms = np.mean([mcnemar(a, b) < 0.05 for a, b in zip(first, second, strict=True)])
    assert 0.02 <= false_alarms <= 0.055  # the exact test is on the safe side


def test_paired_bootstrap_has_its_nominal_coverage() -> None:
    first, second = answers(np.random.default_rng(3), (1_000, 500), 0.8)
    intervals = [paired_bootstrap(a, b, samples=1_000) for a, b in zip(first, second, strict=True)]
    assert 0.93 <= np.mean([low <= 0 <= high for low, high in intervals]) <= 0.97


def test_paired_bootstrap_equals_scipy() -> None:
    rng = np.random.default_rng(4)
    first, second = rng.normal(1.0, 1, 200), rng.normal(0.8, 1, 200)
    expected = stats.bootstrap(
        (first - second,), np.mean, n_resamples=20_000, method="percentile", random_state=np.random.default_rng(5)
    ).confidence_interval
    assert paired_bootstrap(first, second, samples=20_000) == pytest.approx((expected.low, expected.high), abs=0.01)
    assert paired_bootstrap(first, second) == paired_bootstrap(first, second)
    with pytest.raises(ValueError, match="the same examples"):
        paired_bootstrap(first, second[1:])


# -- many tests, and what few seeds can show -----------------------------------------------------------------------


def test_holm_by_hand() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}) == pytest.approx(
        {"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02}
    )
    corrected = holm({"a": 0.01, "b": math.nan, "c": 0.9})
    assert (corrected["a"], corrected["c"]) == (0.02, 0.9)
    assert math.isnan(corrected["b"])
    assert holm({"a": 0.8, "b": 0.9})["a"] == 1
    assert holm({}) == {}


def test_holm_controls_the_family_wise_error_rate() -> None:
    rng = np.random.default_rng(6)
    alarms = [min(holm(dict(enumerate(row))).values()) < 0.05 for row in rng.random((4_000, 8)).tolist()]
    assert 0.04 <= np.mean(alarms) <= 0.06


@pytest.mark.parametrize("seeds", SEEDS)
def test_smallest_difference_has_its_nominal_power(seeds: int) -> None:
    difference = smallest_difference(0.01, seeds)
    draws = np.random.default_rng(7).normal(difference, 0.01, (4_000, seeds))
    zeros = [0.0] * seeds
    found = np.mean([paired_difference(row, zeros).p < 0.05 for row in draws.tolist()])
    assert 0.78 <= found <= 0.82


def test_seeds_needed_is_the_inverse_of_smallest_difference() -> None:
    for seeds in (2, 5, 17, 200):
        assert seeds_needed(smallest_difference(0.02, seeds) * 1.0001, 0.02) == seeds
    assert seeds_needed(0.0, 0.02) is None
    assert seeds_needed(1e-6, 0.02) is None
    assert seeds_needed(0.1, 0.0) == 2
    assert seeds_needed(10.0, 0.01) == 2
    assert smallest_difference(0.02, 1) == math.inf
    assert smallest_difference(0.0, 3) == 0
