"""Hyper-parameter tuning without test examples: a task ``X-tuning`` that is evaluated on validation examples of ``X``.

Trials are ordinary runs under a task name of their own, so that no table can mistake them for results.
`nacbench.sweep.tuning` chooses settings from their scores.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nacbench.contracts.protocol import Protocol
from nacbench.contracts.task import AnyTask, Metrics, score_text
from nacbench.data.array_task import ArrayTask
from nacbench.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from nacbench.data.live import Classification, Split

HELD_OUT = 10  # hold out one training example in ten, if the data has no validation split
MOST = 5000  # but at most this many


@dataclasses.dataclass(frozen=True, kw_only=True)
class TuningTask(ArrayTask):
    """A task whose test split is replaced by its validation split, so that test examples are never read.

    If the data has no validation split, one training example in ten is held out, evenly spaced and at most 5,000. If
    that would be less than one per class, the training examples are evaluated instead, without augmentation.
    """

    def splits(self, arrays: Mapping[str, np.ndarray]) -> dict[str, Split]:
        splits = super().splits(arrays)
        train, validation = splits["train"], splits.get("validation")
        if validation is None:
            count = min(MOST, len(train) // HELD_OUT)
            train, validation = train.hold_out(count) if count >= self.classes else (train, train)
        return {"train": train, "validation": validation, "test": validation}

    def build(self, *args: Any, **kwargs: Any) -> Classification:
        live = super().build(*args, **kwargs)
        same = live.splits["test"].indices is live.splits["train"].indices
        scored = "the training examples, without augmentation" if same else "validation examples"
        live.notes = [*live.notes, f"for tuning: scored on {scored}; the test examples are not read"]
        return live

    def score_line(self, metrics: Metrics, sizes: Mapping[str, int]) -> str:
        # If there were too few examples to hold some out, all splits are the training split
        scored = "training" if sizes["test"] == sizes["train"] else "validation"
        return score_text(scored, self.main_metric(), metrics["test"][self.metric], sizes["test"])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tuning(Protocol):
    """Protocol that adds the task ``X-tuning`` to every task ``X`` on arrays of examples."""

    title = "tuning"

    def task_for(self, name: str, task: type[AnyTask]) -> type[AnyTask]:
        if not issubclass(task, ArrayTask):
            raise UserError(f"task {name!r} trains no network on arrays of examples, so there is nothing to tune")
        about = {
            "title": f"{task.title}, {self.title}",
            "made_from": task,
            "__module__": __name__,
            "__doc__": TuningTask.__doc__,
        }
        cls = type(f"{task.__name__}Tuning", (TuningTask, task), about)
        return dataclasses.dataclass(frozen=True, kw_only=True)(cls)
