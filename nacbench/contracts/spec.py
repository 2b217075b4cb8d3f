"""Task specification for models, and the tensors that pass between task, tokenizer and model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


# What a target is: one of the classes; any subset of the labels; or real values
Targets = Literal["classes", "labels", "values"]


@dataclass(frozen=True, kw_only=True)
class TaskSpec:
    """Everything that a model is told about a task.

    Attributes:
        modality: ``image``, ``points``, ``symbols``, ``text`` …
        classes: number of a network's outputs: logits of classes or of labels, or values.
        max_tokens: V, largest number of tokens of an example.
        token_dim: T, width of a token.
        image_shape: channels, height and width of the raw image, for models that read it; None for other modalities.
        point_shape: largest number of points of an example and number of coordinates, for models that read points;
            None for other modalities.
        condition_tokens: W, largest number of tokens of an example's condition (a sentence), each of width T; 0 if
            the task has no condition.
        targets: what an example's target is: ``classes``, one of them; ``labels``, any subset of them, each predicted
            by itself; or ``values``, real numbers.
    """

    modality: str
    classes: int
    max_tokens: int
    token_dim: int
    image_shape: tuple[int, int, int] | None = None
    point_shape: tuple[int, int] | None = None
    condition_tokens: int = 0
    targets: Targets = "classes"

    def joined(self) -> TaskSpec:
        """Return the spec for a model without a condition input: the condition's tokens count as ordinary tokens."""
        return replace(self, max_tokens=self.max_tokens + self.condition_tokens, condition_tokens=0)


class Tokens(NamedTuple):
    """Output of a tokenizer.

    Attributes:
        tokens: B×V×T.
        mask: boolean B×V, true for tokens and false for padding; None if nothing is padding.
        condition: B×W×T; None if the task has no condition.
        condition_mask: boolean B×W, as ``mask``.
    """

    tokens: Tensor
    mask: Tensor | None = None
    condition: Tensor | None = None
    condition_mask: Tensor | None = None


@dataclass(frozen=True)
class Batch:
    """A batch of examples.

    Attributes:
        inputs: keyword arguments of the tokenizer, each with B as its first dimension.
        target: class indices B, or class probabilities B×classes; of labels 0 and 1, B×classes; of values B×classes.
    """

    inputs: Mapping[str, Tensor]
    target: Tensor

    def __len__(self) -> int:
        return len(self.target)

    def part(self, index: int, parts: int) -> Batch:
        """Return one of ``parts`` equal parts, counted from 0: a micro-batch."""
        return Batch({k: v.chunk(parts)[index] for k, v in self.inputs.items()}, self.target.chunk(parts)[index])

    def to(self, device: Any) -> Batch:
        """Return the batch on a device; copied asynchronously if it lies in pinned memory."""
        move = {"device": device, "non_blocking": True}
        return Batch({k: v.to(**move) for k, v in self.inputs.items()}, self.target.to(**move))

    def pin_memory(self) -> Batch:
        """Return the batch in page-locked memory. torch's DataLoader calls this method by name."""
        return Batch({k: v.pin_memory() for k, v in self.inputs.items()}, self.target.pin_memory())
