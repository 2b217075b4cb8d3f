"""Cost table: training and evaluation time, throughput, memory, parameters and operations of each series."""

from __future__ import annotations

from collections.abc import Sequence

from nacbench.reporting.floors import Floors
from nacbench.reporting.series import Series
from nacbench.reporting.tables.rows import (
    FLOPS,
    FLOPS_NOTE,
    NAMED,
    SEEDS,
    flops_cells,
    identified,
    named,
    score_column,
    treatment_notes,
)
from nacbench.reporting.tables.table import Column, Table, frame_of

NOTE = (
    "Means over seeds; memory: peak of any of the runs. Training and evaluation are wall-clock times of the steps, "
    f"data loading included: compare them only on the same machine without other load. {FLOPS_NOTE}"
)


def columns(series: Sequence[Series]) -> tuple[Column, ...]:
    """Return the columns of a table of these series."""
    return (
        *NAMED,
        score_column(series),
        Column("parameters", number=True),
        *FLOPS,
        Column("training", number=True),
        Column("examples/s", number=True),
        Column("evaluation", number=True),
        Column("memory (GB)", number=True),
        SEEDS,
        Column("machine"),
    )


def cost_table(series: Sequence[Series]) -> Table | None:
    """Return the cost of every series that trained its network; None if no series did."""

    from nacbench.formats.text import duration

    floors = Floors(series)
    rows, numbers = [], []
    trained = [item for item in series if item.is_trained_here]
    for item in trained:
        first = item.first
        train = item.train_seconds
        evaluate = item.mean(lambda run: run.evaluate_seconds).value
        speed = item.mean(lambda run: run.examples_per_second).value
        memory = max(run.peak_memory_bytes for run in item.runs)
        processors = "; ".join(sorted({run.processor for run in item.runs}))
        rows.append(
            (
                *named(item),
                floors.marked(item),
                f"{first.parameters:,}",
                *flops_cells(first.forward_flops, first.flops_batch),
                duration(train),
                f"{speed:,.0f}",
                duration(evaluate),
                f"{memory / 1e9:.1f}",
                str(len(item.runs)),
                processors,
            )
        )
        numbers.append(
            {
                **identified(item),
                "score": item.score.value,
                "parameters": first.parameters,
                "forward_flops": first.forward_flops,
                "flops_batch": first.flops_batch,
                "train_seconds": train,
                "examples_per_second": speed,
                "evaluate_seconds": evaluate,
                "peak_memory_bytes": memory,
                "processor": processors,
            }
        )
    if not rows:
        return None
    notes = [NOTE, *floors.notes(trained), *treatment_notes(trained)]
    return Table("cost", "Cost", columns(series), rows, notes, frame_of(numbers))
