"""Figures of a circuit's attention: heat maps over the examples by module, and the flow between modules."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nacbench.formats.escape import figure_text
from nacbench.reporting.figures.style import COLOURS, PAGE, SMALL, TALLEST, bare, figure_of, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nacbench.inspection.attention import Reading, Shown

MODULES_SHOWN = 4  # those with the largest share
LINKS_SHOWN = 40  # strongest links of each propagator
LINE = 22  # characters per line of text
LINES, FEWEST = 18, 10  # lines of text, the rest is cut off; and lines that the label beside it needs
MEANING = (
    "colours: attention from 0 (dark) to the largest of the panel (bright)\n%: share of the read-out's attention that "
    "goes through the module at the first stage"
)
NUMBER = 0.11  # inches from one module's number to the next


def draw_reading(reading: Reading, title: str) -> Figure:
    """Draw each example with the attention of the whole circuit and of the modules with the largest share."""
    chosen = np.argsort(-reading.modules[0])[:MODULES_SHOWN]
    is_text = reading.examples[0].kind == "text"
    rows, columns = len(reading.examples), len(chosen) + (1 if is_text else 2)
    heights = [_height(shown, PAGE / columns) for shown in reading.examples]
    with styled():
        figure = figure_of(PAGE, sum(heights) + 0.1 * rows + 0.7)
        grid = figure.subplots(rows, columns, squeeze=False, height_ratios=heights)
        for row, (axes_of, shown) in enumerate(zip(grid, reading.examples, strict=True)):
            panels = [] if is_text else [("example", None)]
            panels.append(("whole circuit", reading.tokens[row]))
            panels += [(f"module {n} ({reading.modules[0, n]:.0%})", reading.reading[row, n]) for n in chosen]
            for axes, (name, weights) in zip(axes_of, panels, strict=True):
                _draw_example(axes, shown, weights)
                if row == 0:
                    axes.set_title(name, fontsize=SMALL)
            axes_of[0].set_ylabel(shown.title, fontsize=SMALL)
        figure.suptitle(figure_text(title, 120), x=0.01, ha="left")
        figure.supxlabel(MEANING, fontsize=SMALL)
    return figure


def draw_flow(reading: Reading, title: str) -> Figure:
    """Draw attention rollout: the modules' shares after every stage, and the strongest links between stages."""
    from matplotlib.collections import LineCollection

    stages, modules = reading.modules.shape
    order = np.argsort(-reading.modules.sum(0))
    place = np.empty(modules, dtype=int)
    place[order] = np.arange(modules)
    height = min(max(NUMBER * modules + 0.7, 3.4), TALLEST)
    step = math.ceil(modules * NUMBER / (height - 0.6))
    with styled():
        figure = figure_of(PAGE, height)
        axes = figure.subplots()
        for layer, links in enumerate([*reading.links, _to_places(reading.readout, modules)]):
            strongest = np.argsort(-links, axis=None)[:LINKS_SHOWN]
            pairs = [np.unravel_index(number, links.shape) for number in strongest if links.flat[number] > 0]
            top = float(links.max()) or 1.0
            last = layer == len(reading.links)
            lines: list[Any] = [[(layer, place[s]), (layer + 1, r if last else place[r])] for r, s in pairs]
            widths = [0.2 + 2.8 * float(links[pair]) / top for pair in pairs]
            axes.add_collection(LineCollection(lines, linewidths=widths, colors="0.45", alpha=0.5, zorder=0))
            axes.scatter(
                np.full(modules, layer), place, s=3 + 900 * reading.modules[layer], color=COLOURS[0], edgecolors="white"
            )
        spots = _readout_places(reading.readout, modules)
        shares = reading.readout.sum(1)
        axes.scatter(np.full(len(spots), stages), spots, s=3 + 300 * shares, marker="s", color="0.15")
        names = ["read-in", *(f"propagator {number}" for number in range(1, stages)), "read-out"]
        axes.set_xticks(range(stages + 1), names)
        axes.set_yticks(range(0, modules, step), order[::step])
        axes.set_ylim(modules - 0.2, -0.8)
        axes.set_ylabel("module, largest share over all stages first")
        axes.set_title(figure_text(title, 100))
        bare(axes)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
    return figure


