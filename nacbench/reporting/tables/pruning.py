"""Pruning table: score, speed-up and memory of networks at each share of modules kept."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from nacbench.recording.row import Run
from nacbench.reporting.floors import Floors
from nacbench.reporting.series import Series
from nacbench.reporting.tables.rows import (
    FLOPS,
    FLOPS_NOTE,
    INTERVAL,
    NAMED,
    SEEDS,
    flops_cells,
    identified,
    named,
    score_column,
    treatment_notes,
)
from nacbench.reporting.tables.table import Column, Table, frame_of, percent
from nacbench.statistics import Mean

KEPT = "kept/"
WHOLE = "kept/100"
SHARE = re.compile(r"kept/\d+(\.\d+)?")
MEASURED = (
    "speedup",
    "single_speedup",
    "examples_per_second",
    "seconds",
    "single_seconds",
    "parameters",
    "forward_flops",
    "peak_tensor_bytes",
)
NOTE = (
    f"Scores and losses: {INTERVAL}. Lost: share of the score of the whole network. Speed-up: time of a "
    "batch with all modules over the time with these, measured in turn on the same machine; one: time of a "
    "single example; memory: peak of live tensors for a batch. †: chosen by a seed as the smallest share that "
    "loses less than the tolerance, on examples that are not test examples; its score is the score of the task. "
    f"{FLOPS_NOTE}"
)


def columns(series: Sequence[Series]) -> tuple[Column, ...]:
    """Return the columns of a table of these series."""
    return (
        *NAMED,
        Column("kept (%)", number=True),
        score_column(series),
        Column("lost (%)", number=True),
        Column("speed-up", number=True),
        Column("examples/s", number=True),
        Column("one (ms)", number=True),
        *FLOPS,
        Column("memory (MB)", number=True),
        SEEDS,
    )


def pruning_table(series: Sequence[Series]) -> Table | None:
    """Return a row for each share of modules that a network was scored with; None if no run was pruned."""

    rows, numbers = [], []
    floors = Floors(series)
    pruned = [item for item in series if shares_of(item)]
    for item in pruned:
        chosen = Counter(run.numbers()["kept"] for run in item.runs)
        for split in shares_of(item):
            kept = float(split.removeprefix(KEPT))
            found = {name: mean_of(item, name, split).value for name in MEASURED}
            score, lost = mean_of(item, item.first.metric, split), loss_of(item, split)
            rows.append(
                (
                    *named(item),
                    f"{kept:g}" + ("†" if kept / 100 in chosen else " "),
                    floors.marked(item, score),
                    percent(lost),
                    _shown(found["speedup"], "{:.1f} ×"),
                    _shown(found["examples_per_second"], "{:,.0f}"),
                    _shown(1e3 * found["single_seconds"], "{:.2f}"),
                    *flops_cells(found["forward_flops"], item.first.flops_batch),
                    _shown(found["peak_tensor_bytes"] / 1e6, "{:.1f}"),
                    str(len(item.runs)),
                )
            )
            numbers.append(
                {
                    **identified(item),
                    "kept": kept / 100,
                    "chosen_by_seeds": chosen[kept / 100],
                    "score": score.value,
                    "half_width_95": score.half_width,
                    "relative_drop": lost.value,
                    **found,
                    "flops_batch": item.first.flops_batch,
                    "machine": "; ".join(sorted({run.machine for run in item.runs})),
                }
            )
    if not rows:
        return None
    machines = sorted({run.machine for item in pruned for run in item.runs})
    notes = [NOTE, *floors.notes(pruned), *treatment_notes(pruned), f"Measured in {'; '.join(machines)}."]
    return Table("pruning", "Fewer modules", columns(series), rows, notes, frame_of(numbers))


def shares_of(item: Series) -> list[str]:
    """Return the splits ``kept/PERCENT`` that all runs of a series were scored on, the one with all modules first.

    The list is empty if a run lacks ``kept`` (the share that it chose), or the main metric on the split with all
    modules.
    """
    if not item.has("kept"):
        return []
    metric = item.first.metric
    scored = [
        {split for split, own in run.all_metrics().items() if SHARE.fullmatch(split) and metric in own}
        for run in item.runs
    ]
    common = set.intersection(*scored)
    return sorted(common, key=lambda split: -float(split.removeprefix(KEPT))) if WHOLE in common else []


def loss_of(item: Series, split: str) -> Mean:
    """Return the relative loss of score at a share of the modules, over seeds.

    That is by how much the score is worse than with all modules, divided by the size of that one. Its least spread is
    that of one example; the loss of the whole network is 0 by definition and has no interval.
    """
    metric = item.first.metric
    if split == WHOLE:
        return Mean(0.0, math.nan, len(item.runs))

    def loss(run: Run) -> float:
        whole, own = (run.numbers(name)[metric] for name in (WHOLE, split))
        return item.measure.gain(whole - own) / _size(whole)

    return item.mean(loss, floor=item.grain / _size(mean_of(item, metric, WHOLE).value))


def _size(whole: float) -> float:
    return max(abs(whole), 1e-12)


def _shown(value: float, style: str) -> str:
    """Format a number, or return a dash for NaN, as protocols of plug-ins may not measure it."""
    return "—" if math.isnan(value) else style.format(value)


def mean_of(item: Series, name: str, split: str) -> Mean:
    """Return the mean of a number of a split over seeds; NaN if a run lacks it."""
    found = item.metric(name, split)
    return Mean(float("nan"), float("nan"), 0) if found is None else found
