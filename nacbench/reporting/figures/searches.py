"""Searches: the score of every trial against each setting, and the best so far against the budget spent, by task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nacbench.contracts.metric import Metric
from nacbench.formats.dotted import as_text
from nacbench.formats.escape import figure_text
from nacbench.reporting.figures.layout import legend_below, legend_height
from nacbench.reporting.figures.scores import limits
from nacbench.reporting.figures.style import COLUMN, PAGE, TALLEST, Look, bare, figure_of, looks_of_models, styled
from nacbench.reporting.searched import Searched

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 3  # most panels beside each other
HEIGHT = 1.9  # of a panel, in inches
MOST_PANELS = COLUMNS * int(TALLEST / HEIGHT - 1)  # of a page; settings beyond are in the table alone


def draw_searches(states: Sequence[Searched]) -> list[Figure]:
    """Draw a page for each task and scale that has finished trials.

    Filled: trials with the whole budget; hollow: those that were given up on an earlier rung, with their last score.

    Args:
        states: of the searches.
    """
    by_task: dict[tuple[str, str], list[Searched]] = {}
    for state in states:
        if state.metric is not None:
            by_task.setdefault((state.search.task, state.search.scale), []).append(state)
    several = len({scale for _, scale in by_task}) > 1
    looks = looks_of_models(state.search.model for state in states)
    return [
        _page(f"{task}, {scale}" if several else task, own, looks) for (task, scale), own in sorted(by_task.items())
    ]


def _page(title: str, states: Sequence[Searched], looks: dict[str, Look]) -> Figure:
    from matplotlib.lines import Line2D

    metric = states[0].metric
    assert metric is not None
    names = sorted({name for state in states for name in state.search.space})[: MOST_PANELS - 1]
    columns = min(COLUMNS, len(names) + 1)
    rows = -(-(len(names) + 1) // columns)
    models = [model for model in looks if any(state.search.model == model for state in states)]
    with styled():
        entries = [Line2D([], [], **looks[model].curve(), label=figure_text(model, 48)) for model in models]
        width = PAGE if columns > 1 else COLUMN
        figure = figure_of(width, HEIGHT * rows + legend_height(entries, width))
        figure.suptitle(figure_text(title, 60), x=0.01, ha="left")
        panels = figure.subplots(rows, columns, squeeze=False, sharey=True).flatten().tolist()
        _draw_spending(panels[0], states, looks, metric)
        for axes, name in zip(panels[1:], names, strict=False):
            _draw_setting(axes, name, states, looks, metric)
        for axes in panels[len(names) + 1 :]:
            axes.set_axis_off()
        for row in range(rows):
            panels[row * columns].set_ylabel(figure_text(f"validation {metric.heading}"))
        panels[0].set_ylim(limits(metric, panels[0].get_ylim()))
        legend_below(figure, entries, width)
    return figure


def _draw_spending(axes: Any, states: Sequence[Searched], looks: dict[str, Look], metric: Metric) -> None:
    """Draw the best score so far against the budget that was spent, in the order of rungs and trials."""
    for state in states:
        spent, found, best = 0, [], None
        for rung in state.rungs:
            for result in (one for one in rung.results if one.is_over):
                spent += rung.budget * len(state.search.seeds) or 1
                if not result.is_lost and (best is None or metric.order(result.score) < metric.order(best)):
                    best = result.score
                if best is not None:
                    found.append((spent, metric.scaled(best)))
        if found:
            look = looks[state.search.model].curve()
            axes.plot(*zip(*found, strict=True), drawstyle="steps-post", markevery=[-1], **look)
    counted = {state.search.by for state in states if state.search.budget}
    axes.set_xlabel(f"{figure_text(', '.join(sorted(counted)), 40)} spent" if counted else "trials")
    axes.set_xlim(left=0)
    axes.set_title("best so far")
    bare(axes)


def _draw_setting(axes: Any, name: str, states: Sequence[Searched], looks: dict[str, Look], metric: Metric) -> None:
    """Draw the last score of every trial against the value of a setting; values that are no numbers side by side."""
    own = [state for state in states if name in state.search.space]
    values = [point.settings[name] for state in own for point in state.search.points]
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    places = {} if numbers else {text: place for place, text in enumerate(sorted(set(map(as_text, values))))}
    for state in own:
        look = looks[state.search.model].point()
        last = {result.number: (rung, result) for rung in state.rungs for result in rung.results if result.is_over}
        for rung, result in last.values():
            if not result.is_lost:
                value = result.settings[name]
                whole = rung.budget == state.search.budgets[-1]
                at = value if numbers else places[as_text(value)]
                fill = look["fillstyle"] if whole else "none"
                axes.plot(at, metric.scaled(result.score), linestyle="none", **{**look, "fillstyle": fill})
    if places:
        axes.set_xticks(list(places.values()), [figure_text(text, 12) for text in places])
        axes.margins(x=0.2)
    elif any(state.search.space[name].startswith("log ") for state in own):
        axes.set_xscale("log")
    axes.set_xlabel(figure_text(name, 40))
    bare(axes)
