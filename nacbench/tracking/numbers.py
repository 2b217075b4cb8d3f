"""The numbers that trackers are told, by name: rows of the learning curve, and final metrics and costs of a record."""

from collections.abc import Mapping
from typing import Any

from nacbench.recording.record import RunRecord
from nacbench.tracking.tracker import Scalars

COSTS = ("parameters", "forward_flops", "train_seconds", "evaluate_seconds", "examples_per_second", "peak_memory_bytes")


def scalars_of(row: Mapping[str, Any]) -> Scalars:
    """Return the numbers of a row of the curve as ``train/loss``, ``train/lr``, ``validation/accuracy`` ….

    Epochs come with the training rows alone, as ``train/epoch``: a curve of them beside each split would say the same.

    Args:
        row: of ``curve.jsonl``; see `nacbench.recording.curve.Point`.
    """
    split = row["split"]
    left_out = ("step", "split") if split == "train" else ("step", "split", "epoch")
    return {f"{split}/{name}": float(value) for name, value in row.items() if name not in left_out}


def final_scalars(record: RunRecord) -> Scalars:
    """Return a finished run's metrics by split (``final/test/accuracy``) and its costs (``final/cost/parameters``).

    Final metrics are those of the selected weights, so that they have names of their own: ``validation/accuracy`` is
    that of the weights at each step.
    """
    metrics = {f"final/{split}/{name}": v for split, numbers in record.metrics.items() for name, v in numbers.items()}
    costs = {f"final/cost/{name}": float(v) for name in COSTS if (v := getattr(record.cost, name)) is not None}
    return metrics | costs
