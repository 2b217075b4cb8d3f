"""Table of models side by side: a row for each task, a column for each model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from nacbench.contracts.metric import Metric
from nacbench.reporting.floors import MARK, Floors
from nacbench.reporting.floors import MODELS as FLOORS
from nacbench.reporting.names import is_usual
from nacbench.reporting.series import Series, by_cell, common_unit, of_usual_size
from nacbench.reporting.significance import ADDED, RULE, best
from nacbench.reporting.tables.rows import INTERVAL, NAMED, identified, treatment_mark, treatment_notes
from nacbench.reporting.tables.table import Column, Table

FIRST = 5  # columns before those of the models


def side_by_side(series: Sequence[Series]) -> Table | None:
    """Return the scores of all models on all tasks; None if there are fewer than two tasks or two models.

    A model may have several variants on a task, which have rows of their own in the table of scores. A cell shows the
    only variant, or the only one with the task's usual size and its default options; otherwise it says "several".
    """
    import pandas as pd

    cells = by_cell(series)
    names = _models(series)
    if len(cells) < 2 or len(names) < 2:
        return None
    winners = {id(item) for item in best(series)}
    floors = Floors(series)
    rows, bold, numbers = [], set(), []
    for number, ((task, scale), items) in enumerate(cells.items()):
        models = [[item for item in items if item.first.model == name] for name in names]
        counts = " or ".join(f"{count:,}" for count in sorted({item.first.scored for item in items}))
        first = items[0].first
        guesses = (_guess(first.measure, first.chance), _guess(first.measure, first.majority))
        rows.append((task, scale, counts, *guesses, *(_text(own, floors) for own in models)))
        for column, own in enumerate(models):
            shown = shown_variant(own)
            if shown is not None:
                bold |= {(number, FIRST + column)} if id(shown) in winners else set()
                numbers.append(_number(shown))
    numeric = ("test examples", "chance", "most frequent class")
    heads = (*NAMED[:2], *(Column(head, number=True) for head in numeric))  # models have columns here
    notes = [
        f"{_kind(series)}, {INTERVAL}; a single seed has none. "
        "—: not run, or the model cannot do the task. If a model has several variants, the cell shows the one of the "
        "usual size with default options of model and task; several: not exactly one variant has "
        "these. See the scores above.",
        *(note for note in floors.notes(series) if note.startswith((MARK, ADDED))),
        *treatment_notes(series),
        *([RULE] if bold else []),
    ]
    columns = (*heads, *(Column(name, number=True) for name in names))
    return Table("models", "Models side by side", columns, rows, notes, pd.DataFrame(numbers), frozenset(bold))


def _models(series: Sequence[Series]) -> list[str]:
    """Return NAC first, then the other models by the number of tasks they were run on, and floors last."""
    tasks: dict[str, set[str]] = {}
    for item in series:
        tasks.setdefault(item.first.model, set()).add(item.first.task)
    return sorted(tasks, key=lambda name: (name != "nac", name.startswith(FLOORS), -len(tasks[name]), name))


def _kind(series: Sequence[Series]) -> str:
    """Return what the cells show, as the beginning of a sentence."""
    names = {item.first.metric for item in series}
    unit = common_unit(series)
    if len(names) == 1:
        name = next(iter(names))
        return f"{name[0].upper()}{name[1:]}{f' in {unit}' if unit else ''}"
    return f"Scores{f' in {unit}' if unit else ''} ({', '.join(sorted(names))})"


def _guess(metric: Metric, value: float) -> str:
    return "—" if math.isnan(value) else metric.number(value)


def _text(own: Sequence[Series], floors: Floors) -> str:
    shown = shown_variant(own)
    return f"{floors.marked(shown)}{treatment_mark(shown)}" if shown else "several" if own else "—"


def shown_variant(own: Sequence[Series]) -> Series | None:
    """Return the only variant of a model, or the only one of the usual size with default options; otherwise None.

    Default options of the task count only where those of the model leave several.
    """
    usual = list(own)
    if len(usual) > 1:
        usual = of_usual_size([item for item in usual if is_usual(item.first, "model")])
    if len(usual) > 1:
        usual = [item for item in usual if is_usual(item.first, "task")]
    return usual[0] if len(usual) == 1 else None


def _number(item: Series) -> dict[str, Any]:
    score = item.score
    return {
        **identified(item),
        "metric": item.first.metric,
        "mean": score.value,
        "half_width_95": score.half_width,
        "chance": item.first.chance,
        "most_frequent_class": item.first.majority,
        "test_examples": item.first.scored,
    }
