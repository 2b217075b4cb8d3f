"""Predictions of a network for inputs that a user has, by the preparation of its task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nacbench.data.array_task import ArrayTask
from nacbench.errors import UserError

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

    from nacbench.contracts.spec import Targets
    from nacbench.data.live import Stored

MOST_SHOWN = 3  # predictions in a repr


@dataclass(frozen=True)
class Predictions:
    """What a network says of N examples; ``predictions[i]`` is that of one, and a slice those of some.

    Attributes:
        targets: what it predicts: ``classes``, one of them; ``labels``, any subset of them; or ``values``.
        names: of the classes, labels or values, K; their numbers as text where the task has no names.
        predicted: class numbers, int32 N; labels of 0 and 1, uint8 N×K; or values in the targets' own unit, float32
            N×K.
        probabilities: of each class (they sum to 1) or of each label, float32 N×K in [0, 1]; None for values.
        outputs: of the network, float32 N×K: logits, or values in standard deviations of the training examples.
    """

    targets: Targets
    names: tuple[str, ...]
    predicted: np.ndarray = field(repr=False)
    probabilities: np.ndarray | None = field(repr=False)
    outputs: np.ndarray = field(repr=False)

    @property
    def labels(self) -> list[str]:
        """The prediction of each example as text: the class's name; names of labels (``3, 5`` or ``none``); values."""
        if self.targets == "classes":
            return [self.names[number] for number in self.predicted.tolist()]
        if self.targets == "values":
            return [", ".join(f"{value:.4g}" for value in row) for row in self.predicted.tolist()]
        return [", ".join(np.array(self.names)[row == 1]) or "none" for row in self.predicted]

    @property
    def label(self) -> str:
        """The prediction of the only example as text.

        Raises:
            UserError: if there are several.
        """
        if len(self) != 1:
            raise UserError(f"there are {len(self):,} predictions; .labels has them all")
        return self.labels[0]

    def __len__(self) -> int:
        return len(self.predicted)

    def __getitem__(self, index: int | slice) -> Predictions:
        if not isinstance(index, slice):
            position = range(len(self))[index]  # raises IndexError as a list does
            index = slice(position, position + 1)
        chances = None if self.probabilities is None else self.probabilities[index]
        return Predictions(self.targets, self.names, self.predicted[index], chances, self.outputs[index])

    def __iter__(self) -> Iterator[Predictions]:
        return (self[position] for position in range(len(self)))

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame: a row for each example, ``label`` and a column for each class, label or value.

        The columns hold probabilities, or the values.
        """
        import pandas as pd

        numbers = self.predicted if self.probabilities is None else self.probabilities
        frame = pd.DataFrame(numbers, columns=pd.Index(self.names, dtype="object"))
        frame.insert(0, "label", pd.Series(self.labels, dtype="string"), allow_duplicates=True)
        return frame

    def __repr__(self) -> str:
        shown = ", ".join(self.labels[:MOST_SHOWN])
        return f"Predictions({len(self):,}: {shown}{', …' if len(self) > MOST_SHOWN else ''})"


def examples_of(task: ArrayTask, raw: Any, known: Callable[[], Mapping[str, np.ndarray]]) -> Stored:
    """Return raw inputs as the task stores its examples: by the name of the input, N of each.

    The result is what a split's ``take`` gives to the task's preparation.

    Args:
        task: says how; see `nacbench.data.array_task.ArrayTask.example`.
        raw: the raw input of one example, or those of a batch.
        known: returns the arrays that the task ``needs``; called only if it needs some.

    Raises:
        UserError: if there are no examples, or the task refuses one; names its position.
    """
    batch = task.batch_of(raw)
    examples = [raw] if batch is None else list(batch)
    if not examples:
        raise UserError("there is nothing to predict: the batch is empty")
    facts = known() if task.needs else {}
    stored: list[Mapping[str, np.ndarray]] = []
    for number, one in enumerate(examples):
        try:
            stored.append(task.example(one, facts))
        except UserError as error:
            raise UserError(str(error) if batch is None else f"example {number}: {error}") from None
    return {name: _together([own[name] for own in stored]) for name in stored[0]}


def _together(arrays: Sequence[np.ndarray]) -> Tensor | list[Tensor]:
    """Return arrays as one tensor N×…, or as a list of tensors if they have shapes of their own, as photographs do."""
    import torch

    if len({array.shape for array in arrays}) > 1:
        return [torch.from_numpy(array.copy()) for array in arrays]
    return torch.from_numpy(np.stack(arrays))
