"""Figure of scores by length of training, in a panel for each task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nacbench.formats.escape import figure_text
from nacbench.reporting.figures.layout import draw_floor, grid_pages, panels_of
from nacbench.reporting.figures.scores import draw_interval, limits
from nacbench.reporting.figures.style import Encoding
from nacbench.reporting.floors import Floors
from nacbench.reporting.lengths import by_length, epochs_of, without_length
from nacbench.reporting.series import Series

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_lengths(series: Sequence[Series]) -> list[Figure]:
    """Draw score against the number of epochs, a line for each model with several, in a panel for each task."""
    # without the length in their labels, so that all points of a line have one look and one entry of the legend
    looks, floors = Encoding(map(without_length, series)), Floors(series)

    def draw(axes: Any, rows: Sequence[Series]) -> None:
        for label in dict.fromkeys(item.label for item in looks.ordered(rows)):
            line = sorted((item for item in rows if item.label == label), key=_epochs)
            look = looks.of(line[0])
            for item in line:
                draw_interval(axes, item.score, item.measure, _epochs(item), look.colour, upright=True, linewidth=0.6)
            points = [(_epochs(item), item.measure.scaled(item.score.value)) for item in line]
            axes.plot(*zip(*points, strict=True), zorder=3, **look.curve())
        axes.set_xscale("log", base=2)
        axes.set_xticks(sorted(set(map(_epochs, rows))))
        axes.xaxis.set_major_formatter("{x:g}")
        draw_floor(axes, floors, rows)
        axes.set_ylim(limits(rows[0].measure, axes.get_ylim()))
        axes.set_xlabel("epochs")
        axes.set_ylabel(figure_text(rows[0].measure.heading))

    lines = [line for cell in by_length(series).values() for line in cell.values()]
    panels = panels_of(without_length(item) for line in lines for item in line.values())
    return grid_pages(panels, draw, looks, columns=2, floors=floors, lines=True)


def _epochs(item: Series) -> float:
    return epochs_of(item) or 0.0
