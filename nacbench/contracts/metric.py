"""What a number that scores a network means: its direction, its range, how it is shown, and how it is drawn again.

Intervals, signs of differences, the order of rows, bold, axes and units all follow from a task's `Metric`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from nacbench.statistics import wilson_interval

if TYPE_CHECKING:
    import numpy as np

    from nacbench.statistics import Mean

Better = Literal["higher", "lower"]
MeanOf = Literal["hits", "values", "nothing"]
Columns = Mapping[str, "np.ndarray"]  # predictions by name, each with one entry per example

DIGITS = 4  # of a number that is not in per cent
MOST_DECIMALS = 6
ROUNDING = 1e-6  # by which a value may lie outside its range: a mean of float32 numbers, for example


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric: a name in `nacbench.contracts.task.Evaluation.metrics`, and what its numbers mean.

    Attributes:
        name: as in the metrics of an evaluation.
        about: what it is, in a few words, for readers of a table; say what is left open, such as the binning.
        better: whether higher or lower values are better.
        least, most: range of possible values, infinite where there is no end.
        percent: whether a value is shown in per cent and a difference in points, as a share in 0 to 1 is.
        unit: of a value that is not shown in per cent, such as ``nats``; empty if it has none.
        mean_of: what the metric is a mean over examples of: ``hits``, each 0 or 1, so that N examples give steps of
            1/N and a binomial interval; ``values``, one number each; ``nothing``, if it is no such mean.
        columns: names of the columns of predictions that ``values`` or ``value`` read.
        values: gives one number per example from the predictions of N examples; their mean is the metric. It draws
            the metric again on other examples, and gives it for records that do not hold it.
        value: gives the metric from the predictions of N examples, if it is no mean; NaN where it is not defined.
    """

    name: str
    about: str = ""
    better: Better = "higher"
    least: float = -math.inf
    most: float = math.inf
    percent: bool = False
    unit: str = ""
    mean_of: MeanOf = "nothing"
    columns: tuple[str, ...] = ()
    values: Callable[[Columns], np.ndarray] | None = field(default=None, compare=False, repr=False)
    value: Callable[[Columns], float] | None = field(default=None, compare=False, repr=False)

    # -- order

    def gain(self, difference: float) -> float:
        """Return by how much the first of two values is better, from their difference: negative if it is worse."""
        return difference if self.better == "higher" else -difference

    def order(self, value: float) -> float:
        """Return a key that sorts values, the best first and NaN last."""
        return math.inf if math.isnan(value) else -self.gain(value)

    def within(self, low: float, high: float) -> tuple[float, float]:
        """Return the ends of an interval, cut to the range of possible values."""
        return max(low, self.least), min(high, self.most)

    def possible(self, low: float, high: float) -> tuple[float, float]:
        """Return the ends of an interval of the difference of two values, cut to the differences that can occur.

        They are in the metric's own unit, as shares and not points: for an accuracy from -1 to 1.
        """
        return max(low, self.least - self.most), min(high, self.most - self.least)

    def allows(self, value: float) -> bool:
        """Whether a value lies in the range, but for rounding."""
        return self.least - ROUNDING <= value <= self.most + ROUNDING

    # -- on examples

    @property
    def is_computable(self) -> bool:
        """Whether it can be computed from predictions."""
        return self.values is not None or self.value is not None

    def of(self, columns: Columns) -> float:
        """Return the metric of N examples, from their predictions."""
        if self.values is not None:
            return float(self.values(columns).mean(dtype=float))
        if self.value is None:
            raise ValueError(f"{self.name} is not computed from predictions")
        return float(self.value(columns))

    def grain(self, examples: int) -> float:
        """Return the step between two possible values over so many examples; 0 if there is none."""
        return 1 / examples if self.mean_of == "hits" and examples else 0.0

    def over_examples(self, value: float, examples: int) -> tuple[float, float] | None:
        """Return the Wilson interval over independent test examples; None if the metric is no share of hits."""
        if self.mean_of != "hits" or not examples or not 0 <= value <= 1:
            return None
        return wilson_interval(round(value * examples), examples)

    # -- as text

    def scaled(self, value: float) -> float:
        """Return a value in the unit that it is shown in: per cent, or its own."""
        return 100 * value if self.percent else value

    @property
    def shown_unit(self) -> str:
        """Unit of values as shown: ``%``, or its own."""
        return "%" if self.percent else self.unit

    @property
    def difference_unit(self) -> str:
        """Unit of differences as shown: ``points``, or its own."""
        return "points" if self.percent else self.unit

    @property
    def heading(self) -> str:
        """Its name for an axis, with the unit, and where lower values are better with that: ``accuracy (%)``."""
        told = ", ".join(filter(None, [self.shown_unit, self.direction if self.better == "lower" else ""]))
        return f"{self.name} ({told})" if told else self.name

    @property
    def direction(self) -> str:
        """Which values are better, in words: ``lower is better``."""
        return f"{self.better} is better"

    def decimals(self, *values: float) -> int:
        """Return how many decimals show these values: two in per cent, otherwise four digits of the largest."""
        if self.percent:
            return 2
        largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
        whole = math.floor(math.log10(largest)) + 1 if largest else 1
        return min(max(DIGITS - whole, 0), MOST_DECIMALS)

    def number(self, value: float) -> str:
        """Return a value as text without its unit: ``81.20`` for a share of 0.812."""
        return _plain(self.scaled(value), self.decimals(value))

    def text(self, mean: Mean) -> str:
        """Return a mean with its interval as text, as ``61.20 ± 0.45``; without interval for a single seed.

        An interval that is cut at an end of the range is shown by its ends, as ``97.00 (90.12 to 100.00)``, since it
        does not lie evenly about the mean. A half width that is not 0 is not shown as 0.
        """
        places = self.decimals(mean.value, mean.half_width)
        value = _plain(self.scaled(mean.value), places)
        if math.isnan(mean.half_width):
            return value
        if mean.is_cut:
            low, high = (_plain(self.scaled(end), places) for end in mean.interval)
            return f"{value} ({low} to {high})"
        return f"{value} ± {self._half(mean.half_width, places)}"

    def with_unit(self, text: str) -> str:
        """Return a number as text with the unit behind it."""
        return f"{text} {self.shown_unit}" if self.shown_unit else text

    def value_text(self, value: float) -> str:
        """Return a value as text with its unit: ``81.20 %`` for a share of 0.812."""
        return self.with_unit(self.number(value))

    def change(self, difference: float, unit: bool = True) -> str:
        """Return a difference with its sign and unit: ``+2.31 points``."""
        (text,) = self.changes(difference)
        return self.with_difference_unit(text) if unit else text

    def change_text(self, difference: float, half_width: float) -> str:
        """Return a difference with its interval as text: ``+2.31 ± 0.40 points``."""
        places = self.decimals(difference, half_width)
        return self.with_difference_unit(f"{self.scaled(difference):+.{places}f} ± {self._half(half_width, places)}")

    def _half(self, half_width: float, places: int) -> str:
        half = self.scaled(half_width)
        return f"{max(half, 10**-places) if half else 0:.{places}f}"

    def changes(self, *differences: float) -> list[str]:
        """Return differences with their signs, as text with equally many decimals and without the unit."""
        places = self.decimals(*differences)
        return [f"{self.scaled(one):+.{places}f}" for one in differences]

    def between(self, low: float, high: float) -> str:
        """Return the ends of an interval of sizes of differences: ``1.20 to 3.40 points``."""
        places = self.decimals(low, high)
        return self.with_difference_unit(f"{self.scaled(low):.{places}f} to {self.scaled(high):.{places}f}")

    def size(self, difference: float) -> str:
        """Return the size of a difference with its unit: ``2.31 points``."""
        return self.with_difference_unit(f"{self.scaled(abs(difference)):.{self.decimals(difference)}f}")

    def with_difference_unit(self, text: str) -> str:
        """Return a difference as text with its unit behind it."""
        return f"{text} {self.difference_unit}" if self.difference_unit else text


def _plain(value: float, places: int) -> str:
    text = f"{value:.{places}f}"
    return text.removeprefix("-") if not value or float(text) == 0 else text  # not "-0.00"


def _hits(columns: Columns) -> np.ndarray:
    return columns["label"] == columns["prediction"]


def _nll(columns: Columns) -> np.ndarray:
    return columns["nll"]


ACCURACY = Metric(
    name="accuracy",
    about="share of examples whose answer is right",
    least=0,
    most=1,
    percent=True,
    mean_of="hits",
    columns=("label", "prediction"),
    values=_hits,
)
NLL = Metric(
    name="nll",
    about="mean negative log-likelihood of the right answers",
    better="lower",
    least=0,
    unit="nats",
    mean_of="values",
    columns=("nll",),
    values=_nll,
)
