"""Table of what adapts: each model's score from few examples by what of its network is fine-tuned, side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence

from nacbench.formats.dotted import leaves
from nacbench.reporting.floors import Floors, is_floor
from nacbench.reporting.series import Series, common_unit
from nacbench.reporting.tables.protocols import shots_of
from nacbench.reporting.tables.rows import INTERVAL, NAMED, identified, treatment_mark, treatment_notes
from nacbench.reporting.tables.table import Column, Table, frame_of

SETTING = "task.adapt"
MEANINGS = {
    "all": "all weights are fine-tuned",
    "head": "the last layer",
    "circuit": "NAC's codes, signatures and read-out",
    "prototypes": "nothing: the nearest mean feature of the given examples",
}
REFERENCE = (
    "Prototypes of a floor are the reference without a deep network; the features of floor-nearest-mean are pixels."
)


def adaptations_table(series: Sequence[Series]) -> Table | None:
    """Return scores, means over the numbers of shots, by what adapts; None if all runs adapt the same."""

    found: dict[tuple[str, str, str], dict[str, Series]] = {}
    for item in series:
        how = adaptation(item)
        if how and shots_of(item):
            row = (item.first.task_label, item.first.scale, item.label_without({SETTING}))
            found.setdefault(row, {})[how] = item
    seen = {how for row in found.values() for how in row}
    if len(seen) < 2:
        return None
    ways = [*filter(seen.__contains__, MEANINGS), *sorted(seen - MEANINGS.keys())]
    floors = Floors(series)
    rows = [
        (*row, *(_text(items[how], floors) if how in items else "—" for how in ways)) for row, items in found.items()
    ]
    numbers = [
        {
            **identified(item),
            "adapted": how,
            item.first.metric: item.score.value,
            "half_width_95": item.score.half_width,
        }
        for items in found.values()
        for how, item in items.items()
    ]
    unadapted = [items["prototypes"] for items in found.values() if "prototypes" in items]
    shown = [item for items in found.values() for item in items.values()]
    metrics = ", ".join(dict.fromkeys(item.first.metric for item in shown))
    notes = [
        f"{metrics[:1].upper()}{metrics[1:]}, a mean over the numbers of examples per class: {INTERVAL}. —: not run, "
        "or the model has nothing of that kind.",
        "; ".join(f"{how}: {MEANINGS[how]}" for how in ways if how in MEANINGS) + ".",
        *([REFERENCE] if any(map(is_floor, unadapted)) else []),
        *floors.notes(shown),
        *treatment_notes(item for item in shown if item.treatment.keys() - {SETTING}),
    ]
    unit = common_unit(shown)
    heads = [Column(f"{how} ({unit})" if unit else how, number=True) for how in ways]
    return Table("adaptations", "What adapts", (*NAMED, *heads), rows, notes, frame_of(numbers))


def _text(item: Series, floors: Floors) -> str:
    """Return the score; what adapts is the column, so that only other differences of the treatment are marked."""
    return f"{floors.marked(item)}{treatment_mark(item) if item.treatment.keys() - {SETTING} else ''}"


def adaptation(item: Series) -> str | None:
    """Return what adapts in the runs of a series; None if their task has no such setting."""
    how = leaves(json.loads(item.first.settings)).get(SETTING)
    return how if isinstance(how, str) else None
