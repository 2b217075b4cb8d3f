"""Any supervised task without its test examples, for choosing settings: ``X-tuning`` for the task ``X``.

The runs are scored on validation examples, under a name of their own, so that no table can take them for results. What
they decide is read by `nacbench.sweep.tuning`.
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

HELD_OUT = 10  # one training example in so many, where the data has no validation split
MOST = 5000


@dataclasses.dataclass(frozen=True, kw_only=True)
class TuningTask(ArrayTask):
    """The task with its validation examples where its test examples were; those are not scored.

    Where the data has no validation split, one training example in ten is held out, at most 5,000, evenly; where that
    would leave less than one for each class, the training examples are scored instead, without augmentation.
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
        # with too few examples to hold some out, the training examples stand for all splits
        scored = "training" if sizes["test"] == sizes["train"] else "validation"
        return score_text(scored, self.metric, metrics["test"][self.metric], sizes["test"])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tuning(Protocol):
    """``X-tuning``."""

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
