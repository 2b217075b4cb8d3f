"""The main table: one row for each series of runs, with its score and its cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from nacbench.report.series import Series
from nacbench.report.table import Column, Table, percent
from nacbench.results.record import Failure
from nacbench.results.statistics import t_interval

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    Column("task"),
    Column("scale"),
    Column("model"),
    Column("test score (%)", number=True),
    Column("seeds", number=True),
    Column("parameters", number=True),
    Column("GFLOPs", number=True),
    Column("training", number=True),
)


def score_table(series: Sequence[Series], failures: Sequence[Failure]) -> Table:
    """The score and the cost of every series; models that cannot do a task keep a row and a reason."""
    rows, notes = _cells(series, failures), _footnotes(series)
    return Table("table", "Scores", COLUMNS, rows, notes, _frame(series, failures))


def _frame(series: Sequence[Series], failures: Sequence[Failure]) -> pd.DataFrame:
    """Fractions, counts, seconds."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for item in series:
        first, score = item.first, item.score
        rows.append(
            {
                "task": first.task,
                "part": "; ".join(first.data.partial),
                "scale": first.scale,
                "model": first.model,
                "size": first.size,
                "variant": item.variant,
                "metric": first.metric,
                "mean": score.value,
                "half_width_95": score.half_width,
                "seeds": score.count,
                "test_examples": first.scored_examples,
                "train_examples": first.data.splits.get("train"),
                "selection": first.selection.rule,
                "precision": first.precision,
                "parameters": first.cost.parameters,
                "forward_flops": first.cost.forward_flops,
                "train_seconds": t_interval([record.cost.train_seconds for record in item.records]).value,
                "peak_memory_bytes": max(record.cost.peak_memory_bytes for record in item.records),
                "note": "; ".join(first.data.notes),
            }
        )
    for failure in _skipped(failures):
        rows.append(
            {
                "task": failure.task,
                "scale": failure.scale,
                "model": failure.model,
                "size": failure.size,
                "variant": "",
                "seeds": 0,
                "note": failure.reason,
            }
        )
    return pd.DataFrame(rows)


def _skipped(failures: Iterable[Failure]) -> list[Failure]:
    """One for each task, scale and model that cannot be combined."""
    cells = {(f.task, f.scale, f.model, f.size): f for f in failures if f.status == "skipped"}
    return [cells[key] for key in sorted(cells)]


def _cells(series: Sequence[Series], failures: Sequence[Failure]) -> list[tuple[str, ...]]:
    from nacbench.training.progress import duration

    rows = []
    for item in series:
        first = item.first
        seconds = t_interval([record.cost.train_seconds for record in item.records]).value
        rows.append(
            (
                first.task_label,
                first.scale,
                item.label,
                percent(item.score),
                str(len(item.records)),
                f"{first.cost.parameters:,}",
                f"{first.cost.forward_flops / 1e9:.3f}",
                duration(seconds) if first.source is None else "—",
            )
        )
    for failure in _skipped(failures):
        rows.append(
            (failure.task, failure.scale, f"{failure.model} ({failure.size})", failure.reason, "0", "—", "—", "—")
        )
    return sorted(rows, key=lambda row: row[:2])


def _footnotes(series: Sequence[Series]) -> list[str]:
    lines = [
        "Mean over seeds ± half width of the 95 % Student t interval; a single seed has none. "
        "GFLOPs: one example's forward pass, a multiply-add counted as two operations. "
        "Training: time in training steps, mean over seeds."
    ]
    for task in dict.fromkeys(item.first.task_label for item in series):
        mine = [item for item in series if item.first.task_label == task]
        metrics = sorted({item.first.metric for item in mine})
        examples = sorted({item.first.scored_examples for item in mine})
        rules = sorted({item.first.selection.rule for item in mine})
        counts = " or ".join(f"{count:,}" for count in examples)
        lines.append(f"{task}: {', '.join(metrics)} on {counts} test examples; selection: {', '.join(rules)}.")
        data = [item.first.data for item in mine]
        lines += [f"{task}: {note}" for note in sorted({note for own in data for note in (*own.partial, *own.notes)})]
    machines = {
        f"{record.precision} on {record.environment.hardware['gpu'] or record.environment.hardware['cpu']}"
        f" ({record.environment.hardware['threads']} threads), torch {record.environment.versions['torch']}"
        for item in series
        for record in item.records
    }
    return [*lines, "Computed in " + "; ".join(sorted(machines)) + "."] if machines else lines
