"""Table of ablations: the rungs from Perceiver IO to NAC, and NAC without one part each, with paired differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from nacbench.contracts.metric import Metric
from nacbench.reporting.ablations import Ablated, ablations
from nacbench.reporting.floors import Floors
from nacbench.reporting.series import Series
from nacbench.reporting.tables.rows import INTERVAL, NAMED, SEEDS, identified, treatment_mark, treatment_notes
from nacbench.reporting.tables.table import Column, Table, frame_of
from nacbench.statistics import Difference

COLUMNS = (
    *NAMED[:2],
    Column("circuit"),
    Column("parameters", number=True),
    Column("test score", number=True),
    Column("minus NAC", number=True),
    Column("one step from"),
    Column("minus that", number=True),
    SEEDS,
)
NOTES = (
    f"Test score: {INTERVAL}; a single seed has none.",
    "Differences: paired by seed, with the half width of the 95 % interval of a single comparison; they are not "
    "corrected for their number. In points where the score is in per cent.",
    "Circuits are not matched in parameters: what is taken out is gone.",
)


def ablation_table(series: Sequence[Series]) -> Table | None:
    """Return the rungs of every task that has NAC and another circuit; None if none has."""

    found = ablations(series)
    if not found:
        return None
    floors = Floors(series)
    rows, numbers = [], []
    for (task, scale), rungs in found.items():
        for own in rungs:
            metric, run = own.item.measure, own.item.first
            rows.append(
                (
                    task,
                    scale,
                    f"{own.rung.name}{treatment_mark(own.item)}",
                    f"{run.parameters:,}",
                    floors.marked(own.item),
                    _shown(metric, own.from_whole),
                    own.rung.before or "—",
                    _shown(metric, own.from_before),
                    str(len(own.item.runs)),
                )
            )
            numbers.append(_number(own))
    items = [own.item for rungs in found.values() for own in rungs]
    notes = [*NOTES, *floors.notes(items), *treatment_notes(items)]
    return Table("ablations", "Ablations", COLUMNS, rows, notes, frame_of(numbers))


def _shown(metric: Metric, difference: Difference | None) -> str:
    if difference is None:
        return "—"
    if math.isnan(difference.half_width):
        return metric.change(difference.value)
    return metric.change_text(difference.value, difference.half_width)


def _number(own: Ablated) -> dict[str, Any]:
    numbers = {
        **identified(own.item),
        "circuit": own.rung.name,
        "parameters": own.item.first.parameters,
        "mean": own.item.score.value,
        "half_width_95": own.item.score.half_width,
        "one_step_from": own.rung.before or "",
    }
    for name, difference in (("nac", own.from_whole), ("step", own.from_before)):
        numbers[f"minus_{name}"] = math.nan if difference is None else difference.value
        numbers[f"minus_{name}_half_width_95"] = math.nan if difference is None else difference.half_width
        numbers[f"minus_{name}_p"] = math.nan if difference is None else difference.p
        numbers[f"minus_{name}_seeds"] = 0 if difference is None else difference.count
    return numbers
