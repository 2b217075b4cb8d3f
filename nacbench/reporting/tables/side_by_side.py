"""Table of models side by side: a row for each task, a column for each model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from nacbench.contracts.metric import Metric
from nacbench.reporting.floors import MARK, Floors, guesses
from nacbench.reporting.floors import MODELS as FLOORS
from nacbench.reporting.names import is_usual
from nacbench.reporting.series import Series, by_cell, common_unit, of_usual_size
from nacbench.reporting.significance import ADDED, RULE, best
from nacbench.reporting.tables.rows import INTERVAL, NAMED, identified, treatment_mark, treatment_notes
from nacbench.reporting.tables.table import Column, Table, frame_of

WIDE = 8  # models up to which each has a column; of more, those that have at least a quarter of the tasks
OTHER = "best other"
OTHER_RULE = (
    f"{OTHER}: of the models that have fewer than a quarter of the tasks, in all their variants, the one with the best "
    "mean. It is chosen by the score that is shown, which is too high by chance where there are several."
)


def side_by_side(series: Sequence[Series]) -> Table | None:
    """Return the scores of all models on all tasks; None if there are fewer than two tasks or two models.

    Of many models, those that have few tasks share a column, which shows the best one.

    A model may have several variants on a task, which have rows of their own in the table of scores. A cell shows the
    only variant, or the only one with the task's usual size and its default options; otherwise it says "several".
    """

    cells = by_cell(series)
    models = _columns(series)
    if len(cells) < 2 or sum(map(len, models.values())) < 2:
        return None
    winners = {id(item) for item in best(series)}
    floors = Floors(series)
    rows, bold = [], set()
    numbers: list[dict[str, Any]] = []
    for number, ((task, scale), items) in enumerate(cells.items()):
        counts = " or ".join(f"{count:,}" for count in sorted({item.first.scored for item in items}))
        row = [task, scale, counts, *(_guess(items[0].measure, value) for value in guesses(items[0]))]
        for head, names in models.items():
            found = [item for item in items if item.first.model in names]
            one = min(found, key=lambda item: item.rank) if head == OTHER and found else shown_variant(found)
            if one is not None and id(one) in winners:
                bold.add((number, len(row)))
            row.append(_text(one, head, floors) if one else "several" if found else "—")
            numbers += map(_number, found if head == OTHER else [one] if one else [])
        rows.append(tuple(row))
    numeric = ("test examples", "chance", "most frequent class")
    heads = (*NAMED[:2], *(Column(head, number=True) for head in numeric))  # models have columns here
    notes = [
        f"{_kind(series)}, {INTERVAL}; a single seed has none. "
        "—: not run, or the model cannot do the task. If a model has several variants, the cell shows the one of the "
        "usual size with default options of model and task; several: not exactly one variant has "
        "these. See the scores above.",
        *(note for note in floors.notes(series) if note.startswith((MARK, ADDED))),
        *treatment_notes(series),
        *([OTHER_RULE] if OTHER in models else []),
        *([RULE] if bold else []),
    ]
    columns = (*heads, *(Column(head, number=True) for head in models))
    return Table("models", "Models side by side", columns, rows, notes, frame_of(numbers), frozenset(bold))


def _columns(series: Sequence[Series]) -> dict[str, list[str]]:
    """Return the models of each column: NAC first, then the others by their number of tasks, and floors last."""
    tasks: dict[str, set[str]] = {}
    for item in series:
        tasks.setdefault(item.first.model, set()).add(item.first.task)
    names = sorted(tasks, key=lambda name: (name != "nac", name.startswith(FLOORS), -len(tasks[name]), name))
    least = len({item.first.task for item in series}) / 4 if len(names) > WIDE else 0
    few = [name for name in names if len(tasks[name]) < least and name != "nac" and not name.startswith(FLOORS)]
    few = few if len(few) > 1 else []
    own = [name for name in names if name not in few]
    deep = [name for name in own if not name.startswith(FLOORS)]
    return {
        **{name: [name] for name in deep},
        **({OTHER: few} if few else {}),
        **{name: [name] for name in own if name not in deep},
    }


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


def _text(item: Series, head: str, floors: Floors) -> str:
    named = f"{item.label} " if head == OTHER else ""
    return f"{named}{floors.marked(item)}{treatment_mark(item)}"


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
    score, (chance, majority) = item.score, guesses(item)
    return {
        **identified(item),
        "metric": item.first.metric,
        "mean": score.value,
        "half_width_95": score.half_width,
        "chance": chance,
        "most_frequent_class": majority,
        "test_examples": item.first.scored,
    }
