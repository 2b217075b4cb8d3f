"""Figures of scores against what they cost: operations of a forward pass, and the size of a model's workspace."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nacbench.formats.escape import figure_text
from nacbench.reporting.figures.layout import draw_floor, grid_pages, panels_of
from nacbench.reporting.figures.scores import draw_interval, limits
from nacbench.reporting.figures.style import SMALL, Encoding
from nacbench.reporting.floors import Floors, is_floor
from nacbench.reporting.series import Series

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZES = ("model.modules", "model.latents", "model.tokens")  # settings that give the size of a model's workspace
# Numbers of each power of ten on a logarithmic axis, the densest first
TICKS = ((1, 2, 3, 5), (1, 2, 5), (1, 3), (1,))
MOST_TICKS = 5


def draw_cost(series: Sequence[Series]) -> list[Figure]:
    """Draw score against the operations of a forward pass, in a panel for each task, with a line along the Pareto
    front. Each point is where it was measured: models of equal cost stand above each other."""
    looks, floors = Encoding(series), Floors(series)

    def draw(axes: Any, rows: Sequence[Series]) -> None:
        for item in looks.ordered(rows):
            cost, look = item.first.forward_flops / 1e9, looks.of(item)
            draw_interval(axes, item.score, item.measure, cost, look.colour, upright=True)
            axes.plot(cost, item.measure.scaled(item.score.value), linestyle="none", zorder=3, **look.point())
        front = [(item.first.forward_flops / 1e9, item.measure.scaled(item.score.value)) for item in _pareto(rows)]
        axes.plot(*zip(*front, strict=True), color="0.6", linewidth=0.8, zorder=0)
        axes.set_xscale("log")
        costs = [item.first.forward_flops / 1e9 for item in rows]
        axes.set_xlim(min(costs) / 2, max(costs) * 2)  # a small difference in cost must look small
        draw_floor(axes, floors, rows)
        axes.set_ylim(limits(rows[0].measure, axes.get_ylim()))
        batches = " or ".join(f"{batch:,}" for batch in sorted({item.first.flops_batch for item in rows}))
        axes.set_xlabel(f"GFLOPs per example\n(batch of {batches})")
        axes.set_ylabel(figure_text(rows[0].measure.heading))
        _plain_ticks(axes)

    counted = [item for item in series if item.is_trained_here and item.first.forward_flops > 0]  # false for NaN
    panels = panels_of(item for item in counted if not is_floor(item))
    # of variants of one model that cost the same, the figure would say nothing that scores do not
    different = [panel for panel in panels if len({(i.first.model, i.first.forward_flops) for i in panel[1]}) > 1]
    return grid_pages(different, draw, looks, floors=floors)


def draw_sizes(series: Sequence[Series]) -> list[Figure]:
    """Draw score against the number of modules or latents, with how much less time evaluations took than the largest's.

    These are times of separate runs, on whatever else the machine did; ``nacbench prune`` measures in turn."""
    looks, floors = Encoding(series), Floors(series)

    def draw(axes: Any, rows: Sequence[Series]) -> None:
        for model in dict.fromkeys(item.first.model for item in looks.ordered(rows)):
            own = sorted((item for item in rows if item.first.model == model), key=_workspace)
            largest = own[-1].mean(lambda run: run.evaluate_seconds).value
            points = [(_workspace(item), item.measure.scaled(item.score.value)) for item in own]
            axes.plot(*zip(*points, strict=True), color=looks.of(own[0]).colour, linewidth=0.8, zorder=1)
            for item, point in zip(own, points, strict=True):
                look = looks.of(item)
                draw_interval(axes, item.score, item.measure, point[0], look.colour, upright=True)
                axes.plot(*point, linestyle="none", zorder=3, **look.point())
                faster = largest / max(item.mean(lambda run: run.evaluate_seconds).value, 1e-9)
                axes.annotate(
                    f"{faster:.1f}×", point, (4, 4), textcoords="offset points", fontsize=SMALL, color=look.colour
                )
        axes.set_xscale("log", base=2)
        axes.set_xticks(sorted({_workspace(item) for item in rows}))
        axes.xaxis.set_major_formatter("{x:.0f}")
        axes.margins(x=0.2)
        draw_floor(axes, floors, rows)
        axes.set_ylim(limits(rows[0].measure, axes.get_ylim()))
        axes.set_xlabel("modules or latents")
        axes.set_ylabel(figure_text(rows[0].measure.heading))

    panels = []
    for title, rows in panels_of(item for item in series if item.is_trained_here and _workspace(item)):
        kept = [item for item in rows if any(_workspace(o) != _workspace(item) for o in rows if _same(o, item))]
        if kept:
            panels.append((title, kept))
    return grid_pages(panels, draw, looks, floors=floors)


def _pareto(rows: Sequence[Series]) -> list[Series]:
    """Return the Pareto front by cost: series with a better score than every cheaper one."""
    front: list[Series] = []
    for item in sorted(rows, key=lambda item: (item.first.forward_flops, item.rank)):
        if not front or item.rank < front[-1].rank:
            front.append(item)
    return front


def _workspace(item: Series) -> int:
    settings = json.loads(item.first.settings).get("model", {})
    found = (settings.get(name.partition(".")[2]) for name in SIZES)
    return next((int(value) for value in found if isinstance(value, int)), 0)


def _same(one: Series, other: Series) -> bool:
    return one.first.model == other.first.model


def _plain_ticks(axes: Any) -> None:
    """Label a logarithmic axis with a few numbers without exponents: as many as fit beside each other."""
    low, high = axes.get_xlim()
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in TICKS:
        ticks = [step * 10.0**power for power in powers for step in steps if low <= step * 10.0**power <= high]
        if len(ticks) <= MOST_TICKS:
            break
    axes.set_xticks(ticks[:: math.ceil(len(ticks) / MOST_TICKS)], minor=False)
    axes.set_xticks([], minor=True)
    axes.xaxis.set_major_formatter("{x:g}")
