"""Networks with fewer of their modules: the table of every share that was kept."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from nacbench.reporting.series import Series
from nacbench.reporting.tables.rows import INTERVAL, NAMED, SEEDS, identified, named
from nacbench.reporting.tables.table import Column, Table, percent
from nacbench.statistics import Mean

KEPT = "kept/"
WHOLE = "kept/100"
SHARE = re.compile(r"kept/\d+(\.\d+)?")
COLUMNS = (
    *NAMED,
    Column("kept (%)", number=True),
    Column("test score (%)", number=True),
    Column("lost (%)", number=True),
    Column("speed-up", number=True),
    Column("examples/s", number=True),
    Column("one (ms)", number=True),
    Column("GFLOPs", number=True),
    Column("memory (MB)", number=True),
    SEEDS,
)
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
    f"Scores and losses: {INTERVAL}. Lost: of the whole network's score. Speed-up: how "
    "many times faster a batch passes than with all modules, both measured in turn on the same machine; one: time of a "
    "single example; memory: the most that tensors hold at once for a batch. †: chosen by a seed as the smallest that "
    "loses less than is tolerated, on examples that are not the test's; that network's score is the task's."
)


def pruning_table(series: Sequence[Series]) -> Table | None:
    """Every share of modules that a network was scored with; None where none was pruned."""
    import pandas as pd

    rows, numbers = [], []
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
                    percent(score),
                    percent(lost),
                    _shown(found["speedup"], "{:.1f} ×"),
                    _shown(found["examples_per_second"], "{:,.0f}"),
                    _shown(1e3 * found["single_seconds"], "{:.2f}"),
                    _shown(found["forward_flops"] / 1e9, "{:.3f}"),
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
                    "machine": "; ".join(sorted({run.machine for run in item.runs})),
                }
            )
    if not rows:
        return None
    machines = sorted({run.machine for item in pruned for run in item.runs})
    notes = [NOTE, f"Measured in {'; '.join(machines)}."]
    return Table("pruning", "Fewer modules", COLUMNS, rows, notes, pd.DataFrame(numbers))


def shares_of(item: Series) -> list[str]:
    """The splits ``kept/PERCENT`` that all runs of a series were scored on, all modules first.

    None where the runs lack what every row is made of: ``kept`` (the share that a run chose), the main metric on each
    of these splits, and the split with all modules.
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
    """The loss of score with a share of the modules, as a share of the same run's score with all of them."""
    metric = item.first.metric
    return item.mean(lambda run: 1 - run.numbers(split)[metric] / max(run.numbers(WHOLE)[metric], 1e-12))


def _shown(value: float, style: str) -> str:
    """A number in this style, or a dash for NaN: another protocol need not measure it."""
    return "—" if math.isnan(value) else style.format(value)


def mean_of(item: Series, name: str, split: str) -> Mean:
    """A number of a split, over seeds; NaN where a run lacks it."""
    found = item.metric(name, split)
    return Mean(float("nan"), float("nan"), 0) if found is None else found
