"""Compare two models or runs on a task: paired t test over seeds, paired bootstrap and McNemar's test on examples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nacbench.contracts.metric import Metric
from nacbench.errors import UserError
from nacbench.recording.index import Runs
from nacbench.recording.row import Run
from nacbench.recording.surroundings import differing_surroundings
from nacbench.recording.surroundings import in_words as surroundings_in_words
from nacbench.reporting.on_examples import OnExamples, compare_on_examples, lacks_predictions
from nacbench.reporting.series import Series, group
from nacbench.reporting.significance import LEVEL, leads
from nacbench.reporting.treatment import MEANINGLESS, Choices, differences, edges_in_words, in_words
from nacbench.statistics import Difference, smallest_difference
from nacbench.suggestions import hint

if TYPE_CHECKING:
    import pandas as pd

NO_ROUNDING = ("cores", "platform", "python")  # surroundings that change no digit
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


def compare(
    runs: Runs, first: str, second: str, task: str, scale: str | None = None, tuned: Choices | None = None
) -> Comparison:
    """Compare two models, or two runs, on a task.

    Args:
        runs: all finished runs.
        first, second: a model's name, its label in a table, or the first characters (four or more) of a run's id.
        task: its name.
        scale: needed only if there are runs of several.
        tuned: what is known of tuning, which decides whether models with different learning rates were treated equally.

    Raises:
        UserError: if one of them is not found or not unique, or the two differ in scale, data or
            the task's entry in tables (of one of them the epoch was chosen on test).
    """
    own = [run for run in runs.runs if run.task == task and scale in (None, run.scale)]
    if not own:
        raise _nothing_of(runs.runs, task, scale)
    ours, theirs = _chosen(own, first), _chosen(own, second)
    if ours.runs == theirs.runs:
        raise UserError(f"{first!r} and {second!r} are the same runs")
    treatment = differences([ours.first, theirs.first], tuned or {})
    entries = [item.first.task_label for item in (ours, theirs)]  # they differ if an epoch was chosen on test
    metrics = [item.first.metric for item in (ours, theirs)]  # they differ between versions of a task
    kinds = {name: [own[name] for own in treatment] for name in MEANINGLESS if name in treatment[0]}
    for kind, (a, b) in {**kinds, "main metrics": metrics, "entries in tables": entries}.items():
        if a != b:
            raise UserError(f"{first!r} and {second!r} have different {kind} ({a} and {b}): they cannot be compared")
    by_seed = {run.seed: run for run in theirs.runs}
    pairs = [(run, by_seed[run.seed]) for run in ours.runs if run.seed in by_seed]
    lacking = [pair for pair in pairs if any(map(lacks_predictions, pair))]
    warnings: list[str] = []
    if len(lacking) > 1:  # one line, as where a whole store was copied without them
        seeds = ", ".join(str(run.seed) for run, _ in lacking)
        warnings.append(f"seeds {seeds} are not compared on examples: files of their predictions are missing")
    compared = [pair for pair in pairs if pair not in lacking] if len(lacking) > 1 else pairs
    found = [compare_on_examples(*pair, warnings) for pair in compared]
    warnings += _different_surroundings(pairs)
    if edges := edges_in_words([ours.first, theirs.first], tuned or {}):
        warnings.append(f"{edges}; beyond may be better ones")
    return Comparison(ours, theirs, ours.against(theirs), [on for on in found if on], warnings, treatment)


def only_task(runs: Sequence[Run], first: str, second: str) -> str:
    """Return the only task on which both have runs.

    Args:
        runs: finished runs, at least one.
        first, second: as for `compare`.

    Raises:
        UserError: if one of them is not found, or they share no task or several.
    """
    everything = group(runs)
    ours, theirs = (_tasks_of(everything, name) for name in (first, second))
    both = [task for task in ours if task in theirs]
    if len(both) > 1:
        raise UserError(f"{first!r} and {second!r} have runs of several tasks: {', '.join(both)}; name one with --task")
    if not both:
        raise UserError(
            f"no task has runs of both: {first!r} has {', '.join(ours)}, and {second!r} has {', '.join(theirs)}"
        )
    return both[0]


def _tasks_of(everything: Sequence[Series], name: str) -> list[str]:
    found = {item.first.task for item in everything if _is_called(item, name)}
    found = found or {item.first.task for item in everything for run in item.runs if _has_id(run, name)}
    if not found:
        raise _not_here(everything, name)
    return sorted(found)


def _is_called(item: Series, name: str) -> bool:
    return name in (item.label, item.full_label, item.first.model)


def _has_id(run: Run, name: str) -> bool:
    return len(name) >= 4 and run.run_id.startswith(name)


def _not_here(everything: Sequence[Series], name: str) -> UserError:
    return UserError(f"{name!r} is not a model or a run's id here; {hint(name, {item.label for item in everything})}")


def _different_surroundings(pairs: Sequence[tuple[Run, Run]]) -> list[str]:
    """Return one line for all that differs around runs of the same seed and can change last digits, or nothing."""
    differing: dict[tuple[str, str, str], None] = {}
    for ours, theirs in pairs:
        rows = differing_surroundings(ours.record().environment, theirs.record().environment)
        differing |= dict.fromkeys(row for row in rows if row[0] not in NO_ROUNDING)
    return [f"{surroundings_in_words(list(differing))}: last digits can differ by that alone"] if differing else []


def _nothing_of(runs: Sequence[Run], task: str, scale: str | None) -> UserError:
    """Return an error that lists the scales of the task's runs or, if it has no runs, the tasks that have."""
    scales = sorted({run.scale for run in runs if run.task == task})
    if scales:
        return UserError(f"no finished run of task {task!r} at scale {scale!r}; there are scales: {', '.join(scales)}")
    tasks = ", ".join(sorted({run.task for run in runs})) or "none"
    return UserError(f"no finished run of task {task!r}; there are: {tasks}")


def _chosen(runs: Sequence[Run], name: str) -> Series:
    """Return the only series with this label or model name, or the only run with this id.

    A label comes first: a model's plain variant is labelled by the model's name, whatever other variants there are.
    """
    everything = group(runs)
    found = [item for item in everything if name in (item.label, item.full_label)]
    found = found or [item for item in everything if item.first.model == name]
    if not found:
        single = [run for run in runs if _has_id(run, name)]
        found = [Series([run], {"seed": str(run.seed)}, {"seed": f"seed={run.seed}"}) for run in single]
    if len(found) == 1:
        return found[0]
    if found:
        or_scale = ", or give --scale" if len({item.first.scale for item in found}) > 1 else ""
        listed = "; ".join(f"{item.label} (such as run {item.first.run_id}, {item.first.scale})" for item in found)
        way_out = f"name a label or an id, or choose with --where{or_scale}"
        raise UserError(f"{name!r} is not unique here: {listed}; {way_out}")
    raise _not_here(everything, name)


def _known(value: float) -> float | None:
    return None if value != value else value  # JSON has no NaN


def _scores(item: Series) -> str:
    metric = item.measure
    shown = [metric.number(run.score) for run in item.runs]
    seeds = "seed" if len(shown) == 1 else "seeds"
    return f"{item.label}: {metric.text(item.score)} ({len(shown)} {seeds}: {', '.join(shown)})"


def _between(metric: Metric, low: float, high: float) -> str:
    """Return by how much one is better than another, as words."""
    return f"by {metric.between(*sorted((abs(low), abs(high))))} (95 %)"


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
