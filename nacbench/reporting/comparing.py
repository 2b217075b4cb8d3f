"""Compare two models or runs by name: paired t test over seeds, paired bootstrap and McNemar's test on examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nacbench.errors import UserError
from nacbench.recording.choice import Choice
from nacbench.recording.index import Runs, nothing_finished, read_runs
from nacbench.recording.row import Run
from nacbench.recording.surroundings import NO_ROUNDING, differing_surroundings
from nacbench.recording.surroundings import in_words as surroundings_in_words
from nacbench.reporting.comparison import Comparison
from nacbench.reporting.on_examples import compare_on_examples, lacks_predictions
from nacbench.reporting.rescored import rescored
from nacbench.reporting.series import Series, group
from nacbench.reporting.treatment import MEANINGLESS, Choices, differences, edges_in_words
from nacbench.suggestions import hint


def compare_in(
    stores: Sequence[Path],
    first: str,
    second: str,
    choice: Choice,
    *,
    metric: str | None = None,
    scale: str | None = None,
    tuned: Choices | None = None,
) -> Comparison:
    """Compare two models, or two runs, of which there are finished runs in some folders.

    This is what ``nacbench compare`` and `nacbench.api.compare` share.

    Args:
        stores: folders of runs.
        first, second: see `compare`.
        choice: of runs; needed where both have runs of several tasks.
        metric: another metric than the task's main one.
        scale: needed only if there are runs of several.
        tuned: what is known of tuning.

    Returns:
        The comparison. Its warnings begin with what could not be read or has no such metric.

    Raises:
        UserError: if a folder does not exist or has no finished run, none is chosen, or these cannot be compared.
    """
    found = read_runs(*stores)
    if not found.runs:
        raise nothing_finished(found.broken, stores)
    warnings = list(found.broken)
    found = choice.of(found)
    task = only_task(found.runs, first, second)
    if metric is not None:
        found, left_out = rescored(found, metric)
        warnings += left_out
    made = compare(found, first, second, task, scale, tuned)
    return replace(made, warnings=[*warnings, *made.warnings])


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
    # they differ between versions of a task, by name, unit or direction; in a foreign store also between seeds
    meanings = sorted({run.score_meaning for item in (ours, theirs) for run in item.runs})
    metrics = [meanings[0], meanings[-1]]
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
