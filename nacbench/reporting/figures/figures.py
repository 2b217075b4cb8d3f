"""Figures of scores with intervals, and of scores against cost, shots, corruptions and size of the circuit."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from nacbench.formats.escape import figure_text
from nacbench.reporting.figures.layout import grid_of, stacked
from nacbench.reporting.figures.plots import FLOOR_LINE, palette, styled
from nacbench.reporting.floors import Floors, is_floor
from nacbench.reporting.series import Series, by_cell
from nacbench.reporting.tables.protocols import adapted_mean, shots_of
from nacbench.statistics import wilson_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEAST_SPAN = 12.0  # per cent, smallest range of a score axis: a small difference must look small
MOST_IN_A_COLUMN = 8  # panels of scores; with more there are two columns
MARKERS = "os^Dv"
LINES = ("-", "--", ":", "-.")
MOST_PANELS = 24  # of one figure; with more it is not readable
MOST_ROWS = 40  # of one panel, likewise: with 500 a figure was thirty metres high
ERROR = re.compile(r"error/(.+)")
SIZES = ("model.modules", "model.latents", "model.tokens")  # settings that give the size of a model's workspace


def draw_scores(series: Sequence[Series]) -> Figure | None:
    """Draw the score of every series with its interval, in a panel for each task and scale.

    The dashed line is the highest floor. A single seed is an open circle; its thin bar is the Wilson interval over the
    test examples of this one network.
    """
    panels = panels_of(series)
    if not panels:
        return None
    floors = Floors(series)
    heights = [0.35 + 0.24 * len(rows) for _, rows in panels]
    colours = palette([item.first.model for item in series])
    with styled():
        figure, axes_of, last = stacked(heights, columns=1 if len(panels) <= MOST_IN_A_COLUMN else 2)
        for axes, (title, rows) in zip(axes_of, panels, strict=True):
            for place, item in enumerate(rows):
                _draw_mean(axes, item, place, colours[item.first.model])
            if floor := floors.highest(rows):
                axes.axvline(100 * floor.value, **FLOOR_LINE)
                title = f"{title} (dashed: {figure_text(floor.name, 40)})"
            axes.set_xlim(per_cents(axes.get_xlim(), LEAST_SPAN))
            axes.set_yticks(range(len(rows)), [short_label(item) for item in rows])
            axes.set_ylim(len(rows) - 0.5, -0.5)
            axes.set_title(title, loc="left")
            axes.set_xlabel(figure_text(f"{rows[0].first.metric} (%)") if axes in last else "")
            axes.grid(axis="x", linewidth=0.4)
            bare(axes)
    return figure


def draw_cost(series: Sequence[Series]) -> Figure | None:
    """Draw score against the operations of a forward pass, in a panel for each task, with a line along the Pareto
    front."""
    colours = palette([item.first.model for item in series])
    floors = Floors(series)

    def draw(axes: Any, rows: Sequence[Series]) -> None:
        drawn: Counter[str] = Counter()
        for item in rows:
            _draw_at_cost(axes, item, drawn[item.first.model], colours[item.first.model])
            drawn[item.first.model] += 1
        front = _pareto([(item.first.forward_flops / 1e9, 100 * item.score.value) for item in rows])
        axes.plot(*zip(*front, strict=True), color="0.6", linewidth=0.8, zorder=0)
        axes.set_xscale("log")
        costs = [item.first.forward_flops / 1e9 for item in rows]
        axes.set_xlim(min(costs) / 2, max(costs) * 3)  # a small difference in cost must look small
        _draw_floor(axes, floors, rows)
        axes.margins(y=0.1)
        axes.autoscale_view()
        axes.set_ylim(per_cents(axes.get_ylim(), 0))
        batches = " or ".join(f"{batch:,}" for batch in sorted({item.first.flops_batch for item in rows}))
        axes.set_xlabel(f"GFLOPs an example, at a batch of {batches}")
        axes.legend(frameon=False, fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
        axes.set_ylabel(figure_text(f"{rows[0].first.metric} (%)"))
        _plain_ticks(axes)

    panels = panels_of(item for item in series if item.is_trained_here and not is_floor(item))
    return _draw_grid([panel for panel in panels if len(panel[1]) > 1], draw, 5.1)


def draw_shots(series: Sequence[Series]) -> Figure | None:
    """Draw accuracy by number of examples per class, in a panel for each task."""
    colours = palette([item.first.model for item in series])

    def draw(axes: Any, rows: Sequence[Series]) -> None:
        shots = sorted({k for item in rows for k in shots_of(item)})
        for number, item in enumerate(rows):
            means = [(k, adapted_mean(item, k)) for k in shots_of(item)]
            axes.errorbar(
                [k * 1.05**number for k, _ in means],  # shifted, so that intervals do not cover each other
                [100 * mean.value for _, mean in means],
                yerr=[0 if math.isnan(mean.half_width) else 100 * mean.half_width for _, mean in means],
                label=short_label(item),
                color=colours[item.first.model],
                marker=MARKERS[number % 5],
                linestyle=LINES[number % 4],
                markersize=4,
                capsize=2,
                linewidth=1.2,
            )
        axes.set_xscale("log", base=2)
        axes.set_xticks(shots, [str(k) for k in shots])
        # models that are floors have lines of their own here, so the dashed one is that of guessing
        _draw_floor(axes, Floors(rows[:1]), rows[:1])
        axes.set_xlabel("examples a class")
        axes.set_ylabel("accuracy (%)")
        axes.legend(frameon=False, fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))

    return _draw_grid(panels_of(item for item in series if shots_of(item)), draw, 5.1)


def draw_corruptions(series: Sequence[Series]) -> Figure | None:
    """Draw the error under each corruption (mean over severities and seeds) beside the clean error, by task."""
    import seaborn as sns

    panels = panels_of(
        item for item in series if any(ERROR.fullmatch(name) for name in item.first.all_metrics()["test"])
    )
    if not panels:
        return None
    with styled():
        heights = [1.7 + 0.3 * len(rows) for _, rows in panels]
        figure, axes_of, _ = stacked(heights, width=7.5)
        for axes, (title, rows) in zip(axes_of, panels, strict=True):
            names = [m[1] for name in rows[0].first.all_metrics()["test"] if (m := ERROR.fullmatch(name))]
            errors = [[_percent(item, "clean_accuracy"), *(_error(item, name) for name in names)] for item in rows]
            labels = [short_label(item) for item in rows]
            if floor := Floors(rows[:1]).highest(rows[:1]):  # a heat map has no place for a line
                errors.append([100 * (1 - floor.value)] * (1 + len(names)))
                labels.append(floor.name)
            sns.heatmap(
                errors,
                ax=axes,
                cmap="cividis",
                annot=True,
                fmt=".0f",
                annot_kws={"fontsize": 6},
                cbar_kws={"label": "error (%)"},
                xticklabels=["clean", *(figure_text(name.replace("_", " "), 24) for name in names)],
                yticklabels=labels,
                vmin=0,
                linewidths=0.5,
            )
            axes.tick_params(axis="x", rotation=60, labelsize=7)
            axes.tick_params(axis="y", rotation=0, labelsize=7)
            axes.set_title(title, loc="left")
    return figure


def draw_sizes(series: Sequence[Series]) -> Figure | None:
    """Draw score against the number of modules or latents, with the measured speed-up over the largest."""
    colours = palette([item.first.model for item in series])
    floors = Floors(series)

    def draw(axes: Any, rows: Sequence[Series]) -> None:
        for model in dict.fromkeys(item.first.model for item in rows):
            own = sorted((item for item in rows if item.first.model == model), key=_workspace)
            largest = own[-1].mean(lambda run: run.evaluate_seconds).value
            points = [(_workspace(item), 100 * item.score.value) for item in own]
            axes.plot(
                *zip(*points, strict=True), marker="o", markersize=4, color=colours[model], label=figure_text(model)
            )
            for item, point in zip(own, points, strict=True):
                faster = largest / max(item.mean(lambda run: run.evaluate_seconds).value, 1e-9)
                axes.annotate(f"{faster:.1f}×", point, (0, 5), textcoords="offset points", ha="center", fontsize=7)
        axes.set_xscale("log", base=2)
        axes.set_xticks(sorted({_workspace(item) for item in rows}))
        axes.xaxis.set_major_formatter("{x:.0f}")
        _draw_floor(axes, floors, rows)
        axes.margins(y=0.2)
        axes.set_xlabel("modules or latents (above: speed-up of evaluation)")
        axes.set_ylabel(figure_text(f"{rows[0].first.metric} (%)"))
        axes.legend(frameon=False, fontsize=7)

    panels = []
    for title, rows in panels_of(item for item in series if item.is_trained_here and _workspace(item)):
        kept = [item for item in rows if any(_workspace(o) != _workspace(item) for o in rows if _same(o, item))]
        if kept:
            panels.append((title, kept))
    return _draw_grid(panels, draw)


def _draw_floor(axes: Any, floors: Floors, rows: Sequence[Series]) -> None:
    """Draw a dashed line at the highest floor of a panel, named in the legend."""
    if floor := floors.highest(rows):
        axes.axhline(100 * floor.value, label=figure_text(floor.name, 48), **FLOOR_LINE)


def _draw_grid(
    panels: Sequence[tuple[str, list[Series]]], draw: Callable[[Any, Sequence[Series]], None], width: float = 3.4
) -> Figure | None:
    """Draw panels of this width (inches) in a grid, each with its title; return None if there are no panels."""
    if not panels:
        return None
    with styled():
        figure, grid = grid_of(len(panels), width)
        for axes, (title, rows) in zip(grid, panels, strict=True):
            draw(axes, rows)
            axes.set_title(title, loc="left")
            bare(axes)
    return figure


def panels_of(series: Iterable[Series]) -> list[tuple[str, list[Series]]]:
    """Return title, escaped for a figure, and series of each task and scale: at most ``MOST_PANELS``, each with the
    first ``MOST_ROWS``; a title says of how many."""
    panels = []
    for (task, scale), rows in by_cell(series).items():
        part = f" ({MOST_ROWS} of {len(rows):,})" if len(rows) > MOST_ROWS else ""
        panels.append((figure_text(f"{task}, {scale}{part}"), rows[:MOST_ROWS]))
    return panels[:MOST_PANELS]


def short_label(item: Series) -> str:
    """Return the label, escaped for a figure, in at most 48 characters, which fit beside an axis."""
    return figure_text(item.label, 48)


def _draw_mean(axes: Any, item: Series, place: int, colour: Any) -> None:
    mean, run = item.score, item.first
    single = math.isnan(mean.half_width)
    # the Wilson interval needs independent examples: a protocol may score an example many times, or score episodes
    if single and run.metric == "accuracy" and item.is_trained_here:
        low, high = wilson_interval(round(mean.value * run.scored), run.scored)
        axes.plot([100 * low, 100 * high], [place, place], color="0.6", linewidth=0.8, zorder=0)
    axes.errorbar(
        100 * mean.value,
        place,
        xerr=None if single else 100 * mean.half_width,
        fmt="o",
        color=colour,
        markerfacecolor="white" if single else colour,
        markersize=4.5,
        capsize=2.5,
        linewidth=1.2,
    )


def _draw_at_cost(axes: Any, item: Series, number: int, colour: Any) -> None:
    """Draw a score at its cost; variants of a model often cost the same, so they are shifted and have other markers."""
    from matplotlib.transforms import ScaledTranslation

    cost, score = item.first.forward_flops / 1e9, 100 * item.score.value
    half = 0 if math.isnan(item.score.half_width) else 100 * item.score.half_width
    aside = ScaledTranslation(5 * number / 72, 0, axes.figure.dpi_scale_trans)
    axes.update_datalim([(cost, score - half), (cost, score + half)])  # matplotlib ignores shifted points in its limits
    axes.errorbar(
        cost,
        score,
        yerr=half,
        fmt=MARKERS[number % 5],
        color=colour,
        markersize=4,
        capsize=2,
        label=short_label(item),
        transform=axes.transData + aside,
    )


def per_cents(ends: tuple[float, float], span: float) -> tuple[float, float]:
    """Return the ends of an axis in per cent: at least ``span`` wide, so that a small difference looks small.

    They stay within 0 to 100, with a margin of 1.
    """
    low, high = max(ends[0], -1.0), min(ends[1], 101.0)
    if high - low >= span:
        return low, high
    middle = min(max((low + high) / 2, span / 2), 100 - span / 2)
    return middle - span / 2, middle + span / 2


def _pareto(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the Pareto front by cost: points with a better score than every cheaper one."""
    front: list[tuple[float, float]] = []
    for cost, score in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or score > front[-1][1]:
            front.append((cost, score))
    return front


def _percent(item: Series, metric: str) -> float:
    mean = item.metric(metric)
    return math.nan if mean is None else 100 * (1 - mean.value)


def _error(item: Series, corruption: str) -> float:
    mean = item.metric(f"error/{corruption}")
    return math.nan if mean is None else 100 * mean.value


def _workspace(item: Series) -> int:
    settings = json.loads(item.first.settings).get("model", {})
    found = (settings.get(name.partition(".")[2]) for name in SIZES)
    return next((int(value) for value in found if isinstance(value, int)), 0)


def _same(one: Series, other: Series) -> bool:
    return one.first.model == other.first.model


def _plain_ticks(axes: Any) -> None:
    """Label a logarithmic axis with a few numbers without exponents."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5), numticks=6))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def bare(axes: Any) -> None:
    import seaborn as sns

    sns.despine(ax=axes)
