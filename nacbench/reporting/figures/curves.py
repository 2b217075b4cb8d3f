"""Learning curves: training loss and validation metric against epochs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacbench.errors import UserError
from nacbench.formats.escape import figure_text
from nacbench.recording.curve import kept_curve
from nacbench.reporting.figures.layout import draw_floor, grid_pages, panels_of
from nacbench.reporting.figures.scores import limits
from nacbench.reporting.figures.style import Encoding
from nacbench.reporting.floors import Floors
from nacbench.reporting.series import Series

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOSS = "training loss"
FEW_EPOCHS = 12  # a line of a few points has markers; one of a single point would be invisible without
Curves = dict[str, list[tuple[float, float]]]  # points (epoch, value) of all seeds of a series, by what was measured


def draw_curves(series: Sequence[Series], broken: list[str]) -> list[Figure]:
    """Draw training loss and, if there is one, validation metric against epochs, in two panels for each task.

    Lines are means over seeds; bands span the minimum and maximum. Runs without a ``curve.jsonl`` are left out.

    Args:
        series: all series of a report.
        broken: a line is added for each curve that cannot be read or is not the one that the run wrote.
    """
    from matplotlib.ticker import MaxNLocator

    looks, floors = Encoding(series), Floors(series)
    curves = {id(item): curves_of(item, broken) for item in series}
    panels, measured = [], []
    for title, rows in panels_of(series):
        drawn = [item for item in rows if curves[id(item)]]
        for name in dict.fromkeys(name for item in drawn for name in curves[id(item)]):
            panels.append((title, [item for item in drawn if name in curves[id(item)]]))
            measured.append(name)
    names = iter(measured)

    def draw(axes: Any, rows: Sequence[Series]) -> None:
        name = next(names)
        for item in looks.ordered(rows):
            _draw_curve(axes, curves[id(item)][name], looks.of(item).curve())
        if name != LOSS:
            draw_floor(axes, floors, rows)
            axes.set_ylim(limits(rows[0].measure, axes.get_ylim()))
        axes.set_xlim(left=0)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.set_xlabel("epoch")
        axes.set_ylabel(figure_text(name, 40))

    return grid_pages(panels, draw, looks, columns=4, floors=floors, lines=True)


def curves_of(item: Series, broken: list[str]) -> Curves:
    """Return the learning curves of a series, its metric in the unit that is shown; unreadable ones are left out.

    Args:
        item: the series.
        broken: a line is added for each curve that cannot be read or is not the one that the run wrote.
    """
    found: Curves = {}
    for run in item.runs:
        try:
            points = kept_curve(Path(run.folder), run.record().files)
        except UserError as error:
            broken.append(f"the curve of run {run.run_id} is not drawn: {error}")
            continue
        for point in points:
            value = point.value(run.metric)
            if value is None:
                continue
            if point.split == "train":
                found.setdefault(LOSS, []).append((point.epoch, value))
            else:
                name = f"{point.split} {item.measure.heading}"
                found.setdefault(name, []).append((point.epoch, item.measure.scaled(value)))
    return found


def _draw_curve(axes: Any, points: Sequence[tuple[float, float]], look: dict[str, Any]) -> None:
    by_epoch: dict[float, list[float]] = {}
    for epoch, value in points:
        by_epoch.setdefault(epoch, []).append(value)
    epochs = sorted(by_epoch)
    values = [by_epoch[epoch] for epoch in epochs]
    means = [math.fsum(own) / len(own) for own in values]
    every = 1 if len(epochs) <= FEW_EPOCHS else len(epochs) // 4
    axes.plot(epochs, means, markevery=every, **{**look, "markersize": 3})
    axes.fill_between(epochs, list(map(min, values)), list(map(max, values)), color=look["color"], alpha=0.15, lw=0)
