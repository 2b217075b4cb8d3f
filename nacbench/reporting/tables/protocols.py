"""Tables of what a protocol has beside its score: the drop on shifted data, and the accuracy by number of shots."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from nacbench.errors import UserError
from nacbench.recording.index import Run
from nacbench.reporting.series import Series
from nacbench.reporting.tables.table import Column, Table, percent
from nacbench.statistics import Mean

NAMED = (Column("task"), Column("scale"), Column("model"))
SEEDS = Column("seeds", number=True)
SHOTS = re.compile(r"accuracy/(\d+)-shot")


def shift_table(series: Sequence[Series]) -> Table | None:
    """Accuracy on clean and on shifted data, and the drop; None where no run has been scored on shifted data."""
    import pandas as pd

    rows, numbers = [], []
    for item in (own for own in series if own.first.protocol == "ood"):
        names = ("clean_accuracy", "accuracy", "drop", "mce")
        means = {name: item.metric(name) for name in names}
        texts = [percent(mean) if mean else "—" for mean in means.values()]
        rows.append((*_named(item), *texts, str(len(item.runs))))
        columns: dict[str, Any] = _identified(item)
        for name, mean in means.items():
            columns |= {name: mean and mean.value, f"{name}_half_width_95": mean and mean.half_width}
        numbers.append(columns)
    if not rows:
        return None
    heads = [Column(head, number=True) for head in ("clean (%)", "shifted (%)", "drop (points)", "mCE (%)")]
    notes = [
        "Both accuracies are of the same network; the drop is their difference. mCE: mean over corruptions of the "
        "error, not divided by another network's errors. Mean over seeds ± half width of the 95 % Student t interval."
    ]
    return Table("shifted", "Shifted data", (*NAMED, *heads, SEEDS), rows, notes, pd.DataFrame(numbers))


def shots_table(series: Sequence[Series]) -> Table | None:
    """Accuracy after adapting to k examples a class; None where no run has been adapted."""
    import pandas as pd

    adapted = [item for item in series if item.first.protocol == "low-shot"]
    shots = sorted({k for item in adapted for k in shots_of(item.first)})
    if not shots:
        return None
    rows, numbers = [], []
    for item in adapted:
        means = {k: adapted_mean(item, k) for k in shots if k in shots_of(item.first)}
        texts = [percent(means[k]) if k in means else "—" for k in shots]
        rows.append((*_named(item), *texts, str(len(item.runs))))
        numbers += [
            {**_identified(item), "shots": k, "accuracy": mean.value, "half_width_95": mean.half_width}
            for k, mean in means.items()
        ]
    heads = [Column(f"{k}-shot (%)", number=True) for k in shots]
    notes = [
        "Mean over seeds ± half width of the 95 % Student t interval. Where there is a single seed, the interval is "
        "over that run's episodes: it says nothing about other seeds."
    ]
    for task in dict.fromkeys(item.first.task_label for item in adapted):
        mine = [item.first for item in adapted if item.first.task_label == task]
        notes.append(f"{task}: {_budget(mine)}.")
    return Table("few-shots", "Few shots", (*NAMED, *heads, SEEDS), rows, notes, pd.DataFrame(numbers))


def _named(item: Series) -> tuple[str, str, str]:
    return item.first.task_label, item.first.scale, item.label


def _identified(item: Series) -> dict[str, Any]:
    first = item.first
    return {
        "task": first.task,
        "part": first.partial,
        "scale": first.scale,
        "model": first.model,
        "size": first.model_size,
        "variant": item.variant,
        "seeds": len(item.runs),
    }


def shots_of(run: Run) -> list[int]:
    """Numbers of examples a class that a run was adapted to, ascending; none where it was not."""
    found = (SHOTS.fullmatch(name) for name in run.all_metrics()["test"])
    return sorted(int(match[1]) for match in found if match)


def adapted_mean(item: Series, shots: int) -> Mean:
    """Accuracy over seeds; of a single seed, with the interval over its episodes."""
    mean = item.metric(f"accuracy/{shots}-shot")
    assert mean is not None
    if mean.count > 1:
        return mean
    over_episodes = item.first.all_metrics().get(f"shots-{shots}", {}).get("half_width_95", math.nan)
    return Mean(mean.value, over_episodes, mean.count)


def _details(run: Run) -> list[dict[str, Any]]:
    try:
        return list(run.record().details.values())
    except UserError:  # gone since it was indexed
        return []


def _budget(runs: Sequence[Run]) -> str:
    """What may adapt, by how many steps, and which rates were taken: all of it is in the records."""
    details = [detail for run in runs for detail in _details(run) if "steps" in detail]
    adapted = sorted({str(detail["adapt"]) for detail in details})
    steps = sorted({int(detail["steps"]) for detail in details})
    rates = sorted({float(detail["rate"]) for detail in details})
    options = [f"adapted: {', '.join(adapted)}"] if adapted else []
    options += [f"{' or '.join(map(str, steps))} steps"] if steps else []
    options += [f"learning rates chosen on search episodes, {rates[0]:g} to {rates[-1]:g}"] if rates else []
    return "; ".join(options) or "no details in the records"
