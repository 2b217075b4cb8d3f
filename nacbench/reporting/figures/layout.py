"""Layout of figures: stacked panels and grids of panels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def stacked(heights: Sequence[float], width: float = 5.5, columns: int = 1) -> tuple[Figure, list[Any], Sequence[Any]]:
    """Make a figure of panels one below the other, in columns of about the same height.

    Args:
        heights: of the panels in their order, in inches.
        width: of a column, in inches.
        columns: number of columns, at most the number of panels.

    Returns:
        The figure, its panels in their order, and the last of each column.
    """
    from matplotlib.figure import Figure

    share = sum(heights) / columns
    piles: list[list[float]] = [[] for _ in range(columns)]
    above = 0.0
    for height in heights:
        piles[min(int((above + height / 2) / share), columns - 1)].append(height)
        above += height
    figure = Figure(figsize=(width * columns, max(map(sum, piles)) + 0.4), layout="constrained")
    panels: list[Any] = []
    last = []
    for part, pile in zip(figure.subfigures(1, columns, squeeze=False)[0], piles, strict=True):
        axes = part.subplots(len(pile), 1, squeeze=False, height_ratios=pile)
        panels += [row[0] for row in axes]
        last.append(panels[-1])
    return figure, panels, last


def grid_of(panels: int, width: float = 3.4) -> tuple[Figure, list[Any]]:
    """Make a grid of panels, each ``width`` inches wide, with as many in a row as fit on a page; return them by row."""
    from matplotlib.figure import Figure

    columns = min(max(1, int(10.2 / width)), panels)
    rows = -(-panels // columns)
    figure = Figure(figsize=(width * columns, 2.8 * rows), layout="constrained")
    flat = [axes for row in figure.subplots(rows, columns, squeeze=False) for axes in row]
    for axes in flat[panels:]:
        axes.set_axis_off()
    return figure, flat[:panels]
