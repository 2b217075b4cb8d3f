"""Figure of scores: every seed, the mean and its interval, in a panel for each task."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nacbench.formats.escape import figure_text
from nacbench.reporting.figures.layout import (
    LEGEND,
    Panel,
    floor_entries,
    legend_below,
    panels_of,
    piled,
    portions,
    stacked,
)
from nacbench.reporting.figures.style import COLUMN, PAGE, TALLEST, Look, Looks, bare, figure_of, floor_line, styled
from nacbench.reporting.floors import Floors
from nacbench.reporting.series import Series
from nacbench.statistics import Mean, wilson_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEAST_SPAN = 12.0  # per cent, smallest range of a score axis: a small difference must look small
AROUND, ROW = 0.39, 0.155  # inches: what a panel takes besides its rows, and a row
MOST_IN_A_COLUMN = 4.5  # inches of panels; higher ones are in two columns
LONGEST = 28  # letters of a label; with longer ones two columns would leave no room for the scores


def draw_scores(series: Sequence[Series]) -> list[Figure]:
    """Draw the score of every seed (small dots), their mean and its interval, in a panel for each task and scale.

    Broken lines are floors. The thin bar of a single seed is the Wilson interval over the test examples of this one
    network. An interval that is cut at 0 or 100 % ends in an arrow there.
    """
    looks, floors = Looks(series), Floors(series)
    panels = panels_of(series)
    heights = [AROUND + ROW * len(rows) for _, rows in panels]
    is_long = any(len(looks.label(item)) > LONGEST for item in series)
    columns = 1 if is_long or sum(heights) <= MOST_IN_A_COLUMN else 2
    width = PAGE if is_long or columns > 1 else COLUMN
    room = columns * (TALLEST - LEGEND)
    return [_page(part, looks, floors, columns, width) for part in portions(panels, heights, room)]


def _page(panels: Sequence[Panel], looks: Looks, floors: Floors, columns: int, width: float) -> Figure:
    heights = [AROUND + ROW * len(rows) for _, rows in panels]
    columns = min(columns, len(panels))
    with styled():
        figure = figure_of(width, max(map(sum, piled(heights, columns))) + LEGEND)
        axes_of, last = stacked(figure, heights, columns)
        for axes, (title, rows) in zip(axes_of, panels, strict=True):
            draw_panel(axes, looks.ordered(rows), looks, floors)
            axes.set_title(title)
            axes.set_xlabel(figure_text(f"{rows[0].first.metric} (%)") if axes in last else "")
        legend_below(figure, floor_entries([item for _, rows in panels for item in rows], floors), width)
    return figure


def draw_panel(axes: Any, rows: Sequence[Series], looks: Looks, floors: Floors) -> None:
    """Draw scores of one task below each other."""
    for place, item in enumerate(rows):
        _draw_row(axes, item, place, looks.of(item))
    if floor := floors.highest(rows):
        axes.axvline(100 * floor.value, **floor_line(floor.name))
    axes.set_xlim(per_cents(axes.get_xlim(), LEAST_SPAN))
    axes.set_yticks(range(len(rows)), [looks.label(item) for item in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(axis="x", linewidth=0.4)
    bare(axes)


def _draw_row(axes: Any, item: Series, place: int, look: Look) -> None:
    mean, run = item.score, item.first
    if mean.count > 1:
        draw_interval(axes, mean, place, look.colour, upright=False)
        seeds = [100 * own.score for own in item.runs]
        axes.plot(seeds, [place + 0.28] * len(seeds), "o", color=look.colour, markersize=1.8, alpha=0.7, zorder=3)
    # the Wilson interval needs independent examples: a protocol may score an example many times, or score episodes
    elif run.metric == "accuracy" and item.is_trained_here:
        low, high = wilson_interval(round(mean.value * run.scored), run.scored)
        axes.plot([100 * low, 100 * high], [place, place], color="0.6", linewidth=0.8, zorder=0)
    axes.plot(100 * mean.value, place, linestyle="none", **look.point(), zorder=4, label=str(place))


def draw_interval(axes: Any, mean: Mean, at: float, colour: str, *, upright: bool, linewidth: float = 1.0) -> None:
    """Draw an interval in per cent with caps; an end that is cut at the end of the range has an arrow for a cap.

    Args:
        axes: panel.
        mean: with its interval; nothing is drawn if it has none.
        at: place on the other axis.
        colour: of the line.
        upright: whether the interval is along the vertical axis.
        linewidth: in points.
    """
    if math.isnan(mean.half_width):
        return
    from matplotlib.markers import CARETDOWN, CARETLEFT, CARETRIGHT, CARETUP

    low, high = mean.interval
    line = ([at, at], [100 * low, 100 * high]) if upright else ([100 * low, 100 * high], [at, at])
    axes.plot(*line, color=colour, linewidth=linewidth, zorder=2)
    cap, arrows = ("_", (CARETDOWN, CARETUP)) if upright else ("|", (CARETLEFT, CARETRIGHT))
    cut = (low > mean.value - mean.half_width, high < mean.value + mean.half_width)
    for end, arrow, is_cut in zip((low, high), arrows, cut, strict=True):
        spot = (at, 100 * end) if upright else (100 * end, at)
        marker = arrow if is_cut else cap
        axes.plot(*spot, linestyle="none", marker=marker, color=colour, markersize=4, clip_on=False, zorder=2)


def per_cents(ends: tuple[float, float], span: float) -> tuple[float, float]:
    """Return the ends of an axis in per cent: at least ``span`` wide, so that a small difference looks small.

    They stay within 0 to 100, with a margin of 1.
    """
    low, high = max(ends[0], -1.0), min(ends[1], 101.0)
    if high - low >= span:
        return low, high
    middle = min(max((low + high) / 2, span / 2), 100 - span / 2)
    return middle - span / 2, middle + span / 2
