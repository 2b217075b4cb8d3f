"""The table that papers print: a row a task, a column a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nacbench.report.series import Series
from nacbench.report.significance import RULE, best
from nacbench.report.table import Column, Table, percent

FIRST = 3  # columns before those of the models


def side_by_side(series: Sequence[Series]) -> Table | None:
    """Scores of all models on all tasks; None where there are not two tasks and two models.

    A cell has the score of the one way in which a model was run on a task; where it was run in several, which the table
    of scores tells apart, it has a note instead.
    """
    import pandas as pd

    cells: dict[tuple[str, str], dict[str, list[Series]]] = {}
    for item in series:
        models = cells.setdefault((item.first.task_label, item.first.scale), {})
        models.setdefault(item.first.model, []).append(item)
    names = _models(series)
    if len(cells) < 2 or len(names) < 2:
        return None
    winners = {id(item) for item in best(series)}
    rows, bold, numbers = [], set(), []
    for number, ((task, scale), models) in enumerate(cells.items()):
        counts = {item.first.scored for own in models.values() for item in own}
        rows.append((task, scale, " or ".join(f"{count:,}" for count in sorted(counts)), *_scores(models, names)))
        for column, name in enumerate(names):
            own = models.get(name, [])
            if len(own) == 1:
                bold |= {(number, FIRST + column)} if id(own[0]) in winners else set()
                numbers.append(_number(own[0]))
    heads = (Column("task"), Column("scale"), Column("test examples", number=True))
    notes = [
        "Accuracy in %, mean over seeds ± half width of the 95 % Student t interval; a single seed has none. "
        "—: not run; several: run in several ways, see the scores above.",
        *([RULE] if bold else []),
    ]
    columns = (*heads, *(Column(name, number=True) for name in names))
    return Table("models", "Models side by side", columns, rows, notes, pd.DataFrame(numbers), frozenset(bold))


def _models(series: Sequence[Series]) -> list[str]:
    """NAC, whom this is about, and the others by the number of tasks that they were run on."""
    tasks: dict[str, set[str]] = {}
    for item in series:
        tasks.setdefault(item.first.model, set()).add(item.first.task)
    return sorted(tasks, key=lambda name: (name != "nac", -len(tasks[name]), name))


def _scores(models: dict[str, list[Series]], names: Sequence[str]) -> list[str]:
    found = [models.get(name, []) for name in names]
    return [percent(own[0].score) if len(own) == 1 else "several" if own else "—" for own in found]


def _number(item: Series) -> dict[str, Any]:
    first, score = item.first, item.score
    return {
        "task": first.task,
        "part": first.partial,
        "scale": first.scale,
        "model": first.model,
        "mean": score.value,
        "half_width_95": score.half_width,
        "seeds": score.count,
        "test_examples": first.scored,
    }
