"""Figures of protocols: accuracy by shots, and errors under corruptions."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nacbench.contracts.metric import ACCURACY
from nacbench.formats.escape import figure_text
from nacbench.reporting.figures.layout import Panel, draw_floor, grid_pages, panels_of, portions
from nacbench.reporting.figures.scores import draw_interval, limits
from nacbench.reporting.figures.style import PAGE, SMALL, TALLEST, Encoding, figure_of, styled
from nacbench.reporting.floors import Floor, Floors
from nacbench.reporting.series import Series
from nacbench.reporting.tables.protocols import adapted_mean, shots_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ERROR = re.compile(r"error/(.+)")
TITLE, ROW, NAMES = 0.3, 0.19, 0.9  # inches: the title of a heat map, a row, the names below it
AROUND = TITLE + NAMES
APART = 0.06  # between two models, in doublings of the number of shots
DARK = 50.0  # per cent of error up to which a cell is so dark that its number is white


def draw_shots(series: Sequence[Series]) -> list[Figure]:
    """Draw accuracy by number of examples per class, in a panel for each task."""
    looks, guessing = Encoding(series), Floors((), "guessing", ACCURACY.name)

    def draw(axes: Any, rows: Sequence[Series]) -> None:
        shots = sorted({k for item in rows for k in shots_of(item)})
        for number, item in enumerate(looks.ordered(rows)):
            means, look = [(k, adapted_mean(item, k)) for k in shots_of(item)], looks.of(item)
            beside = 2 ** (APART * (number - (len(rows) - 1) / 2))  # or the bars of models lie on each other
            for k, mean in means:
                draw_interval(axes, mean, ACCURACY, beside * k, look.colour, upright=True, linewidth=0.6)
            axes.plot([beside * k for k, _ in means], [100 * mean.value for _, mean in means], zorder=3, **look.curve())
        axes.set_xscale("log", base=2)
        axes.set_xticks(shots, [str(k) for k in shots])
        draw_floor(axes, guessing, rows[:1])
        axes.set_ylim(limits(ACCURACY, axes.get_ylim()))
        axes.set_xlabel("shots (examples per class)")
        axes.set_ylabel(ACCURACY.heading)

    # models that are floors have lines of their own here, so the broken one is that of guessing
    panels = panels_of(item for item in series if shots_of(item))
    return grid_pages(panels, draw, looks, columns=2, floors=guessing, lines=True)


def draw_corruptions(series: Sequence[Series]) -> list[Figure]:
    """Draw the error under each corruption (mean over severities and seeds) beside the clean error, by task.

    All panels have one range of colours, 0 to 100 %.
    """
    looks = Encoding(series)
    panels = panels_of(
        item for item in series if any(ERROR.fullmatch(name) for name in item.first.all_metrics()["test"])
    )
    heights = [AROUND + ROW * _rows(panel) for panel in panels]
    return [_heat_maps(part, looks) for part in portions(panels, heights, TALLEST)]


def _heat_maps(panels: Sequence[Panel], looks: Encoding) -> Figure:
    names = [_corruptions(rows) for _, rows in panels]
    ends = [this != below for this, below in zip(names, [*names[1:], None], strict=True)]  # the last with these columns
    with styled():
        counts = [_rows(panel) for panel in panels]
        figure = figure_of(PAGE, TITLE * len(panels) + ROW * sum(counts) + NAMES * sum(ends))
        grid = figure.subplots(len(panels), 1, squeeze=False, height_ratios=counts).flatten()
        for axes, (title, rows), end in zip(grid, panels, ends, strict=True):
            image = _heat_map(axes, looks.ordered(rows), looks)
            axes.set_title(title)
            if not end:
                axes.set_xticklabels([])
        bar = figure.colorbar(image, ax=grid, label="error (%)", fraction=0.02, pad=0.01, aspect=30)
        bar.outline.set_visible(False)
    return figure


def _heat_map(axes: Any, rows: Sequence[Series], looks: Encoding) -> Any:
    names = _corruptions(rows)
    errors = [[_percent(item, "clean_accuracy"), *(_error(item, name) for name in names)] for item in rows]
    labels = [looks.label(item) for item in rows]
    if floor := _guessing(rows):  # a heat map has no place for a line
        errors.append([100 * (1 - floor.value)] * (1 + len(names)))
        labels.append(floor.name)
    image = axes.imshow(errors, cmap="cividis", vmin=0, vmax=100, aspect="auto")
    for row, own in enumerate(errors):
        for column, value in enumerate(own):
            if not math.isnan(value):
                colour = "white" if value < DARK else "black"
                axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=SMALL, color=colour)
    shown = ["clean", *(figure_text(name.replace("_", " ").replace("-", " "), 24) for name in names)]
    axes.set_xticks(range(len(shown)), shown, rotation=60, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_yticks([place - 0.5 for place in range(1, len(labels))], minor=True)
    axes.set_xticks([place - 0.5 for place in range(1, len(shown))], minor=True)
    axes.grid(which="minor", color="white", linewidth=0.8)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    return image


def _corruptions(rows: Sequence[Series]) -> list[str]:
    return [m[1] for name in rows[0].first.all_metrics()["test"] if (m := ERROR.fullmatch(name))]


def _rows(panel: Panel) -> int:
    """Return the number of rows of a panel: its series, and guessing if it is known."""
    _, rows = panel
    return len(rows) + (_guessing(rows) is not None)


def _guessing(rows: Sequence[Series]) -> Floor | None:
    return Floors((), metric=ACCURACY.name).highest(rows[:1])


def _percent(item: Series, metric: str) -> float:
    mean = item.metric(metric)
    return math.nan if mean is None else 100 * (1 - mean.value)


def _error(item: Series, corruption: str) -> float:
    mean = item.metric(f"error/{corruption}")
    return math.nan if mean is None else 100 * mean.value
