"""Table of graph priors: scores of a circuit by the prior that its graph was trained towards."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from nacbench.reporting.floors import Floors
from nacbench.reporting.series import Series
from nacbench.reporting.tables.rows import (
    INTERVAL,
    NAMED,
    SEEDS,
    identified,
    named,
    score_column,
    score_title,
    treatment_notes,
)
from nacbench.reporting.tables.table import Column, Table, frame_of

OWN = ("model.prior", "model.prior_weight")  # settings with columns of their own, left out of labels


def columns(series: Sequence[Series]) -> tuple[Column, ...]:
    """Return the columns of a table of these series."""
    return (
        *NAMED,
        Column("prior"),
        Column("weight", number=True),
        score_column(series),
        SEEDS,
    )


def prior_table(series: Sequence[Series]) -> Table | None:
    """Return scores by graph prior; None if no task has runs with two priors."""

    with_prior = [(item, found) for item in series if (found := _prior(item)) is not None]
    tasks = {item.first.task_label for item, _ in with_prior}
    several = {
        task for task in tasks if len({name for item, (name, _) in with_prior if item.first.task_label == task}) > 1
    }
    floors = Floors(series)
    rows, numbers = [], []
    for item, (prior, weight) in with_prior:
        if item.first.task_label not in several:
            continue
        shown = f"{weight:g}" if prior != "none" else "—"
        rows.append((*named(item, OWN), prior, shown, floors.marked(item), str(len(item.runs))))
        numbers.append(
            {
                **identified(item),
                "prior": prior,
                "weight": weight,
                "mean": item.score.value,
                "half_width_95": item.score.half_width,
            }
        )
    if not rows:
        return None
    shown_ones = [item for item, _ in with_prior if item.first.task_label in several]
    notes = [
        f"{score_title(shown_ones).capitalize()}: {INTERVAL}; a single seed has none.",
        *floors.notes(shown_ones),
        *treatment_notes(shown_ones),
    ]
    return Table("priors", "Graph priors", columns(series), rows, notes, frame_of(numbers))


def _prior(item: Series) -> tuple[str, float] | None:
    """Return the prior of a series and its weight; None for models without priors."""
    model: dict[str, Any] = json.loads(item.first.settings).get("model", {})
    prior, weight = model.get("prior"), model.get("prior_weight", 0)
    # any model may have options of these names, with values of other kinds
    if not isinstance(prior, str) or isinstance(weight, bool) or not isinstance(weight, int | float):
        return None
    return prior, float(weight)
