"""The table that papers print: a row a task, a column a model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from nacbench.errors import UserError
from nacbench.registry import MODELS
from nacbench.reporting.series import Series
from nacbench.reporting.significance import RULE, best
from nacbench.reporting.tables.rows import NAMED, identified
from nacbench.reporting.tables.table import Column, Table, percent

FIRST = 3  # columns before those of the models


def side_by_side(series: Sequence[Series]) -> Table | None:
    """Scores of all models on all tasks; None where there are not two tasks and two models.

    A cell has the score of the one way in which a model was run on a task. Where it was run in several, which the table
    of scores tells apart, that is the one with its size's own options; without just one of these it has a note instead.
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
            shown = _shown(models.get(name, []))
            if shown is not None:
                bold |= {(number, FIRST + column)} if id(shown) in winners else set()
                numbers.append(_number(shown))
    heads = (*NAMED[:2], Column("test examples", number=True))  # models have columns here
    notes = [
        "Accuracy in %, mean over seeds ± half width of the 95 % Student t interval; a single seed has none. "
        "—: not run. Of several ways in which a model was run it is the one with its size's own options; several: no "
        "single one has these. See the scores above.",
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
    found = [(own, _shown(own)) for own in (models.get(name, []) for name in names)]
    return [percent(shown.score) if shown else "several" if own else "—" for own, shown in found]


def _shown(own: Sequence[Series]) -> Series | None:
    """The only way in which a model was run, or of several the only one with its size's own options."""
    usual = own if len(own) == 1 else [item for item in own if _has_own_options(item)]
    return usual[0] if len(usual) == 1 else None


def _has_own_options(item: Series) -> bool:
    run = item.first
    try:
        model = MODELS.get(run.model).configured("model", run.model_size, {})
    except UserError:  # a plug-in that is not here, or has other options by now
        return False
    own = {"name": run.model, "size": run.model_size, **json.loads(json.dumps(model.options()))}
    return bool(json.loads(run.settings).get("model") == own)


def _number(item: Series) -> dict[str, Any]:
    score = item.score
    return {
        **identified(item),
        "mean": score.value,
        "half_width_95": score.half_width,
        "test_examples": item.first.scored,
    }
