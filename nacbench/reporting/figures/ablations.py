"""Figure of ablations: differences of the rungs to NAC and to the rung before, paired by seed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nacbench.contracts.metric import Metric
from nacbench.formats.escape import figure_text
from nacbench.reporting.ablations import WHOLE, Ablated, ablations
from nacbench.reporting.figures.layout import portions
from nacbench.reporting.figures.style import PAGE, TALLEST, bare, figure_of, looks_of_models, styled
from nacbench.reporting.series import Series

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AROUND, ROW = 0.62, 0.19  # inches: what a task takes besides its rows, and a row
LEAST = 2.0  # points on either side of zero, at least: a small difference must look small
SEEDS_BELOW = 0.3  # of a row's height

Cell = tuple[str, list[Ablated]]  # title, and the rungs of a task and scale


def draw_ablations(series: Sequence[Series]) -> list[Figure]:
    """Draw how much better each rung is than NAC and than the rung before, in a row of two panels for each task.

    Every seed that two rungs share is a small dot, their mean a large one with its 95 % interval; right is better,
    whichever way the metric goes.
    """
    found = ablations(series)
    several = len({scale for _, scale in found}) > 1
    cells = [(f"{task}, {scale}" if several else task, rungs) for (task, scale), rungs in found.items()]
    heights = [AROUND + ROW * len(rungs) for _, rungs in cells]
    return [_page(part) for part in portions(cells, heights, TALLEST)]


def _page(cells: Sequence[Cell]) -> Figure:
    heights = [AROUND + ROW * len(rungs) for _, rungs in cells]
    with styled():
        figure = figure_of(PAGE, sum(heights))
        grid = figure.subplots(len(cells), 2, squeeze=False, height_ratios=heights)
        for (to_whole, to_before), (title, rungs) in zip(grid, cells, strict=True):
            to_whole.set_title(figure_text(title, 60))
            _draw_panel(to_whole, rungs, [own.whole for own in rungs])
            # a part that is taken out of NAC is one step from it: the left panel has that
            before = [None if own.rung.before == WHOLE else own.before for own in rungs]
            _draw_panel(to_before, rungs, before)
            _label(to_whole, to_before, rungs, {place: other for place, other in enumerate(before) if other})
    return figure


def _label(to_whole: Any, to_before: Any, rungs: Sequence[Ablated], before: Mapping[int, Series]) -> None:
    """Name the rungs on the left, and on the right those before them; give both panels the same scale."""
    metric = rungs[0].item.measure
    behind = figure_text(f" ({metric.difference_unit})") if metric.difference_unit else ""
    least = LEAST if metric.percent else 0.0
    ends = [end for axes in (to_whole, to_before) for end in axes.get_xlim()]
    for axes in (to_whole, to_before):
        axes.set_xlim(min(*ends, -least), max(*ends, least))
    to_whole.set_yticks(range(len(rungs)), [own.rung.name for own in rungs])
    to_whole.set_xlabel(f"better than {WHOLE} by{behind}")
    to_before.yaxis.tick_right()
    to_before.tick_params(axis="y", length=0)
    to_before.set_yticks(list(before), [rungs[place].rung.before for place in before])
    to_before.set_xlabel(f"better than the circuit on the right by{behind}")


def _draw_panel(axes: Any, rungs: Sequence[Ablated], others: Sequence[Series | None]) -> None:
    """Draw the differences of rungs to other series, below each other."""
    metric = rungs[0].item.measure
    for place, (own, other) in enumerate(zip(rungs, others, strict=True)):
        if other:
            _draw_row(axes, own.item, other, place, metric)
    axes.axvline(0, color="0.6", linewidth=0.8, zorder=0)
    last = max((place for place, own in enumerate(rungs) if own.rung.name == WHOLE), default=-1)
    axes.axhline(last + 0.5, color="0.8", linewidth=0.6, linestyle=(0, (2, 2)), zorder=0)  # below: parts taken out
    axes.set_ylim(len(rungs) - 0.5, -0.5)
    axes.grid(axis="x", linewidth=0.4)
    bare(axes)


def _draw_row(axes: Any, item: Series, other: Series, place: int, metric: Metric) -> None:
    difference = item.against(other)
    if difference is None:
        return
    look = looks_of_models({item.first.model})[item.first.model]
    value = metric.gain(metric.scaled(difference.value))
    if not math.isnan(difference.half_width):
        half = metric.scaled(difference.half_width)
        axes.errorbar(value, place, xerr=half, color=look.colour, linewidth=1.0, capsize=2.0, zorder=2)
        seeds = [metric.gain(metric.scaled(own)) for own in item.differences(other).values()]
        below = [place + SEEDS_BELOW] * len(seeds)
        axes.plot(seeds, below, "o", color=look.colour, markersize=1.8, alpha=0.7, zorder=3)
    hollow = {"fillstyle": "none"} if difference.count == 1 else {}
    axes.plot(value, place, linestyle="none", **{**look.point(), **hollow}, zorder=4)
