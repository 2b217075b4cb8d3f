"""The first columns of every table: which runs a row is of, for readers and for programs."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from nacbench.recording.record import Failure
from nacbench.reporting.series import Series
from nacbench.reporting.tables.table import Column

NAMED = (Column("task"), Column("scale"), Column("model"))
SEEDS = Column("seeds", number=True)
INTERVAL = "mean over seeds ± half width of the 95 % Student t interval"  # what a score's cell says


def named(item: Series, without: Collection[str] = ()) -> tuple[str, str, str]:
    """The cells under `NAMED` in Markdown and LaTeX.

    Args:
        item: the runs of the row.
        without: settings that have a column of their own in this table, and are left out of the model's label.
    """
    return item.first.task_label, item.first.scale, item.label_without(without)


def identified(item: Series) -> dict[str, Any]:
    """The first columns of a CSV file, by name: everything that tells the row from the others, and its seeds."""
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
    """The cells under `NAMED` for runs that could not be done."""
    return failure.task, failure.scale, f"{failure.model} ({failure.size})"


def identified_failure(failure: Failure) -> dict[str, Any]:
    """The same for a CSV file; what only a finished run knows is left empty."""
    return {
        "task": failure.task,
        "scale": failure.scale,
        "model": failure.model,
        "size": failure.size,
        "variant": "",
        "seeds": 0,
    }
