"""Figure of scores: every seed, the mean and its interval, in a panel for each task."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nacbench.contracts.metric import Metric
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
from nacbench.reporting.figures.style import COLUMN, PAGE, TALLEST, Encoding, Look, bare, figure_of, floor_line, styled
from nacbench.reporting.floors import Floors
from nacbench.reporting.series import Series
from nacbench.reporting.tables.rows import treatment_mark
from nacbench.statistics import Mean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEAST_SPAN = 12.0  # per cent, smallest range of a score axis: a small difference must look small
AROUND, ROW = 0.39, 0.155  # inches: what a panel takes besides its rows, and a row
MOST_IN_A_COLUMN = 4.5  # inches of panels; higher ones are in two columns
LONGEST = 28  # letters of a label; with longer ones two columns would leave no room for the scores


def draw_scores(series: Sequence[Series]) -> list[Figure]:
    """Draw the score of every seed (small dots), their mean and its interval, in a panel for each task and scale.

    Broken lines are floors. The thin bar of a single seed is the Wilson interval over the test examples of this one
    network. An interval that is cut at the end of the metric's range ends in an arrow there. Rows that were not treated
    equally have the marks that they have in tables.
    """
    looks, floors = Encoding(series), Floors(series)
    panels = panels_of(series)
    heights = [AROUND + ROW * len(rows) for _, rows in panels]
    is_long = any(len(looks.label(item)) > LONGEST for item in series)
    columns = 1 if is_long or sum(heights) <= MOST_IN_A_COLUMN else 2
    width = PAGE if is_long or columns > 1 else COLUMN
    room = columns * (TALLEST - LEGEND)
    return [_page(part, looks, floors, columns, width) for part in portions(panels, heights, room)]


def _page(panels: Sequence[Panel], looks: Encoding, floors: Floors, columns: int, width: float) -> Figure:
    heights = [AROUND + ROW * len(rows) for _, rows in panels]
    columns = min(columns, len(panels))
    with styled():
        figure = figure_of(width, max(map(sum, piled(heights, columns))) + LEGEND)
        are_many = len({rows[0].measure.heading for _, rows in panels}) > 1  # then each panel needs its own
        axes_of, last = stacked(figure, heights, columns)
        for axes, (title, rows) in zip(axes_of, panels, strict=True):
            draw_panel(axes, looks.ordered(rows), looks, floors)
            axes.set_title(title)
            axes.set_xlabel(figure_text(rows[0].measure.heading) if axes in last or are_many else "")
        legend_below(figure, floor_entries([item for _, rows in panels for item in rows], floors), width)
    return figure


def draw_panel(axes: Any, rows: Sequence[Series], looks: Encoding, floors: Floors) -> None:
    """Draw scores of one task below each other."""
    for place, item in enumerate(rows):
        _draw_row(axes, item, place, looks.of(item))
    if floor := floors.highest(rows):
        axes.axvline(rows[0].measure.scaled(floor.value), **floor_line(floor.name))
    axes.set_xlim(limits(rows[0].measure, axes.get_xlim(), LEAST_SPAN))
    axes.set_yticks(range(len(rows)), [f"{looks.label(item)}{treatment_mark(item)}" for item in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(axis="x", linewidth=0.4)
    bare(axes)


def _draw_row(axes: Any, item: Series, place: int, look: Look) -> None:
    mean, measure = item.score, item.measure
    if mean.count > 1:
        draw_interval(axes, mean, measure, place, look.colour, upright=False)
        seeds = [measure.scaled(own.score) for own in item.runs]
        axes.plot(seeds, [place + 0.28] * len(seeds), "o", color=look.colour, markersize=1.8, alpha=0.7, zorder=3)
    elif ends := item.over_examples:
        axes.plot(list(map(measure.scaled, ends)), [place, place], color="0.6", linewidth=0.8, zorder=0)
    axes.plot(measure.scaled(mean.value), place, linestyle="none", **look.point(), zorder=4, label=str(place))


def draw_interval(
    axes: Any, mean: Mean, measure: Metric, at: float, colour: str, *, upright: bool, linewidth: float = 1.0
) -> None:
    """Draw an interval with caps; an end that is cut at the end of the range has an arrow for a cap.

    Args:
        axes: panel.
        mean: with its interval; nothing is drawn if it has none.
        measure: the metric that it is a mean of.
        at: place on the other axis.
        colour: of the line.
        upright: whether the interval is along the vertical axis.
        linewidth: in points.
    """
    if math.isnan(mean.half_width):
        return
    from matplotlib.markers import CARETDOWN, CARETLEFT, CARETRIGHT, CARETUP

    low, high = mean.interval
    ends = [measure.scaled(low), measure.scaled(high)]
    line = ([at, at], ends) if upright else (ends, [at, at])
    axes.plot(*line, color=colour, linewidth=linewidth, zorder=2)
    cap, arrows = ("_", (CARETDOWN, CARETUP)) if upright else ("|", (CARETLEFT, CARETRIGHT))
    cut = (low > mean.value - mean.half_width, high < mean.value + mean.half_width)
    for end, arrow, is_cut in zip(ends, arrows, cut, strict=True):
        spot = (at, end) if upright else (end, at)
        marker = arrow if is_cut else cap
        axes.plot(*spot, linestyle="none", marker=marker, color=colour, markersize=4, clip_on=False, zorder=2)


def limits(measure: Metric, ends: tuple[float, float], span: float = 0.0) -> tuple[float, float]:
    """Return the ends of an axis of scores: within the metric's range, with a margin of a hundredth.

    Args:
        measure: the metric.
        ends: of the axis, in the unit that is shown.
        span: least span of an axis in per cent, so that a small difference looks small; without meaning for others.
    """
    least, most = measure.scaled(measure.least), measure.scaled(measure.most)
    margin = 1.0 if measure.percent else 0.01 * (ends[1] - ends[0])
    low, high = max(ends[0], least - margin), min(ends[1], most + margin)
    if not measure.percent or high - low >= span:
        return low, high
    middle = min(max((low + high) / 2, least + span / 2), most - span / 2)
    return middle - span / 2, middle + span / 2
