"""Pages of panels: grids and stacks that are as wide as a page of a paper, with one legend for all panels of a page."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from nacbench.formats.escape import figure_text
from nacbench.reporting.figures.style import COLUMN, PAGE, TALLEST, Encoding, bare, figure_of, floor_line, styled
from nacbench.reporting.floors import Floors
from nacbench.reporting.series import Series, by_cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Panel = tuple[str, list[Series]]  # title, escaped for a figure, and series of a task and scale
MOST_ROWS = 24  # series of a panel; with more a panel is not readable, or higher than a page
LEGEND = 0.7  # inches that are kept for legend and labels of a page
LETTER, SAMPLE = 0.062, 0.45  # inches: width of a letter of a legend, and of what stands before the text
Item = TypeVar("Item")


def panels_of(series: Iterable[Series]) -> list[Panel]:
    """Return a panel for each task and scale, with its first ``MOST_ROWS`` series; titles name the scale if there are
    several, and say of how many series these are the first."""
    cells = by_cell(series)
    several = len({scale for _, scale in cells}) > 1
    panels = []
    for (task, scale), rows in cells.items():
        part = f", first {MOST_ROWS} of {len(rows):,}" if len(rows) > MOST_ROWS else ""
        title = figure_text(f"{task}, {scale}" if several else task, 40)
        panels.append((f"{title}{part}", rows[:MOST_ROWS]))
    return panels


def grid_pages(
    panels: Sequence[Panel],
    draw: Callable[[Any, Sequence[Series]], None],
    looks: Encoding,
    *,
    columns: int = 3,
    floors: Floors | None = None,
    lines: bool = False,
) -> list[Figure]:
    """Draw panels in a grid, with a legend of their series below it; what does not fit on a page goes to the next.

    Args:
        panels: titles and series.
        draw: draws series into axes.
        looks: of the report.
        columns: most panels beside each other.
        floors: whose lines the panels have; None for none.
        lines: series are drawn as lines.
    """
    pages = []
    columns = min(columns, len(panels))
    for part in portions(panels, [1.0] * len(panels), columns * int((TALLEST - LEGEND) / _height(columns))):
        rows = -(-len(part) // columns)
        with styled():
            width = PAGE if columns > 1 else COLUMN
            entries = legend_entries([item for _, own in part for item in own], looks, floors, lines=lines)
            figure = figure_of(width, _height(columns) * rows + legend_height(entries, width))
            flat = figure.subplots(rows, columns, squeeze=False).flatten().tolist()
            for axes, (title, own) in zip(flat, part, strict=False):
                draw(axes, own)
                axes.set_title(wrapped(title, width / columns))
                bare(axes)
            for axes in flat[len(part) :]:
                axes.set_axis_off()
            legend_below(figure, entries, width)
        pages.append(figure)
    return pages


def _height(columns: int) -> float:
    """Return the height of a panel in inches, by the number of panels beside each other."""
    return 2.3 if columns < 3 else 1.75


def wrapped(title: str, width: float) -> str:
    """Return a title in lines that are not longer than a panel of this width in inches; words are not cut."""
    return "\n".join(textwrap.wrap(title, max(8, int((width - SAMPLE) / LETTER)), break_long_words=False))


def draw_floor(axes: Any, floors: Floors, rows: Sequence[Series]) -> None:
    """Draw a line at the best floor of a panel, on the vertical axis."""
    if floor := floors.highest(rows):
        axes.axhline(floors.measure(rows[0]).scaled(floor.value), **floor_line(floor.name))


def portions(items: Sequence[Item], heights: Sequence[float], room: float) -> Iterator[list[Item]]:
    """Cut items into pages: consecutive ones whose heights together do not exceed the room, at least one a page."""
    page: list[Item] = []
    used = 0.0
    for item, height in zip(items, heights, strict=True):
        if page and used + height > room:
            yield page
            page, used = [], 0.0
        page.append(item)
        used += height
    if page:
        yield page


def stacked(figure: Figure, heights: Sequence[float], columns: int) -> tuple[list[Any], list[Any]]:
    """Make panels one below the other, in columns of about the same height.

    Args:
        figure: an empty figure.
        heights: of the panels in their order, in any unit.
        columns: number of columns, at most the number of panels.

    Returns:
        The panels in their order, and the last of each column.
    """
    piles = piled(heights, columns)
    panels: list[Any] = []
    last = []
    for part, pile in zip(figure.subfigures(1, columns, squeeze=False)[0], piles, strict=True):
        axes = part.subplots(len(pile), 1, squeeze=False, height_ratios=pile)
        panels += [row[0] for row in axes]
        last.append(panels[-1])
    return panels, last


def piled(heights: Sequence[float], columns: int) -> list[list[float]]:
    """Return heights in columns of about the same sum, in their order."""
    share = sum(heights) / columns
    piles: list[list[float]] = [[] for _ in range(columns)]
    above = 0.0
    for height in heights:
        piles[min(int((above + height / 2) / share), columns - 1)].append(height)
        above += height
    return piles


def legend_entries(series: Sequence[Series], looks: Encoding, floors: Floors | None, *, lines: bool) -> list[Any]:
    """Return an entry for each look among the series, and one for each kind of floor.

    Args:
        series: what a page shows.
        looks: of the report.
        floors: whose lines the page has; None for none.
        lines: series are drawn as lines.
    """
    from matplotlib.lines import Line2D

    # not by label alone: of two long names the label may show the same letters
    shown = dict.fromkeys((looks.label(item), looks.of(item)) for item in looks.ordered(series))
    styles = [(label, look.curve() if lines else {**look.point(), "linestyle": "none"}) for label, look in shown]
    entries = [Line2D([], [], **style, label=label) for label, style in styles]
    return [*entries, *(floor_entries(series, floors) if floors else ())]


def floor_entries(series: Sequence[Series], floors: Floors) -> list[Any]:
    """Return an entry of a legend for each kind of floor that is the highest of a task."""
    from matplotlib.lines import Line2D

    found = [floor for rows in by_cell(series).values() if (floor := floors.highest(rows))]
    names = dict.fromkeys(floor.name for floor in found)
    return [Line2D([], [], **floor_line(name), label=figure_text(f"{floors.called}: {name}", 48)) for name in names]


def legend_below(figure: Figure, entries: Sequence[Any], width: float) -> None:
    """Put one legend for all panels below them.

    Args:
        figure: the figure.
        entries: lines and patches with labels.
        width: of the figure in inches.
    """
    if entries:
        columns = _columns(entries, width)
        figure.legend(handles=entries, loc="outside lower left", ncols=columns, handlelength=2.4, columnspacing=1.2)


def legend_height(entries: Sequence[Any], width: float) -> float:
    """Return the height in inches of a legend with these entries below a figure of this width."""
    return 0.2 + 0.15 * -(-len(entries) // _columns(entries, width)) if entries else 0.0


def _columns(entries: Sequence[Any], width: float) -> int:
    longest = max(len(str(entry.get_label())) for entry in entries)
    return max(1, min(int(width / (SAMPLE + LETTER * longest)), len(entries)))
