"""The rule by which comparisons are decided while seeds are added: reference values, and rates by simulation."""

import math
import random
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nacbench.reporting.anytime import LEVEL, PRIOR, Decision, Look, decide, forecast, half_width, log_e, looks

# Decimal arithmetic of 60 digits on the differences as written: differences, bar, floor, ln E, half width at 5 %
REFERENCE = [
    ([0.02, 0.03, 0.01], 0, 0, 0.9867602417234513, 0.099541796679492),
    ([0.02, 0.03, 0.01], -0.02, 0, 2.209459115004562, 0.099541796679492),
    ([0.02, 0.02, 0.02], 0, 0, 3.2188758248682006, 0.0),
    ([0.02, 0.02, 0.02], 0, 1 / 300, 2.6757038240163746, 0.033180598893164),
    ([0.0] * 4, 0, 0.001, -1.7482537807332401, 0.0032856591581553163),
    ([0.01, -0.02, 0.03, 0.00, 0.01], 0, 0, -1.5455036636706978, 0.04355810047387459),
    ([0.05, 0.048, 0.052, 0.047, 0.055], 0, 0.001, 7.123069390396165, 0.007695388938915258),
    ([0.05, 0.048, 0.052, 0.047, 0.055], 0.0125, 0.001, 6.913367331583342, 0.007695388938915258),
    ([0.01, 0.012, 0.009, 0.011, 0.010, 0.013, 0.008, 0.012], 0, 0.0001, 11.145123080609052, 0.0025957627297611536),
    (
        [0.003, -0.001, 0.004, 0.002, 0.006, -0.002, 0.001, 0.005, 0.003, 0.000, 0.004, 0.002],
        0,
        0.0001,
        1.6476337044208107,
        0.0027845377060403123,
    ),
]
WIDTHS = {
    0.05: {
        3: 9.9541796679492,
        4: 3.2856591581553163,
        5: 2.3977945149734636,
        10: 1.3046373426244844,
        20: 0.842778132471681,
        50: 0.5160475563283158,
    },
    0.05 / 12: {3: math.inf, 4: math.inf, 5: 5.133701557498467, 10: 1.8652213949995502, 20: 1.0886684802762228},
}


