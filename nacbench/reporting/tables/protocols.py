"""Tables of distribution shift (accuracy drop on shifted data) and of low-shot adaptation (accuracy by shots).

A table shows every run that has its metrics, whatever its protocol is called, so that protocols from plug-ins appear.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence
from typing import Any

from nacbench.contracts.metric import ACCURACY
from nacbench.errors import UserError
from nacbench.recording.row import Run
from nacbench.reporting.floors import Floors
from nacbench.reporting.series import Series
from nacbench.reporting.tables.rows import INTERVAL, NAMED, SEEDS, identified, named, treatment_notes
from nacbench.reporting.tables.table import Column, Table, frame_of, percent
from nacbench.statistics import Mean

MCE = "mce_alexnet"  # mean corruption error over AlexNet's
SHIFT = ("clean_accuracy", "accuracy", "drop")
EDGE = "†"
SHOTS = re.compile(r"accuracy/(\d+)-shot")


def shift_table(series: Sequence[Series]) -> Table | None:
    """Return accuracy on clean and on shifted data, and the drop; None if no run has these metrics."""

    rows, numbers = [], []
    floors = Floors(series, metric=ACCURACY.name)
    shifted = [own for own in series if own.has(*SHIFT)]
    with_reference = any(own.has(MCE) for own in shifted)
    shown = (*SHIFT, "mean_error", *((MCE,) if with_reference else ()))
    for item in shifted:
        means = {name: item.metric(name) for name in shown}
        texts = {name: percent(mean) if mean else "—" for name, mean in means.items()}
        own = None if item.first.metric == ACCURACY.name else means[ACCURACY.name]
        texts[ACCURACY.name] = floors.marked(item, own)
        rows.append((*named(item), *texts.values(), str(len(item.runs))))
        columns = identified(item)
        for name, mean in means.items():
            columns |= {name: mean and mean.value, f"{name}_half_width_95": mean and mean.half_width}
        numbers.append(columns)
    if not rows:
        return None
    words = ["clean (%)", "shifted (%)", "drop (points)", "mean error (%)", "mCE over AlexNet (%)"]
    heads = [Column(head, number=True) for head in words[: len(shown)]]
    notes = [
        "Both accuracies are of the same network; the drop is their difference. Mean error: over corruptions and "
        f"severities, not divided by another network's errors. Every number: {INTERVAL}.",
        *floors.notes(shifted),
        *treatment_notes(shifted),
    ]
    if with_reference:
        notes.append(
            "mCE: mean over corruptions of the error divided by AlexNet's, as published for ImageNet-C (Hendrycks and "
            "Dietterich 2019); no such errors are published for other data."
        )
    return Table("shifted", "Shifted data", (*NAMED, *heads, SEEDS), rows, notes, frame_of(numbers))


def shots_table(series: Sequence[Series]) -> Table | None:
    """Return accuracy after adapting to k examples per class; None if no run has ``accuracy/k-shot``."""

    adapted = [item for item in series if shots_of(item)]
    if not adapted:
        return None
    shots = sorted({k for item in adapted for k in shots_of(item)})
    floors = Floors(series, metric=ACCURACY.name)
    rows, numbers = [], []
    for item in adapted:
        means = {k: adapted_mean(item, k) for k in shots_of(item)}
        edges = _shots_at_edge(item)
        texts = [
            floors.marked(item, means[k], f"accuracy/{k}-shot") + (f" {EDGE}" if k in edges else "")
            if k in means
            else "—"
            for k in shots
        ]
        rows.append((*named(item), *texts, str(len(item.runs))))
        numbers += [
            {**identified(item), "shots": k, "accuracy": mean.value, "half_width_95": mean.half_width}
            | {"rate_at_edge": k in edges}
            for k, mean in means.items()
        ]
    heads = [Column(f"{k}-shot (%)", number=True) for k in shots]
    notes = [
        f"Accuracy: {INTERVAL}. Where there is a single seed, the interval is "
        "over that run's episodes: it says nothing about other seeds.",
        f"{EDGE}: a learning rate was chosen at the edge of those tried; beyond it may be better ones.",
        *floors.notes(adapted),
        *treatment_notes(adapted),
    ]
    for task in dict.fromkeys(item.first.task_label for item in adapted):
        mine = [item.first for item in adapted if item.first.task_label == task]
        notes.append(f"{task}: {_budget(mine)}.")
    return Table("few-shots", "Few shots", (*NAMED, *heads, SEEDS), rows, notes, frame_of(numbers))


def shots_of(item: Series) -> list[int]:
    """Return the numbers of examples per class that all runs of a series were adapted to, ascending."""
    first, *others = item.runs
    found = _shots_of(first)
    return sorted(found.intersection(*map(_shots_of, others))) if found else []  # reading all runs of a store is slow


def _shots_of(run: Run) -> set[int]:
    return {int(match[1]) for name in run.all_metrics()["test"] if (match := SHOTS.fullmatch(name))}


def adapted_mean(item: Series, shots: int) -> Mean:
    """Return the mean accuracy over seeds; for a single seed, the interval is over its episodes."""
    mean = item.metric(f"accuracy/{shots}-shot")
    assert mean is not None
    if mean.count > 1:
        return mean
    over_episodes = item.first.all_metrics().get(f"shots-{shots}", {}).get("half_width_95", math.nan)
    return dataclasses.replace(mean, half_width=over_episodes)


def _shots_at_edge(item: Series) -> set[int]:
    """Return the numbers of shots for which a run's learning rate lies at the edge of those that it tried."""
    found = [detail for run in item.runs for detail in _details(run).items()]
    return {int(k) for split, own in found if own.get("rate_at_edge") and (k := split.removeprefix("shots-")).isdigit()}


def _details(run: Run) -> dict[str, dict[str, Any]]:
    try:
        return run.record().details
    except UserError:  # the record was removed after it was indexed
        return {}


def _budget(runs: Sequence[Run]) -> str:
    """Return what adapts, the number of steps, and the range of learning rates, from the records' details."""
    details = [detail for run in runs for detail in _details(run).values()]
    adapted = sorted({own for detail in details if isinstance(own := detail.get("adapt"), str)})
    steps = sorted({own for detail in details if isinstance(own := detail.get("steps"), int)})
    rates = sorted({own for detail in details if isinstance(own := detail.get("rate"), float)})
    options = [f"adapted: {', '.join(adapted)}"] if adapted else []
    options += [f"{' or '.join(map(str, steps))} steps"] if steps else []
    options += [f"learning rates chosen on search episodes, {rates[0]:g} to {rates[-1]:g}"] if rates else []
    return "; ".join(options) or "no details in the records"
