"""Score table, the main one: a row for each series of runs, with score, parameters, operations and training time."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from nacbench.contracts.metric import Metric
from nacbench.recording.record import Failure
from nacbench.recording.row import Run
from nacbench.reporting.floors import Floors, constant, guesses
from nacbench.reporting.names import scored_on
from nacbench.reporting.series import Series
from nacbench.reporting.significance import RULE, best
from nacbench.reporting.tables.rows import (
    FLOPS,
    FLOPS_NOTE,
    INTERVAL,
    NAMED,
    SEEDS,
    flops_cells,
    identified,
    identified_failure,
    named,
    named_failure,
    score_column,
    score_title,
    treatment_notes,
)
from nacbench.reporting.tables.table import Column, Table, frame_of

if TYPE_CHECKING:
    import pandas as pd

SCORE = len(NAMED)  # index of the column with the score


def columns(series: Sequence[Series]) -> tuple[Column, ...]:
    """Return the columns of a table of these series."""
    return (
        *NAMED,
        score_column(series),
        SEEDS,
        Column("parameters", number=True),
        *FLOPS,
        Column("training", number=True),
    )


def score_table(series: Sequence[Series], failures: Sequence[Failure], warnings: Sequence[str] = ()) -> Table:
    """Return the table of scores; a model that cannot do a task has a row with the reason.

    Args:
        series: rows.
        failures: of runs without a record; only skipped ones get a row.
        warnings: notes that the table begins with.
    """
    winners = {id(item) for item in best(series)}
    floors = Floors(series)
    rows = [(score_cells(item, floors), id(item) in winners) for item in series]
    rows += [(_skipped_cells(failure), False) for failure in _skipped(failures)]
    rows.sort(key=lambda row: row[0][:2])
    bold = frozenset((number, SCORE) for number, (_, wins) in enumerate(rows) if wins)
    notes = [
        *(f"Warning: {text}." for text in warnings),
        *_footnotes(series),
        *floors.notes(series),
        *treatment_notes(series),
        *_edges(series),
        *([RULE] if bold else []),
    ]
    frame = _frame(series, failures, winners, floors)
    return Table("table", "Scores", columns(series), [cells for cells, _ in rows], notes, frame, bold)


def _frame(
    series: Sequence[Series], failures: Sequence[Failure], winners: Collection[int], floors: Floors
) -> pd.DataFrame:
    """Return the rows as unformatted numbers: fractions (of scores in per cent), counts, bytes and seconds."""

    rows: list[dict[str, Any]] = []
    for item in series:
        first, score, (chance, majority) = item.first, item.score, guesses(item)
        rows.append(
            {
                **identified(item),
                "metric": first.metric,
                "better": first.measure.better,
                "unit": first.measure.unit,
                "mean": score.value,
                "half_width_95": score.half_width,
                "chance": chance,
                "most_frequent_class": majority,
                "floor": next((floor.value for floor in reversed(floors.of(item))), math.nan),
                "constant": sum(run.constant for run in item.runs),
                "significantly_best": id(item) in winners,
                "treatment": ", ".join(f"{name}={value}" for name, value in item.treatment.items()),
                "test_examples": first.scored,
                "train_examples": first.trained,
                "selection": first.selection,
                "precision": first.precision,
                "parameters": first.parameters,
                "forward_flops": first.forward_flops,
                "flops_batch": first.flops_batch,
                "train_seconds": item.train_seconds,
                "peak_memory_bytes": max(run.peak_memory_bytes for run in item.runs),
                "note": first.notes,
            }
        )
    rows += [{**identified_failure(failure), "note": failure.reason} for failure in _skipped(failures)]
    return frame_of(rows)


def _skipped(failures: Iterable[Failure]) -> list[Failure]:
    """Return one failure for each task, scale and model that cannot be combined."""
    cells = {(f.task, f.scale, f.model, f.size): f for f in failures if f.status == "skipped"}
    return [cells[key] for key in sorted(cells)]


def score_cells(item: Series, floors: Floors) -> tuple[str, ...]:
    """Return the cells of a row as text."""
    from nacbench.formats.text import duration

    first = item.first
    return (
        *named(item),
        floors.marked(item) + constant(item),
        str(len(item.runs)),
        f"{first.parameters:,}",
        *flops_cells(first.forward_flops, first.flops_batch),
        duration(item.train_seconds) if item.is_trained_here else "—",
    )


def score_values(item: Series) -> tuple[Any, ...]:
    """Return the values of a row's cells, to sort by: fractions, counts, seconds; None for an empty cell."""
    first = item.first
    return (
        *named(item),
        item.score.value,
        len(item.runs),
        first.parameters,
        first.forward_flops,
        first.flops_batch,
        item.train_seconds if item.is_trained_here else None,
    )


def _told(metric: Metric) -> str:
    """Return a metric's name with what readers of its numbers must know, if it is no share of hits."""
    if metric.mean_of == "hits":
        return metric.name
    return f"{metric.name} ({'; '.join(filter(None, (metric.about, metric.unit, metric.direction)))})"


def _skipped_cells(failure: Failure) -> tuple[str, ...]:
    return (*named_failure(failure), failure.reason, "0", "—", "—", "—", "—")


def _edges(series: Sequence[Series]) -> list[str]:
    """Return a line for each task with tuned settings that lie at the edge of those tried."""
    found: dict[str, list[str]] = {}
    for item in series:
        if item.at_the_edge and item.is_trained_here:
            told = f"{item.first.model} ({', '.join(item.at_the_edge)})"
            found.setdefault(item.first.task_label, []).append(told)
    head = "tuned to the edge of the values tried, beyond which may be better ones"
    return [f"{task}: {head}: {', '.join(dict.fromkeys(some))}." for task, some in found.items()]


def _footnotes(series: Sequence[Series]) -> list[str]:
    lines = [
        f"{score_title(series).capitalize()}: {INTERVAL}; a single seed has none. "
        f"{FLOPS_NOTE} Training: time in training steps, mean over seeds."
    ]
    by_task: dict[str, list[Run]] = {}
    for item in series:
        by_task.setdefault(item.first.task_label, []).append(item.first)
    for task, mine in by_task.items():
        metrics = ", ".join(sorted({_told(run.measure) for run in mine}))
        counts = " or ".join(f"{count:,}" for count in sorted({run.scored for run in mine}))
        rules = ", ".join(sorted({run.selection for run in mine}))
        protocols = ", ".join(sorted({run.protocol for run in mine}))
        examples = f"{counts} {scored_on(mine[0].notes)} examples"
        lines.append(f"{task}: {metrics} on {examples}; protocol: {protocols}; selection: {rules}.")
        lines += [
            f"{task}: {text}" for text in sorted({text for run in mine for text in (run.partial, run.notes)}) if text
        ]
    machines = sorted({run.machine for item in series for run in item.runs})
    return [*lines, f"Computed in {'; '.join(machines)}."] if machines else lines
