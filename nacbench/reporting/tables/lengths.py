"""Table of scores by length of training: whether the order of models hangs on the budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

from nacbench.reporting.floors import Floors
from nacbench.reporting.lengths import ByLength, by_length
from nacbench.reporting.series import Series
from nacbench.reporting.tables.rows import INTERVAL, NAMED, identified, score_column
from nacbench.reporting.tables.table import Column, Table, frame_of


def length_table(series: Sequence[Series]) -> Table | None:
    """Return scores with a row for each task and length and a column for each model; None if no length was varied."""

    found = by_length(series)
    if not found:
        return None
    labels = list(dict.fromkeys(chain.from_iterable(found.values())))
    floors = Floors(series)
    rows, numbers = [], []
    shown: list[Series] = []
    for (task, scale), lines in found.items():
        for epochs in _lengths(lines):
            own = {label: line[epochs] for label, line in lines.items() if epochs in line}
            shown += own.values()
            cells = (floors.marked(own[label]) if label in own else "—" for label in labels)
            rows.append((task, scale, f"{epochs:g}", *cells, _order(own)))
            numbers += [
                {
                    **identified(item),
                    "epochs": epochs,
                    "metric": item.first.metric,
                    "mean": item.score.value,
                    "half_width_95": item.score.half_width,
                }
                for item in own.values()
            ]
    notes = [
        f"{score_column(shown).head.capitalize()} after training for that many epochs, each from scratch with a "
        f"schedule of that length: {INTERVAL}. Order: by the means, the best first; whether two models "
        "differ is not tested here.",
        *floors.notes(shown),
    ]
    heads = (*NAMED[:2], Column("epochs", number=True), *(Column(label, number=True) for label in labels))
    return Table("lengths", "By length of training", (*heads, Column("order")), rows, notes, frame_of(numbers))


def _lengths(lines: Mapping[str, ByLength]) -> list[float]:
    return sorted(set(chain.from_iterable(lines.values())))


def _order(own: Mapping[str, Series]) -> str:
    return " > ".join(sorted(own, key=lambda label: own[label].rank))
