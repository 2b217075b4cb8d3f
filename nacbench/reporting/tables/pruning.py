"""Networks with fewer of their modules: the table of every share that was kept, and the figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nacbench.report.figures import bare, panels_of, short_label
from nacbench.report.plots import palette, styled
from nacbench.report.series import Series
from nacbench.report.table import Column, Table, percent
from nacbench.results.statistics import Mean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KEPT = "kept/"
WHOLE = "kept/100"
AIM, TOLERATED = 8.0, 0.03  # the paper's: so many times faster for a loss under 3 %
COLUMNS = (
    Column("task"),
    Column("scale"),
    Column("model"),
    Column("kept (%)", number=True),
    Column("test score (%)", number=True),
    Column("lost (%)", number=True),
    Column("speed-up", number=True),
    Column("examples/s", number=True),
    Column("one (ms)", number=True),
    Column("GFLOPs", number=True),
    Column("memory (MB)", number=True),
    Column("seeds", number=True),
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
    "Mean over seeds ± half width of the 95 % Student t interval. Lost: of the whole network's score. Speed-up: how "
    "many times faster a batch passes than with all modules, both measured in turn on the same machine; one: time of a "
    "single example; memory: the most that tensors hold at once for a batch. †: chosen by a seed as the smallest that "
    "loses less than is tolerated, on examples that are not the test's; that network's score is the task's."
)


def pruning_table(series: Sequence[Series]) -> Table | None:
    """Every share of modules that a network was scored with; None where none was pruned."""
    import pandas as pd

    rows, numbers = [], []
    for item in (own for own in series if own.first.protocol == "pruned"):
        first = item.first
        chosen = {run.numbers()["kept"] for run in item.runs}
        for split in shares_of(item):
            kept = float(split.removeprefix(KEPT))
            found = {name: _mean(item, name, split).value for name in MEASURED}
            score, lost = _mean(item, first.metric, split), loss_of(item, split)
            rows.append(
                (
                    first.task_label,
                    first.scale,
                    item.label,
                    f"{kept:g}" + ("†" if kept / 100 in chosen else " "),
                    percent(score),
                    percent(lost),
                    f"{found['speedup']:.1f} ×",
                    f"{found['examples_per_second']:,.0f}",
                    f"{1e3 * found['single_seconds']:.2f}",
                    f"{found['forward_flops'] / 1e9:.3f}",
                    f"{found['peak_tensor_bytes'] / 1e6:.1f}",
                    str(len(item.runs)),
                )
            )
            numbers.append(
                {
                    "task": first.task,
                    "scale": first.scale,
                    "model": first.model,
                    "variant": item.variant,
                    "kept": kept / 100,
                    "chosen_by_seeds": sum(run.numbers()["kept"] == kept / 100 for run in item.runs),
                    "score": score.value,
                    "half_width_95": score.half_width,
                    "relative_drop": lost.value,
                    **found,
                    "machine": "; ".join(sorted({run.machine for run in item.runs})),
                    "seeds": len(item.runs),
                }
            )
    if not rows:
        return None
    machines = sorted({run.machine for item in series if item.first.protocol == "pruned" for run in item.runs})
    notes = [NOTE, f"Measured in {'; '.join(machines)}."]
    return Table("pruning", "Fewer modules", COLUMNS, rows, notes, pd.DataFrame(numbers))


def shares_of(item: Series) -> list[str]:
    """The splits of the shares that all runs of a series kept, all modules first."""
    common = set.intersection(*({name for name in run.all_metrics() if name.startswith(KEPT)} for run in item.runs))
    return sorted(common, key=lambda split: -float(split.removeprefix(KEPT)))


def loss_of(item: Series, split: str) -> Mean:
    """The loss of score with a share of the modules, as a share of the same run's score with all of them."""
    metric = item.first.metric
    return item.mean(lambda run: 1 - run.numbers(split)[metric] / max(run.numbers(WHOLE)[metric], 1e-12))


def draw_pruning(series: Sequence[Series]) -> Figure | None:
    """Accuracy against the share of modules kept, and against the measured speed-up; a row of panels a task."""
    from matplotlib.figure import Figure

    panels = panels_of(item for item in series if item.first.protocol == "pruned")
    if not panels:
        return None
    colours = palette([item.first.model for item in series])
    with styled():
        figure = Figure(figsize=(7.6, 2.9 * len(panels)), layout="constrained")
        grid = figure.subplots(len(panels), 2, squeeze=False)
        for (by_share, by_speed), (title, rows) in zip(grid, panels, strict=True):
            for number, item in enumerate(rows):
                splits = shares_of(item)
                scores = [_mean(item, item.first.metric, split) for split in splits]
                look: dict[str, Any] = {
                    "color": colours[item.first.model],
                    "marker": "os^Dv"[number % 5],
                    "linestyle": ("-", "--", ":", "-.")[number % 4],
                    "markersize": 4,
                    "linewidth": 1.2,
                    "capsize": 2,
                    "label": short_label(item),
                }
                heights = [100 * score.value for score in scores]
                errors = [100 * score.half_width if score.count > 1 else 0.0 for score in scores]
                by_share.errorbar([float(s.removeprefix(KEPT)) for s in splits], heights, yerr=errors, **look)
                speeds = [_mean(item, "speedup", split) for split in splits]
                by_speed.errorbar([speed.value for speed in speeds], heights, yerr=errors, **look)
                by_speed.axhline((1 - TOLERATED) * heights[0], color="0.6", linewidth=0.7, linestyle=(0, (2, 3)))
            _finish(by_share, by_speed, title)
    return figure


def _finish(by_share: Any, by_speed: Any, title: str) -> None:
    by_share.invert_xaxis()
    by_share.set_xlabel("modules kept (%)")
    by_share.set_ylabel("accuracy (%)")
    by_share.set_title(title, loc="left")
    by_share.legend(frameon=False, fontsize=7, loc="lower left")
    by_speed.set_xscale("log", base=2)
    low, high = by_speed.get_xlim()
    ticks = [2.0**power for power in range(6) if 2.0**power <= max(high, AIM)]
    by_speed.set_xticks(ticks, [f"{tick:g}×" for tick in ticks])
    by_speed.set_xlim(min(low, 0.9), max(high, AIM * 1.15))
    by_speed.axvline(AIM, color="0.4", linewidth=0.8, linestyle=":")
    by_speed.annotate(
        f"{AIM:g}×", (AIM, 1), xycoords=("data", "axes fraction"), ha="right", va="top", fontsize=7, color="0.3"
    )
    by_speed.set_xlabel(f"measured speed-up (dashed: {100 * TOLERATED:g} % lost)")
    by_speed.set_ylabel("accuracy (%)")
    for axes in (by_share, by_speed):
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, 0), min(high, 100.5))  # the interval of two seeds may leave what can be
        bare(axes)


def _mean(item: Series, name: str, split: str) -> Mean:
    found = item.metric(name, split)
    return Mean(float("nan"), float("nan"), 0) if found is None else found
