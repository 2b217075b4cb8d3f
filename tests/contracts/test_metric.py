"""What a metric says of its numbers: which are better, how they read, and where they lie."""

import math

import pytest

from nacbench.contracts.metric import ACCURACY, NLL, Metric
from nacbench.statistics import Mean

RMSE = Metric(name="rmse", better="lower", least=0, unit="mm")
R2 = Metric(name="r2", most=1)


def test_gain_is_positive_where_the_first_value_is_better() -> None:
    assert ACCURACY.gain(0.9 - 0.8) > 0
    assert RMSE.gain(9.0 - 8.0) < 0


@pytest.mark.parametrize(("metric", "expected"), [(R2, [0.9, 0.1, -3.0]), (RMSE, [-3.0, 0.1, 0.9])])
def test_order_puts_the_best_first_and_nan_last(metric: Metric, expected: list[float]) -> None:
    *values, last = sorted([0.1, math.nan, -3.0, 0.9], key=metric.order)
    assert values == expected
    assert math.isnan(last)


@pytest.mark.parametrize(
    ("metric", "value", "half", "text"),
    [
        (ACCURACY, 0.612, 0.0045, "61.20 ± 0.45"),
        (ACCURACY, 0.612, math.nan, "61.20"),
        (RMSE, 54.2134, 1.2345, "54.21 ± 1.23"),
        (RMSE, 12345.6, 100.0, "12346 ± 100"),
        (NLL, 0.01234567, 0.002, "0.01235 ± 0.00200"),
        (R2, -0.0, math.nan, "0.000"),
        (R2, -0.25, 0.5, "-0.2500 ± 0.5000"),
    ],
)
def test_a_mean_reads_in_the_metric_s_unit(metric: Metric, value: float, half: float, text: str) -> None:
    assert metric.text(Mean(value, half, 3)) == text


def test_differences_of_shares_are_points_and_others_have_the_unit() -> None:
    assert ACCURACY.change(0.0231) == "+2.31 points"
    assert RMSE.change(-2.5) == "-2.500 mm"
    assert R2.change(0.5) == "+0.5000"
    assert ACCURACY.size(-0.0231) == "2.31 points"


def test_only_shares_of_hits_have_an_interval_over_examples_and_a_grain() -> None:
    low, high = ACCURACY.over_examples(0.812, 500) or (0, 0)
    assert (low, high) == pytest.approx((0.7754, 0.8438), abs=1e-4)
    assert ACCURACY.grain(500) == 0.002
    assert (R2.over_examples(-3.0, 500), R2.grain(500)) == (None, 0)
    assert ACCURACY.over_examples(0.8, 0) is None


def test_an_interval_is_cut_to_the_range() -> None:
    assert ACCURACY.within(-0.1, 1.2) == (0, 1)
    assert R2.within(-0.1, 1.2) == (-0.1, 1)
    assert NLL.within(-0.1, 1.2) == (0, 1.2)


def test_headings_name_the_unit_and_that_lower_is_better() -> None:
    assert [metric.heading for metric in (ACCURACY, RMSE, R2)] == ["accuracy (%)", "rmse (mm, lower is better)", "r2"]