@pytest.mark.parametrize(("differences", "bar", "floor", "evidence", "width"), REFERENCE)
def test_evidence_and_interval_are_those_of_sixty_digits(
    differences: list[float], bar: float, floor: float, evidence: float, width: float
) -> None:
    assert log_e(differences, bar, floor) == pytest.approx(evidence, rel=1e-12)
    last = looks(differences, bar, floor)[-1]
    assert half_width(last.count, last.deviation) == pytest.approx(width, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("level", WIDTHS)
def test_width_in_deviations(level: float) -> None:
    for count, width in WIDTHS[level].items():
        assert half_width(count, 1.0, level) == pytest.approx(width, rel=1e-12)
    assert half_width(1, 1.0, level) == half_width(2, 1.0, level) == math.inf


def test_evidence_equals_an_integral_over_the_effect() -> None:
    """The mixture of noncentral t densities over the prior, by quadrature, which shares no algebra with the formula."""
    from scipy.stats import nct, norm, t

    differences = [0.02, 0.05, -0.01, 0.04]
    count = len(differences)
    statistic = np.mean(differences) / (np.std(differences, ddof=1) / math.sqrt(count))
    effects = np.linspace(-30, 30, 6001)
    prior = norm.pdf(effects, scale=math.sqrt(PRIOR))
    density = np.trapezoid(nct.pdf(statistic, count - 1, effects * math.sqrt(count)) * prior, effects)
    assert log_e(differences) == pytest.approx(math.log(density / t.pdf(statistic, count - 1)), abs=1e-6)


def test_a_bar_is_refused_exactly_where_it_lies_outside_the_interval() -> None:
    draws = random.Random(0)
    for _ in range(2000):
        count = draws.randint(2, 12)
        differences = [draws.gauss(0.3, 1) for _ in range(count)]
        bar, floor = draws.gauss(0, 2), draws.choice([0.0, 0.5, 2.0])
        last = looks(differences, bar, floor)[-1]
        outside = abs(last.mean - bar) > half_width(count, last.deviation)
        assert (log_e(differences, bar, floor) >= -math.log(LEVEL)) == outside


def test_the_unit_and_the_bar_do_not_matter() -> None:
    differences = [0.5, 0.25, 0.75, 0.5, 1.0]
    evidence = log_e(differences, bar=0.125)
    assert log_e([1000 * one for one in differences], bar=125.0) == pytest.approx(evidence, rel=1e-12)
    assert log_e([one + 4 for one in differences], bar=4.125) == pytest.approx(evidence, rel=1e-12)


def test_extremes_are_finite() -> None:
    large = looks([10.0 + (number % 2) for number in range(1000)])
    assert large[-1].log_e > 709  # its exponential is more than a float holds
    assert large[-1].p == 0.0 or large[-1].p > 0
    assert log_e([0.3] * 5) == pytest.approx(math.log1p(5 * PRIOR) * 2)
    assert log_e([0.3]) == 0.0
    assert looks([0.3])[0].p == 1.0 and looks([0.3, 0.3])[1].low == -math.inf


def rate_of_decisions(paths: np.ndarray, floor: float = 0.0, level: float = LEVEL) -> float:
    """The share of paths (repetitions×seeds) on which 0 is ever outside of the interval; vectorised, other code."""
    counts = np.arange(1, paths.shape[1] + 1)
    means = np.cumsum(paths, axis=1) / counts
    decided = np.zeros(len(paths), dtype=bool)
    for count in range(3, paths.shape[1] + 1):
        deviation = np.maximum(paths[:, :count].std(axis=1, ddof=1), floor)
        decided |= np.abs(means[:, count - 1]) > half_width(count, 1.0, level) * deviation
    return float(decided.mean())


Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
NOISE: dict[str, Draw] = {  # as docs/statistics.md calls them; all have mean 0, and those of hits a step of 1
    "normal": lambda rng, shape: rng.normal(size=shape),
    "Student's t with 3 degrees of freedom": lambda rng, shape: rng.standard_t(3, shape),
    "Laplace": lambda rng, shape: rng.laplace(size=shape),
    "one seed of ten ten times as wide": lambda rng, shape: rng.normal(size=shape) * (1 + 9 * _tenth(rng, shape)),
    "hits in 300 examples, 3 % of them undecided": lambda rng, shape: _hits(rng, shape) - _hits(rng, shape),
    "either model collapses on a tenth of its seeds": lambda rng, shape: (
        rng.normal(size=shape) + 20 * (_tenth(rng, shape) - _tenth(rng, shape))
    ),
    "exponential (skewed)": lambda rng, shape: rng.exponential(size=shape) - 1,
    "lognormal (strongly skewed)": lambda rng, shape: rng.lognormal(size=shape) - math.exp(0.5),
    "only one model collapses, on a tenth of its seeds": lambda rng, shape: (
        rng.normal(size=shape) + 2 - 20 * _tenth(rng, shape)
    ),
}
SKEWED = ("exponential", "lognormal", "only one model collapses")  # where the promise does not hold
DOCS = Path(__file__).parents[2] / "docs" / "statistics.md"


def _tenth(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """1 on a tenth of the seeds, otherwise 0."""
    return (rng.random(shape) < 0.1).astype(float)


def _hits(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Hits among the examples on which seeds disagree."""
    return rng.binomial(300, 0.03, shape).astype(float)


def documented(noise: str) -> list[float]:
    """The rates that the documentation states for 5, 20 and 30 looks, as fractions."""
    (row,) = [line for line in DOCS.read_text("utf-8").splitlines() if line.startswith(f"| {noise} |")]
    return [float(rate) / 100 for rate in re.findall(r"([0-9.]+) %[ *]*\|", row.removeprefix(f"| {noise} |"))]


@pytest.mark.parametrize("noise", NOISE)
def test_rate_of_wrong_decisions_under_a_look_after_every_seed(noise: str) -> None:
    paths = NOISE[noise](np.random.default_rng(1), (20_000, 30))
    rates = [rate_of_decisions(paths[:, :last], floor=float("hits" in noise)) for last in (2, 5, 20, 30)]
    assert rates[0] == 0.0  # two seeds decide nothing
    assert rates[1:] == pytest.approx(documented(noise), abs=0.0055)  # three standard errors of a rate near 5 %
    assert (rates[-1] <= 0.05) == (not noise.startswith(SKEWED))


def test_the_rate_for_normal_differences_is_that_of_an_exact_recursion() -> None:
    paths = np.random.default_rng(5).normal(size=(50_000, 20))
    assert rate_of_decisions(paths) == pytest.approx(0.02387, abs=0.002)


@pytest.mark.parametrize(("effect", "share"), [(0.5, 0.19), (1.0, 0.81), (2.0, 1.0)])
def test_what_twenty_seeds_can_find(effect: float, share: float) -> None:
    paths = np.random.default_rng(7).normal(size=(20_000, 20)) + effect
    assert rate_of_decisions(paths) == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize(("margin", "share"), [(0.5, 0.01), (1.0, 0.63), (2.0, 1.0)])
def test_how_often_equal_models_are_shown_to_be_equivalent(margin: float, share: float) -> None:
    paths = np.random.default_rng(8).normal(size=(3000, 20))
    low, high = np.full(len(paths), -np.inf), np.full(len(paths), np.inf)
    for count in range(3, 21):
        mean, width = paths[:, :count].mean(axis=1), half_width(count, 1.0) * paths[:, :count].std(axis=1, ddof=1)
        low, high = np.maximum(low, mean - width), np.minimum(high, mean + width)
    equivalent = (low > -margin) & (high < margin)
    assert equivalent.mean() == pytest.approx(share, abs=0.03)
    few = [decide(looks(list(path)), margin).verdict == "equivalent" for path in paths[:300]]
    assert np.mean(few) == pytest.approx(equivalent[:300].mean(), abs=0.01)


@pytest.mark.parametrize("noise", ["normal", "Laplace"])
@pytest.mark.parametrize("margin", [1.0, 2.0])
def test_rate_of_wrong_verdicts_at_a_margin(noise: str, margin: float) -> None:
    """A true difference of just the margin is neither better by more nor equivalent."""
    paths = NOISE[noise](np.random.default_rng(6), (1500, 20)) + margin
    wrong = [decide(looks(list(path)), margin).verdict != "undecided" for path in paths]
    assert np.mean(wrong) <= 0.05


def test_the_t_test_would_be_wrong_four_times_as_often() -> None:
    """Why there is a rule of its own: the same looks, decided by Student's t."""
    from scipy.special import stdtrit

    paths = np.random.default_rng(2).normal(size=(20_000, 20))
    decided = np.zeros(len(paths), dtype=bool)
    for count in range(3, 21):
        bound = stdtrit(count - 1, 0.975) * paths[:, :count].std(axis=1, ddof=1) / math.sqrt(count)
        decided |= np.abs(paths[:, :count].mean(axis=1)) > bound
    assert decided.mean() == pytest.approx(0.233, abs=0.01)


def test_a_verdict_stays_although_later_seeds_widen_the_interval() -> None:
    differences = [0.05, 0.048, 0.052, 0.047]
    assert decide(looks(differences)).verdict == "better"
    at = decide(looks(differences)).seeds
    later = looks([*differences, 0.3, -0.2, 0.4])
    assert half_width(7, later[-1].deviation) > later[-1].mean
    assert decide(later).seeds == at
    assert decide(looks([-one for one in differences])).verdict == "worse"


def test_with_a_margin_there_is_equivalence() -> None:
    near = [0.001, -0.001, 0.002, 0.0, -0.001, 0.001, 0.0, 0.001]
    assert decide(looks(near)).verdict == "undecided"
    assert decide(looks(near), margin=0.01).verdict == "equivalent"
    assert decide(looks([0.05 + one for one in near]), margin=0.01).verdict == "better"
    assert decide(looks([0.011 + one for one in near]), margin=0.01).verdict == "undecided"
    with pytest.raises(ValueError, match="a margin is a distance"):
        decide([], margin=-0.01)


def test_seeds_of_two_distributions_contradict_each_other() -> None:
    found = looks([0.001, -0.001, 0.0, 0.001, -0.001, 0.0, *[-9.0] * 100])
    assert decide(found[:6]) == Decision("undecided", None)
    assert decide(found).verdict == "contradictory"


def test_earlier_looks_are_the_same_when_seeds_are_added() -> None:
    differences = [0.05, 0.048, 0.052, 0.047, 0.055]
    assert looks(differences)[:4] == looks(differences[:4])


@pytest.mark.parametrize(("mean", "margin"), [(1.0, 0.0), (0.5, 0.0), (2.0, 1.0), (0.2, 1.0)])
def test_forecast_is_the_least_number_of_seeds_that_decides(mean: float, margin: float) -> None:
    seeds = forecast(Look(5, mean, 1.0, 0.0, 1.0, -math.inf, math.inf), margin)
    assert seeds is not None
    distance = abs(mean - margin)
    assert half_width(seeds, 1.0) < distance <= half_width(seeds - 1, 1.0)


def test_forecast_of_what_is_never_decided() -> None:
    assert forecast(Look(5, 0.0, 1.0, 0.0, 1.0, -math.inf, math.inf)) is None
    assert forecast(Look(1, 0.5, math.nan, 0.0, 1.0, -math.inf, math.inf)) == 3