def _to_places(readout: np.ndarray, modules: int) -> Any:
    """Return the links to read-out modules as U×U, with each read-out module at the row where it is drawn."""
    spread = np.zeros((modules, modules))
    for number, spot in enumerate(_readout_places(readout, modules)):
        spread[spot] += readout[number]
    return spread


def _readout_places(readout: np.ndarray, modules: int) -> Any:
    return np.linspace(0, modules - 1, len(readout)).round().astype(int)


def _height(shown: Shown, width: float) -> float:
    """Return the height in inches of an example's panels of this width; the label beside it needs 1.2."""
    if shown.kind == "text":
        return 0.115 * max(_places(list(shown.content))[-1][0] + 1, FEWEST)
    return max(width * _aspect(shown), 1.2)


def _aspect(shown: Shown) -> float:
    """Return a panel's height over its width; at least 0.55, to leave room for the title beside it."""
    if shown.kind != "image":
        return 1.0
    rows, columns, *_ = np.shape(shown.content)
    return max(rows / columns, 0.55)


def _draw_example(axes: Any, shown: Shown, weights: np.ndarray | None) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    if shown.kind == "image":
        _draw_image(axes, shown, weights)
    elif shown.kind == "points":
        _draw_points(axes, np.asarray(shown.content), weights)
    else:
        assert weights is not None
        _draw_text(axes, list(shown.content), weights)


def _draw_image(axes: Any, shown: Shown, weights: np.ndarray | None) -> None:
    image = np.asarray(shown.content)
    if weights is None:
        axes.imshow(image.squeeze(), cmap="gray", interpolation="nearest")
        return
    assert shown.grid is not None
    size = (0, image.shape[1], image.shape[0], 0)
    axes.imshow(image.mean(-1), cmap="gray", extent=size, interpolation="nearest", alpha=0.55)
    axes.imshow(weights.reshape(shown.grid), cmap="viridis", extent=size, interpolation="nearest", alpha=0.6, vmin=0)


def _draw_points(axes: Any, points: np.ndarray, weights: np.ndarray | None) -> None:
    """Draw points V×3 from the side and slightly above; far points first, so that near ones cover them."""
    turned = points @ np.array([[0.87, -0.25, 0.43], [-0.5, -0.43, 0.75], [0.0, 0.87, 0.5]])
    order = np.argsort(-turned[:, 2])
    look: dict[str, Any] = {"color": "0.5"} if weights is None else {"c": weights[order], "cmap": "viridis"}
    axes.scatter(turned[order, 0], turned[order, 1], s=4, linewidths=0, **look)
    axes.set_aspect("equal")


def _draw_text(axes: Any, pieces: Sequence[str], weights: np.ndarray) -> None:
    """Draw text in lines; the darker a token's background, the larger its weight."""
    from matplotlib.patches import Rectangle

    top = float(weights[: len(pieces)].max()) or 1.0
    places = _places(pieces)
    for (line, column), piece, weight in zip(places, pieces, weights, strict=False):
        shade = float(weight) / top
        axes.add_patch(Rectangle((column, line), len(piece), 1, color=(1, 0.55, 0.1), alpha=0.85 * shade, linewidth=0))
        # one by one, so that letters stay inside their token's rectangle
        for offset, letter in enumerate(map(figure_text, piece)):
            axes.text(
                column + offset + 0.5, line + 0.5, letter, family="monospace", fontsize=SMALL, ha="center", va="center"
            )
    axes.set_xlim(0, LINE)
    axes.set_ylim(max(places[-1][0] + 1, FEWEST), 0)


def _places(pieces: Sequence[str]) -> list[tuple[int, int]]:
    """Return line and column of the pieces of a text, as far as there are lines."""
    places = []
    line = column = 0
    for piece in pieces:
        if column + len(piece) > LINE:
            line, column = line + 1, 0
        if line >= LINES:
            break
        places.append((line, column))
        column += len(piece)
    return places
