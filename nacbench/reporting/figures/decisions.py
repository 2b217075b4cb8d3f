"""Figure of what was decided by adding seeds: differences with their intervals and the margin of equivalence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nacbench.formats.escape import figure_text
from nacbench.reporting.answered import Answered
from nacbench.reporting.figures.layout import piled, portions, stacked
from nacbench.reporting.figures.style import PAGE, TALLEST, bare, figure_of, looks_of_models, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AROUND, ROW = 0.5, 0.15  # inches: what a task takes besides its rows, and a row
COLUMNS = 2
ROOM = 1.15  # of the axis beyond the outermost mean, seed or margin: a wider interval leaves the panel
SEEDS_BELOW = 0.3  # of a row's height
OPEN = "0.6"  # colour of what is undecided

Cell = tuple[str, list[Answered]]  # title, and the comparisons of a task and scale


def draw_decisions(every: Sequence[Answered]) -> list[Figure]:
    """Draw the comparisons that have a difference, in a panel for each task; claims are in no figure.

    Every seed that counts is a small dot, the mean a large one with the interval of its verdict; the band is the margin
    of equivalence. Right: the first model is better, whichever way the metric goes. Grey: undecided.
    """
    cells: dict[tuple[str, str], list[Answered]] = {}
    for one in sorted(every, key=lambda one: one.asked.task):
        if not one.is_claim and one.judged.seeds:
            cells.setdefault((one.asked.task, one.asked.scale), []).append(one)
    several = len({scale for _, scale in cells}) > 1
    named = [(f"{task}, {scale}" if several else task, own) for (task, scale), own in cells.items()]
    room = TALLEST * min(COLUMNS, len(named)) * (0.9 if len(named) > 1 else 1)  # columns are not of one height
    return [_page(part) for part in portions(named, [_height(own) for _, own in named], room)]


def _height(some: Sequence[Answered]) -> float:
    return AROUND + ROW * len(some)


def _page(cells: Sequence[Cell]) -> Figure:
    heights = [_height(own) for _, own in cells]
    columns = min(COLUMNS, len(cells))
    with styled():
        figure = figure_of(PAGE, max(map(sum, piled(heights, columns))))
        panels, _ = stacked(figure, heights, columns)
        for axes, (title, own) in zip(panels, cells, strict=True):
            axes.set_title(figure_text(title, 40))
            _draw_panel(axes, own)
    return figure


def _draw_panel(axes: Any, some: Sequence[Answered]) -> None:
    metric = some[0].metric
    margin = max(one.margin for one in some)
    ends = [margin]
    for place, one in enumerate(some):
        ends += _draw_row(axes, one, place)
    limit = ROOM * max(abs(end) for end in ends) or 1.0
    axes.set_xlim(-limit, limit)
    if margin:
        axes.axvspan(-margin, margin, color="0.92", linewidth=0, zorder=0)
    axes.axvline(0, color="0.6", linewidth=0.8, zorder=1)
    axes.set_ylim(len(some) - 0.5, -0.5)
    axes.set_yticks(range(len(some)), [figure_text(one.asked.name, 36) for one in some])
    for label, one in zip(axes.get_yticklabels(), some, strict=True):
        label.set_color(OPEN if one.judged.is_open else "0")
    axes.set_xlabel(figure_text(f"better by{f' ({metric.difference_unit})' if metric.difference_unit else ''}"))
    axes.grid(axis="x", linewidth=0.4)
    bare(axes)


def _draw_row(axes: Any, one: Answered, place: int) -> list[float]:
    """Draw a comparison; return what the axis must show."""
    scaled = one.metric.scaled
    ours, theirs = one.members
    ((mean, low, high),) = one.judged.values
    look = looks_of_models({theirs.first.model})[theirs.first.model]
    colour = OPEN if one.judged.is_open else look.colour
    if math.isfinite(low) and math.isfinite(high) and low <= high:
        axes.plot([scaled(low), scaled(high)], [place, place], color=colour, linewidth=1.0, zorder=2)
    seeds = [one.metric.gain(scaled(own)) for own in ours.differences(theirs).values()]
    axes.plot(seeds, [place + SEEDS_BELOW] * len(seeds), "o", color=colour, markersize=1.6, alpha=0.7, zorder=3)
    axes.plot(scaled(mean), place, linestyle="none", **{**look.point(), "color": colour}, zorder=4)
    return [scaled(mean), *seeds]
