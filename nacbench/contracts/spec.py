"""What a model may know of a task, and the tensors that pass between task, tokenizer and model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class TaskSpec:
    """All that a model may know of a task.

    Attributes:
        modality: ``image``, ``points``, ``symbols``, ``text`` …
        classes: how many logits are asked for.
        max_tokens: V, the most tokens that an example has.
        token_dim: T, their width.
        image_shape: channels, height and width of the raw image, for models that read it; None for other modalities.
        condition_tokens: W, the most tokens of the condition (a sentence) that comes with each example; 0: there is
            none. They are as wide as the others.
    """

    modality: str
    classes: int
    max_tokens: int
    token_dim: int
    image_shape: tuple[int, int, int] | None = None
    condition_tokens: int = 0

    def joined(self) -> TaskSpec:
        """The same task for a model that takes the condition's tokens among the others."""
        return replace(self, max_tokens=self.max_tokens + self.condition_tokens, condition_tokens=0)


class Tokens(NamedTuple):
    """What a tokenizer gives: tokens B×V×T with their mask B×V (true: a token; None: all are), and where the task has
    one, the condition, tokens B×W×T with their mask B×W."""

    tokens: Tensor
    mask: Tensor | None = None
    condition: Tensor | None = None
    condition_mask: Tensor | None = None


@dataclass(frozen=True)
class Batch:
    """Some examples: the tokenizer's keyword arguments, and targets (class indices B or probabilities B×classes)."""

    inputs: Mapping[str, Tensor]
    target: Tensor

    def __len__(self) -> int:
        return len(self.target)

    def part(self, index: int, parts: int) -> Batch:
        """The index-th of so many equal parts."""
        return Batch({k: v.chunk(parts)[index] for k, v in self.inputs.items()}, self.target.chunk(parts)[index])

    def to(self, device: Any) -> Batch:
        """The same examples on a device."""
        move = {"device": device, "non_blocking": True}
        return Batch({k: v.to(**move) for k, v in self.inputs.items()}, self.target.to(**move))

    def pin_memory(self) -> Batch:
        """The same examples in memory that a GPU reads by itself; torch's loader asks for it by this name."""
        return Batch({k: v.pin_memory() for k, v in self.inputs.items()}, self.target.pin_memory())
