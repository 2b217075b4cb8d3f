"""Critical-difference figure: models by mean rank; bars join those that are not told apart (Demšar 2006)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nacbench.formats.escape import figure_text
from nacbench.reporting.figures.style import COLUMN, PAGE, SMALL, Look, figure_of, looks_of_models, styled
from nacbench.reporting.ranks import Ranking, ranking
from nacbench.reporting.series import Series

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEP = 0.15  # inches: height of a line
ABOVE = 0.55  # inches: the axis with its label
FEW = 5  # models that fit into a column
MOST_TICKS = 16  # ranks whose numbers fit beside each other
CLEAR: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "pad": 1}  # lines of models cross this text


def draw_ranks(series: Sequence[Series]) -> list[Figure]:
    """Draw mean ranks over the tasks that all models share; nothing if there are too few of them for a test."""
    found = ranking(series)
    if found is None or not found.is_tested:
        return []
    groups, models = found.groups(), len(found.ranks)
    half = -(-models // 2)
    lines = 2.7 + len(groups) + half  # the critical difference, bars, names
    with styled():
        figure = figure_of(COLUMN if models <= FEW else PAGE, ABOVE + STEP * lines)
        axes = figure.subplots()
        axes.set_xlim(0.5, models + 0.5)
        axes.set_ylim(2 - lines, 2)
        axes.set_xticks(range(1, models + 1, math.ceil(models / MOST_TICKS)))
        axes.set_yticks([])
        axes.xaxis.tick_top()
        axes.xaxis.set_label_position("top")
        axes.set_xlabel(f"mean rank over {len(found.tasks)} tasks (1: best)")
        for side in ("left", "right", "bottom"):
            axes.spines[side].set_visible(False)
        end = 1 + found.critical_difference
        axes.plot([1, end], [0.8, 0.8], color="0.3", linewidth=0.8, marker="|", markersize=4, zorder=4)
        axes.text(end, 0.8, " critical difference", va="center", fontsize=SMALL, bbox=CLEAR, zorder=3, clip_on=False)
        for number, group in enumerate(groups):
            ranks = [found.ranks[name] for name in group]
            axes.plot([min(ranks) - 0.03, max(ranks) + 0.03], [-number] * 2, color="0.3", linewidth=2.2)
        _draw_names(axes, found, half, 1 + len(groups))
    return [figure]


def _draw_names(axes: Any, found: Ranking, half: int, below: int) -> None:
    """Write the better half of the models on the left and the others on the right, each with a line to its rank."""
    looks: Mapping[str, Look] = looks_of_models(found.ranks)
    for place, (name, rank) in enumerate(found.ranks.items()):
        is_left = place < half
        height = -below - (place if is_left else len(found.ranks) - 1 - place)
        end = 0.5 if is_left else len(found.ranks) + 0.5
        axes.plot([rank, rank, end], [2, height, height], color=looks[name].colour, linewidth=0.8)
        axes.plot(rank, 2, linestyle="none", clip_on=False, zorder=4, **looks[name].point())
        axes.annotate(
            f"{figure_text(name, 30)} {rank:.2f}",
            (end, height),
            (-3 if is_left else 3, 0),
            textcoords="offset points",
            ha="right" if is_left else "left",
            va="center",
            fontsize=SMALL,
        )
