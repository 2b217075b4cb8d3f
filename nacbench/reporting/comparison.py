"""Comparison of two models or runs on a task: its conclusion in words, its numbers, and both as data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nacbench.contracts.metric import Metric
from nacbench.reporting.on_examples import OnExamples
from nacbench.reporting.series import Series
from nacbench.reporting.significance import LEVEL, leads
from nacbench.reporting.treatment import in_words
from nacbench.statistics import Difference, smallest_difference

if TYPE_CHECKING:
    import pandas as pd

UNEQUAL = "They were not treated equally, so this says nothing of the models alone; they differ in {}."


@dataclass(frozen=True, repr=False)
class Comparison:
    """Comparison of two series of runs of one task and scale.

    Attributes:
        first, second: the series.
        difference: of their scores, paired over shared seeds; None if they share none.
        examples: comparison on test examples for each shared seed whose predictions were recorded.
        warnings: why other seeds are not compared on examples, a line each.
        treatment: settings other than the models' own, by name, as text, in which the two differ: of each its values.
    """

    first: Series
    second: Series
    difference: Difference | None
    examples: Sequence[OnExamples]
    warnings: Sequence[str] = ()
    treatment: Sequence[Mapping[str, str]] = ()

    @property
    def verdict(self) -> str:
        """The conclusion in words, which is about the models only if they were treated equally."""
        unequal = in_words(self.treatment)
        return f"{self._verdict} {UNEQUAL.format(unequal)}" if unequal else self._verdict

    @property
    def _verdict(self) -> str:
        a, b = self.first.label, self.second.label
        difference, metric = self.difference, self.first.measure
        if difference is None:
            shared = sorted({run.seed for run in self.first.runs} & {run.seed for run in self.second.runs})
            if shared:  # of series to which seeds were added
                return (
                    f"{a} and {b} share seed {shared[0]}, but not seed 0, so there is no conclusion: where seeds were "
                    "added until a decision, those from 0 up to the first missing one count."
                )
            return f"{a} and {b} share no seed, so there is no conclusion; run both with the same seeds."
        if difference.count == 1:
            return (
                f"With one shared seed there is no conclusion about {a} and {b}: another seed could reverse the "
                "order. Run more seeds; five or more are usual."
            )
        if difference.looks is not None:
            return _verdict_of_looks(self.first, b, difference)
        if math.isnan(difference.p):
            return (
                f"All {difference.count} shared seeds of {a} and {b} differ by {metric.change(difference.value)}: "
                "without a spread nothing can be tested, and there is no conclusion."
            )
        low, high = difference.interval
        if difference.p < LEVEL:
            better, worse = (a, b) if leads(self.first, difference) else (b, a)
            return (
                f"{better} is better than {worse}, {_between(metric, low, high)}, on this task and scale "
                f"with these settings: {_p(difference.p)}."
            )
        low_text, high_text = metric.changes(*metric.possible(low, high))
        found = smallest_difference(difference.deviation, difference.count)
        power = f"find a difference of {metric.size(found)} four times out of five, smaller ones less often"
        if found > metric.most - metric.least:
            power = "seldom find even the largest difference that is possible"
        return (
            f"No difference between {a} and {b} is shown: it lies between {low_text} and "
            f"{metric.with_difference_unit(high_text)} (95 %), "
            f"{_p(difference.p)}. This does not show that they are equal: {difference.count} seeds with this spread "
            f"{power}."
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as JSON-compatible data; numbers in the metric's own unit, None for what is unknown."""
        difference, metric = self.difference, self.first.measure
        numbers = ("value", "half_width", "p", "count")
        return {
            "task": self.first.first.task,
            "scale": self.first.first.scale,
            "metric": self.first.first.metric,
            "better": metric.better,
            "a": self.first.label,
            "b": self.second.label,
            "runs": [[run.run_id for run in item.runs] for item in (self.first, self.second)],
            "difference": difference and {name: _known(getattr(difference, name)) for name in numbers},
            "anytime_valid": bool(difference and difference.looks),
            "examples": [{**vars(on), "interval": list(on.interval)} for on in self.examples],
            "treatment": {name: [one[name] for one in self.treatment] for name in self.treatment[0]},
            "verdict": self.verdict,
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame of one row, so that several comparisons can be put below each other.

        Its columns are ``task``, ``scale``, ``metric``, ``a`` and ``b`` (labels), ``seeds`` that they share (0 or
        more), ``difference`` (a − b, in the metric's own unit: 0.01 is a point of a share), ``low`` and ``high`` (its
        95 % interval), ``p`` and ``verdict``; numbers that are unknown are missing.
        """
        import pandas as pd

        difference = self.difference
        low, high = difference.interval if difference else (math.nan, math.nan)
        numbers = {
            "difference": difference.value if difference else math.nan,
            "low": low,
            "high": high,
            "p": difference.p if difference else math.nan,
        }
        about = self.as_dict()
        facts = {name: pd.Series([about[name]], dtype="string") for name in ("task", "scale", "metric", "a", "b")}
        facts["seeds"] = pd.Series([difference.count if difference else 0], dtype="Int64")
        facts |= {name: pd.Series([value], dtype="float64") for name, value in numbers.items()}
        return pd.DataFrame(facts | {"verdict": pd.Series([self.verdict], dtype="string")})

    def __repr__(self) -> str:
        return f"Comparison({self.first.label} and {self.second.label}: {self.verdict})"

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """Return the comparison as lines of text."""
        first = self.first.first
        metric = self.first.measure
        unit = "in per cent" if metric.percent else metric.unit
        # that higher is better goes without saying for per cents of hits, and for nothing else
        told = [first.metric, *([unit] if unit else []), *([] if metric.mean_of == "hits" else [metric.direction])]
        lines = [f"{first.task_label} · {first.scale} · {', '.join(told)}"]
        lines += [_scores(self.first), _scores(self.second)]
        difference = self.difference
        if difference is not None and difference.looks is not None and difference.count > 1:
            lines.append(_after_looks(metric, difference))
        elif difference is not None and difference.count > 1:
            lines.append(
                f"difference {metric.change_text(difference.value, difference.half_width)} over "
                f"{difference.count} shared seeds (paired t test, {_p(difference.p)})"
            )
        elif difference is not None:
            lines.append(f"difference {metric.change(difference.value)} with one shared seed")
        lines += [_on_examples(own, metric) for own in self.examples]
        return [*lines, "", self.verdict]


def _known(value: float) -> float | None:
    return None if value != value else value  # JSON has no NaN


def _scores(item: Series) -> str:
    metric = item.measure
    shown = [metric.number(run.score) for run in item.runs]
    seeds = "seed" if len(shown) == 1 else "seeds"
    return f"{item.label}: {metric.text(item.score)} ({len(shown)} {seeds}: {', '.join(shown)})"


def _between(metric: Metric, low: float, high: float) -> str:
    """Return by how much one is better than another, as words: no more than is possible, as few seeds would say."""
    return f"by {metric.between(*sorted(map(abs, metric.possible(low, high))))} (95 %)"


def _after_looks(metric: Metric, difference: Difference) -> str:
    known = not math.isnan(difference.half_width)
    value, half = difference.value, difference.half_width
    text = metric.change_text(value, half) if known else metric.change(value)
    return (
        f"difference {text} over {difference.count} shared seeds (anytime-valid, as seeds were added until a "
        f"decision: {_p(difference.p)})"
    )


def _verdict_of_looks(first: Series, b: str, difference: Difference) -> str:
    """Return the conclusion for two series if seeds were added until a comparison was decided."""
    assert difference.looks is not None
    a, metric = first.label, first.measure
    count, decided = difference.count, difference.looks.decided
    low, high = difference.looks.interval
    if decided is not None:
        better, worse = (a, b) if metric.gain(low) > 0 else (b, a)  # where the interval lies since it was decided
        said = (
            f"{better} is better than {worse}, {_between(metric, low, high)}, on this task and scale with these "
            f"settings: decided at seed {decided} of {count}, {_p(difference.p)}, which holds however often one looked."
        )
        return f"{said} Later seeds contradict it." if difference.looks.contradictory else said
    if difference.looks.contradictory:
        return f"There is no conclusion about {a} and {b}: their {count} seeds contradict each other."
    if math.isinf(low):
        return f"There is no conclusion about {a} and {b} yet: {count} seeds decide nothing if more may be added."
    low_text, high_text = metric.changes(*metric.possible(low, high))
    return (
        f"No difference between {a} and {b} is shown yet: it lies between {low_text} and "
        f"{metric.with_difference_unit(high_text)} (95 %, however often one looked), {_p(difference.p)}. "
        "This does not show that they are equal; nacbench sweep decide adds seeds."
    )


def _on_examples(on: OnExamples, metric: Metric) -> str:
    low, high = metric.changes(*on.interval)
    test = f", McNemar {_p(on.p)}" if on.p is not None else ""
    return (
        f"seed {on.seed}: these two networks differ by {metric.change(on.value)} on {on.units:,} {on.unit} "
        f"(95 % {low} to {high}, paired bootstrap{test})"
    )


def _p(value: float) -> str:
    return "p < 0.0001" if value < 0.0001 else f"p = {value:.2g}"
