"""Pruning figure: accuracy against the share of modules kept, and against the measured speed-up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nacbench.reporting.figures.figures import LINES, MARKERS, bare, panels_of, short_label
from nacbench.reporting.figures.plots import FLOOR_LINE, palette, styled
from nacbench.reporting.floors import Floors
from nacbench.reporting.series import Series
from nacbench.reporting.tables.pruning import KEPT, WHOLE, mean_of, shares_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AIM, TOLERATED = 8.0, 0.03  # the paper's claim: 8 times faster at a loss under 3 %


def draw_pruning(series: Sequence[Series]) -> Figure | None:
    """Draw accuracy against the share of modules kept and the speed-up, in a row of panels for each task."""
    from matplotlib.figure import Figure

    panels = panels_of(item for item in series if shares_of(item) and item.metric("speedup", WHOLE))
    if not panels:
        return None
    floors = Floors(series)
    colours = palette([item.first.model for item in series])
    with styled():
        figure = Figure(figsize=(7.6, 2.9 * len(panels)), layout="constrained")
        grid = figure.subplots(len(panels), 2, squeeze=False)
        for (by_share, by_speed), (title, rows) in zip(grid, panels, strict=True):
            for number, item in enumerate(rows):
                splits = shares_of(item)
                scores = [mean_of(item, item.first.metric, split) for split in splits]
                look: dict[str, Any] = {
                    "color": colours[item.first.model],
                    "marker": MARKERS[number % 5],
                    "linestyle": LINES[number % 4],
                    "markersize": 4,
                    "linewidth": 1.2,
                    "capsize": 2,
                    "label": short_label(item),
                }
                heights = [100 * score.value for score in scores]
                errors = [100 * score.half_width if score.count > 1 else 0.0 for score in scores]
                by_share.errorbar([float(s.removeprefix(KEPT)) for s in splits], heights, yerr=errors, **look)
                speeds = [mean_of(item, "speedup", split) for split in splits]
                by_speed.errorbar([speed.value for speed in speeds], heights, yerr=errors, **look)
                by_speed.axhline((1 - TOLERATED) * heights[0], color="0.6", linewidth=0.7, linestyle=":")
            if floor := floors.highest(rows):
                for axes in (by_share, by_speed):
                    axes.axhline(100 * floor.value, **FLOOR_LINE)
            _finish(by_share, by_speed, title)
    return figure


def _finish(by_share: Any, by_speed: Any, title: str) -> None:
    by_share.invert_xaxis()
    by_share.set_xlabel("modules kept (%)")
    by_share.set_ylabel("accuracy (%)")
    by_share.set_title(title, loc="left")
    by_share.legend(frameon=False, fontsize=7, loc="best")
    by_speed.set_xscale("log", base=2)
    low, high = by_speed.get_xlim()
    ticks = [2.0**power for power in range(6) if 2.0**power <= max(high, AIM)]
    by_speed.set_xticks(ticks, [f"{tick:g}×" for tick in ticks])
    by_speed.set_xlim(min(low, 0.9), max(high, AIM * 1.15))
    by_speed.axvline(AIM, color="0.4", linewidth=0.8, linestyle=":")
    by_speed.annotate(
        f"{AIM:g}×", (AIM, 1), xycoords=("data", "axes fraction"), ha="right", va="top", fontsize=7, color="0.3"
    )
    by_speed.set_xlabel(f"measured speed-up (dotted: {100 * TOLERATED:g} % lost)")
    by_speed.set_ylabel("accuracy (%)")
    for axes in (by_share, by_speed):
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, 0), min(high, 100.5))  # intervals of two seeds can leave 0 to 100 %
        bare(axes)
