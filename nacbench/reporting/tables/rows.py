"""Columns that identify a row in every table: task, scale, model and variant."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from nacbench.recording.record import Failure
from nacbench.reporting.names import scored_on, sized
from nacbench.reporting.series import Series, by_cell, common_unit
from nacbench.reporting.tables.table import Column

NAMED = (Column("task"), Column("scale"), Column("model"))
SEEDS = Column("seeds", number=True)
FLOPS = (Column("GFLOPs", number=True), Column("batch", number=True))
FLOPS_NOTE = (
    "GFLOPs: a forward pass over a batch of that many examples, divided by these; a multiply-add counts as two. "
    "Models do some work once a batch, so this depends on it."
)
TREATMENT = "§"
TREATMENT_RULE = (
    f"{TREATMENT}: models were not treated equally. Rows with different numbers differ in more than the model, so that "
    "they are not tested against each other, and bold does not count the others."
)
# meaning of a score's cell
INTERVAL = (
    "mean over seeds ± half width of the 95 % Student t interval, or (its ends) if cut at the end of the metric's range"
)


def score_title(series: Iterable[Series]) -> str:
    """Return what the scores of a table are called: ``test score``, or ``validation score`` for trials of tuning."""
    kinds = {scored_on(item.first.notes) for item in series} or {"test"}
    return f"{kinds.pop()} score" if len(kinds) == 1 else "score"


def score_column(series: Sequence[Series]) -> Column:
    """Return the head of a column of scores; it names the unit if all of them have the same, otherwise cells do."""
    title, unit = score_title(series), common_unit(series)
    return Column(f"{title} ({unit})" if unit else title, number=True)


def named(item: Series, without: Collection[str] = ()) -> tuple[str, str, str]:
    """Return the cells under ``NAMED`` in Markdown and LaTeX.

    Args:
        item: the runs of the row.
        without: settings to leave out of the model's label, as the table has columns for them.
    """
    return item.first.task_label, item.first.scale, f"{item.label_without(without)}{treatment_mark(item)}"


def treatment_mark(item: Series) -> str:
    """Return `` §1`` for a row with the first of several treatments of its task and scale; nothing if all are equal."""
    return f" {TREATMENT}{item.treated}" if item.treated else ""


def treatment_notes(rows: Iterable[Series]) -> list[str]:
    """Return lines below a table with these rows: the rule of the mark, and what differs in each task and scale."""
    lines = []
    for (task, scale), mine in by_cell(rows).items():
        told = {item.treated: item.treatment for item in mine if item.treated}
        if told:
            each = (
                f"{TREATMENT}{number}: {', '.join(f'{name} {value}' for name, value in told[number].items())}"
                for number in sorted(told)
            )
            lines.append(f"{task} · {scale}: {'; '.join(each)}.")
    return [TREATMENT_RULE, *lines] if lines else []


def flops_cells(flops: float, batch: int) -> tuple[str, str]:
    """Return the cells under ``FLOPS``: operations per example, and the batch at which they are counted."""
    if math.isnan(flops):
        return "—", str(batch)
    giga = flops / 1e9
    return f"{giga:.3f}" if giga >= 0.0005 or not giga else f"{giga:.1g}", str(batch)


def identified(item: Series) -> dict[str, Any]:
    """Return the first columns of a CSV file by name; together they identify the row, and count its seeds."""
    first = item.first
    return {
        "task": first.task,
        "part": first.partial,
        "scale": first.scale,
        "protocol": first.protocol,
        "model": first.model,
        "size": first.model_size,
        "variant": item.variant,
        "seeds": len(item.runs),
    }


def named_failure(failure: Failure) -> tuple[str, str, str]:
    """Return the cells under ``NAMED`` for a run without a record."""
    return failure.task, failure.scale, sized(failure.model, failure.size, failure.task, failure.scale)


def identified_failure(failure: Failure) -> dict[str, Any]:
    """Return the first columns of a CSV file for a run without a record; other columns stay empty."""
    return {
        "task": failure.task,
        "scale": failure.scale,
        "model": failure.model,
        "size": failure.size,
        "variant": "",
        "seeds": 0,
    }
