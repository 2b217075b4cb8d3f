"""Critical-difference figure: models by mean rank; bars join those that are not told apart (Demšar 2006)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nacbench.formats.escape import figure_text
from nacbench.reporting.figures.plots import palette, styled
from nacbench.reporting.ranks import Ranking, ranking
from nacbench.reporting.series import Series

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEP = 0.16  # height of a line of text, in inches
WIDTH = 5.5  # of the figure, in inches
CLEAR: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "pad": 1}  # lines of models cross this text


def draw_ranks(series: Sequence[Series]) -> Figure | None:
    """Draw mean ranks over the tasks that all models share; None if there are too few of them for a test."""
    from matplotlib.figure import Figure

    found = ranking(series)
    if found is None or not found.is_tested:
        return None
    groups = found.groups()
    half = -(-len(found.ranks) // 2)
    lines = 3 + len(groups) + half  # the critical difference, the axis, bars, names
    with styled():
        figure = Figure(figsize=(WIDTH, STEP * (lines + 3)), layout="constrained")
        axes = figure.subplots()
        axes.set_xlim(0.5, len(found.ranks) + 0.5)
        axes.set_ylim(-lines, 2)
        axes.xaxis.tick_top()
        axes.set_xticks(range(1, len(found.ranks) + 1))
        axes.set_yticks([])
        for side in ("left", "right", "bottom"):
            axes.spines[side].set_visible(False)
        axes.set_xlabel(f"mean rank over {len(found.tasks)} tasks (1: best)")
        axes.xaxis.set_label_position("top")
        _draw_bar(axes, 1, 1 + found.critical_difference, 1)
        axes.text(1 + found.critical_difference + 0.05, 1, "critical difference", va="center", fontsize=7, bbox=CLEAR)
        for number, group in enumerate(groups):
            ranks = [found.ranks[name] for name in group]
            axes.plot([min(ranks) - 0.03, max(ranks) + 0.03], [-1 - number] * 2, color="0.3", linewidth=3)
        _draw_names(axes, found, half, 2 + len(groups))
    return figure


def _draw_bar(axes: Any, start: float, end: float, height: float) -> None:
    axes.plot([start, end], [height, height], color="0.3", linewidth=1, marker="|", markersize=5)


def _draw_names(axes: Any, found: Ranking, half: int, below: int) -> None:
    """Write the better half of the models on the left and the others on the right, each with a line to its rank."""
    colours: Mapping[str, Any] = palette(list(found.ranks))
    for place, (name, rank) in enumerate(found.ranks.items()):
        is_left = place < half
        height = -below - (place if is_left else len(found.ranks) - 1 - place)
        end = 0.5 if is_left else len(found.ranks) + 0.5
        axes.plot([rank, rank, end], [2, height, height], color=colours[name], linewidth=0.9)
        text = f"{figure_text(name, 30)} {rank:.2f}"
        axes.annotate(
            text,
            (end, height),
            (-3 if is_left else 3, 0),
            textcoords="offset points",
            ha="right" if is_left else "left",
            va="center",
            fontsize=7,
        )
