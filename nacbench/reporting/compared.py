"""Compare two models or runs in folders of runs: what ``nacbench compare`` and `nacbench.api.compare` share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nacbench.recording.choice import Choice
from nacbench.recording.index import nothing_finished, read_runs
from nacbench.reporting.comparison import Comparison, compare, only_task
from nacbench.reporting.rescored import rescored
from nacbench.reporting.treatment import Choices


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

    Args:
        stores: folders of runs.
        first, second: see `nacbench.reporting.comparison.compare`.
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
