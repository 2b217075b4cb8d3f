"""Compare two models or runs on a task: paired t test over seeds, paired bootstrap and McNemar's test on examples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.errors import BrokenFileError, UserError
from nacbench.formats.parquet import opened_parquet
from nacbench.recording.index import Runs
from nacbench.recording.record import UNSCORED
from nacbench.recording.row import Run
from nacbench.recording.store import PREDICTIONS, damage
from nacbench.recording.surroundings import differing_surroundings
from nacbench.recording.surroundings import in_words as surroundings_in_words
from nacbench.reporting.series import Series, group
from nacbench.reporting.significance import LEVEL
from nacbench.reporting.treatment import MEANINGLESS, Choices, differences, edges_in_words, in_words
from nacbench.statistics import Difference, mcnemar, paired_bootstrap, smallest_difference

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

NO_ROUNDING = ("cores", "platform", "python")  # surroundings that change no digit
UNEQUAL = "They were not treated equally, so this says nothing of the models alone; they differ in {}."
ANSWERS = ("split", "index", "label", "prediction", "episode")  # columns of predictions that are compared


@dataclass(frozen=True)
class OnExamples:
    """Comparison of two networks on the same test examples, trained with the same seed.

    Attributes:
        seed: of both runs.
        value: difference of their accuracies, first minus second, as a fraction.
        interval: 95 % interval of the paired bootstrap over units.
        p: of McNemar's test; None if a unit has more than one prediction.
        units: number of independent units, which are examples or episodes.
        unit: name of the units.
    """

    seed: int
    value: float
    interval: tuple[float, float]
    p: float | None
    units: int
    unit: str


@dataclass(frozen=True)
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
        difference = self.difference
        if difference is None:
            return f"{a} and {b} share no seed, so there is no conclusion; run both with the same seeds."
        if difference.count == 1:
            return (
                f"With one shared seed there is no conclusion about {a} and {b}: another seed could reverse the "
                "order. Run more seeds; five or more are usual."
            )
        if math.isnan(difference.p):
            return (
                f"All {difference.count} shared seeds of {a} and {b} differ by {100 * difference.value:+.2f} points: "
                "without a spread nothing can be tested, and there is no conclusion."
            )
        low, high = (100 * end for end in difference.interval)
        if difference.p < LEVEL:
            better, worse = (a, b) if difference.value > 0 else (b, a)
            least, most = sorted((abs(low), abs(high)))
            return (
                f"{better} is better than {worse}, by {least:.2f} to {most:.2f} points (95 %), on this task and scale "
                f"with these settings: {_p(difference.p)}."
            )
        found = smallest_difference(difference.deviation, difference.count)
        return (
            f"No difference between {a} and {b} is shown: it lies between {low:+.2f} and {high:+.2f} points (95 %), "
            f"{_p(difference.p)}. This does not show that they are equal: {difference.count} seeds with this spread "
            f"find a difference of {100 * found:.2f} points four times out of five, smaller ones less often."
        )

    def lines(self) -> list[str]:
        """Return the comparison as lines of text."""
        first = self.first.first
        lines = [f"{first.task_label} · {first.scale} · {first.metric}, in per cent"]
        lines += [_scores(self.first), _scores(self.second)]
        difference = self.difference
        if difference is not None and difference.count > 1:
            lines.append(
                f"difference {100 * difference.value:+.2f} ± {100 * difference.half_width:.2f} points over "
                f"{difference.count} shared seeds (paired t test, {_p(difference.p)})"
            )
        elif difference is not None:
            lines.append(f"difference {100 * difference.value:+.2f} points with one shared seed")
        lines += [_on_examples(own) for own in self.examples]
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
    kinds = {name: [own[name] for own in treatment] for name in MEANINGLESS if name in treatment[0]}
    for kind, (a, b) in {**kinds, "entries in tables": entries}.items():
        if a != b:
            raise UserError(f"{first!r} and {second!r} have different {kind} ({a} and {b}): they cannot be compared")
    pairs = {run.seed: run for run in theirs.runs}
    warnings: list[str] = []
    found = [_compare_examples(run, pairs[run.seed], warnings) for run in ours.runs if run.seed in pairs]
    warnings += _different_surroundings([(run, pairs[run.seed]) for run in ours.runs if run.seed in pairs])
    if edges := edges_in_words([ours.first, theirs.first], tuned or {}):
        warnings.append(f"{edges}; beyond may be better ones")
    return Comparison(ours, theirs, ours.against(theirs), [on for on in found if on], warnings, treatment)


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
    """Return the only series with this model name or label, or the only run with this id."""
    everything = group(runs)
    found = [item for item in everything if name in (item.first.model, item.label)]
    if not found:
        single = [run for run in runs if len(name) >= 4 and run.run_id.startswith(name)]
        found = [Series([run], {"seed": str(run.seed)}) for run in single]
    if len(found) == 1:
        return found[0]
    if found:
        or_scale = ", or give --scale" if len({item.first.scale for item in found}) > 1 else ""
        listed = "; ".join(f"{item.label} (such as run {item.first.run_id}, {item.first.scale})" for item in found)
        raise UserError(f"{name!r} is not unique here: {listed}; name a label or an id{or_scale}")
    labels = ", ".join(dict.fromkeys(item.label for item in everything))
    raise UserError(f"{name!r} is not a model or a run's id here; there are: {labels}")


def _compare_examples(ours: Run, theirs: Run, warnings: list[str]) -> OnExamples | None:
    """Compare two networks on their test examples.

    Return None if predictions are missing or do not match; the reason is added to `warnings`.
    """
    import numpy as np

    first, second = _answers(ours, warnings), _answers(theirs, warnings)
    if first is None or second is None:
        return None
    if not first.index.equals(second.index) or not np.array_equal(first["label"], second["label"]):
        warnings.append(f"{_named(ours)} and {_named(theirs)} were evaluated on different examples")
        return None
    unit = "episodes" if "episode" in first else "examples"
    a, b = _by_unit(first), _by_unit(second)
    single = len(a) == len(first)
    p = mcnemar(a > 0, b > 0) if single else None  # McNemar's test needs independent predictions
    return OnExamples(ours.seed, float(a.mean() - b.mean()), paired_bootstrap(a, b), p, len(a), unit)


def _named(run: Run) -> str:
    return f"run {run.run_id} ({run.model}, seed {run.seed})"


def _answers(run: Run, warnings: list[str]) -> pd.DataFrame | None:
    """Read a run's predictions on scored splits.

    Return None with a warning if the file is missing, changed or broken; None without a warning if the run recorded
    no predictions, or they are not of classes.
    """

    path, digest = Path(run.folder) / PREDICTIONS, run.record().files.get(PREDICTIONS)
    if digest is None and not path.exists():
        return None
    if problem := damage(path, digest):
        warnings.append(f"{_named(run)} is not compared on examples: {problem}")
        return None
    try:
        with opened_parquet(path) as parquet:
            kinds = {field.name: field.type for field in parquet.schema_arrow if field.name in ANSWERS}
            if not kinds.keys() >= {"split", "index", "label", "prediction"}:
                return None
            table = _of_whole_numbers(parquet.read(columns=list(kinds)), path).to_pandas()
    except UserError as error:
        warnings.append(f"{_named(run)} is not compared on examples: {error}")
        return None
    scored = table[~table["split"].isin(UNSCORED)]
    return scored.set_index(["split", "index"]).sort_index()


def _of_whole_numbers(table: pa.Table, path: Path) -> pa.Table:
    """Return predictions as they are if splits are text and all others whole numbers; raise BrokenFileError if not."""
    import pyarrow as pa

    for field in table.schema:
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        fits = (
            (pa.types.is_string(kind) or pa.types.is_large_string(kind))
            if field.name == "split"
            else pa.types.is_integer(kind)
        )
        if not fits or table.column(field.name).null_count:
            what = "text" if field.name == "split" else "whole numbers"
            raise BrokenFileError(f"{path}: the column {field.name} is {field.type}, and should be {what} without gaps")
    return table


def _by_unit(answers: pd.DataFrame) -> np.ndarray:
    """Return the accuracy of each independent unit: an episode, or an example over all splits it is in.

    Corrupted copies of an image and queries of an episode are not independent, so they count as one unit.
    """
    right = (answers["label"] == answers["prediction"]).astype(float)
    if "episode" in answers:
        keys = [answers.index.get_level_values("split").astype(str), answers["episode"].to_numpy()]
        return right.groupby(keys).mean().to_numpy()
    return right.groupby(level="index").mean().to_numpy()


def _scores(item: Series) -> str:
    shown = [f"{100 * run.score:.2f}" for run in item.runs]
    mean = item.score
    half = "" if math.isnan(mean.half_width) else f" ± {100 * mean.half_width:.2f}"
    seeds = "seed" if len(shown) == 1 else "seeds"
    return f"{item.label}: {100 * mean.value:.2f}{half} ({len(shown)} {seeds}: {', '.join(shown)})"


def _on_examples(on: OnExamples) -> str:
    low, high = (100 * end for end in on.interval)
    test = f", McNemar {_p(on.p)}" if on.p is not None else ""
    return (
        f"seed {on.seed}: these two networks differ by {100 * on.value:+.2f} points on {on.units:,} {on.unit} "
        f"(95 % {low:+.2f} to {high:+.2f}, paired bootstrap{test})"
    )


def _p(value: float) -> str:
    return "p < 0.0001" if value < 0.0001 else f"p = {value:.2g}"
