"""Pruning figure: score against the share of modules kept, and against the measured speed-up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nacbench.formats.escape import figure_text
from nacbench.reporting.figures.layout import (
    LEGEND,
    Panel,
    draw_floor,
    legend_below,
    legend_entries,
    panels_of,
    portions,
)
from nacbench.reporting.figures.scores import draw_interval, limits
from nacbench.reporting.figures.style import PAGE, SMALL, TALLEST, Encoding, bare, figure_of, styled
from nacbench.reporting.floors import Floors
from nacbench.reporting.series import Series
from nacbench.reporting.tables.pruning import KEPT, WHOLE, mean_of, shares_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AIM, TOLERATED = 8.0, 0.03  # the paper's claim: 8 times faster at a loss under 3 %
ROW = 2.2  # inches, height of a row of panels


def draw_pruning(series: Sequence[Series]) -> list[Figure]:
    """Draw score against the share of modules kept and the speed-up, in a row of panels for each task."""
    looks, floors = Encoding(series), Floors(series)
    panels = panels_of(item for item in series if shares_of(item) and item.metric("speedup", WHOLE))
    return [_page(part, looks, floors) for part in portions(panels, [ROW] * len(panels), TALLEST - LEGEND)]


def _page(panels: Sequence[Panel], looks: Encoding, floors: Floors) -> Figure:
    with styled():
        figure = figure_of(PAGE, ROW * len(panels) + LEGEND)
        grid = figure.subplots(len(panels), 2, squeeze=False)
        for (by_share, by_speed), (title, rows) in zip(grid, panels, strict=True):
            for item in looks.ordered(rows):
                _draw_series(by_share, by_speed, item, looks)
            for axes in (by_share, by_speed):
                draw_floor(axes, floors, rows)
                axes.set_ylabel(figure_text(rows[0].measure.heading))
                axes.set_ylim(limits(rows[0].measure, axes.get_ylim()))
                bare(axes)
            _finish(by_share, by_speed, title)
        shown = [item for _, rows in panels for item in rows]
        legend_below(figure, legend_entries(shown, looks, floors, lines=True), PAGE)
    return figure


def _draw_series(by_share: Any, by_speed: Any, item: Series, looks: Encoding) -> None:
    look, splits = looks.of(item), shares_of(item)
    scores = [mean_of(item, item.first.metric, split) for split in splits]
    shares = [float(split.removeprefix(KEPT)) for split in splits]
    speeds = [mean_of(item, "speedup", split).value for split in splits]
    for axes, places in ((by_share, shares), (by_speed, speeds)):
        for place, score in zip(places, scores, strict=True):
            draw_interval(axes, score, item.measure, place, look.colour, upright=True, linewidth=0.6)
        axes.plot(places, [item.measure.scaled(score.value) for score in scores], zorder=3, **look.curve())
    # in the model's colour, as each has its own line
    whole = scores[0].value
    tolerated = whole - item.measure.gain(TOLERATED * abs(whole))  # worse, whichever values are better
    by_speed.axhline(item.measure.scaled(tolerated), color=look.colour, linewidth=0.7, linestyle=(0, (1, 3)))


def _finish(by_share: Any, by_speed: Any, title: str) -> None:
    by_share.invert_xaxis()
    by_share.set_xlabel("modules kept (%)")
    by_share.set_title(title)
    by_speed.set_xscale("log", base=2)
    low, high = by_speed.get_xlim()
    ticks = [2.0**power for power in range(6) if 2.0**power <= max(high, AIM)]
    by_speed.set_xticks(ticks, [f"{tick:g}×" for tick in ticks])
    by_speed.set_xlim(min(low, 0.9), max(high, AIM * 1.15))
    by_speed.axvline(AIM, color="0.4", linewidth=0.8, linestyle=":")
    by_speed.annotate(
        f"{AIM:g}×", (AIM, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize=SMALL, color="0.3"
    )
    by_speed.set_xlabel(f"measured speed-up (dotted, of each model: {100 * TOLERATED:g} % lost)")
