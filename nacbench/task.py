"""The contract of a task: what it says of itself, and what it gives to the runner once its data is at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol

from nacbench.plugin import Plugin
from nacbench.recipe import Recipe

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

Scale = Literal["smoke", "mini", "paper"]
SCALES: tuple[Scale, ...] = ("smoke", "mini", "paper")


@dataclass(frozen=True, kw_only=True)
class TaskSpec:
    """All that a model may know of a task.

    Attributes:
        modality: ``image``, ``points``, ``symbols``, ``text`` …
        classes: how many logits are asked for.
        max_tokens: V, the most tokens that an example has.
        token_dim: T, their width.
        image_shape: channels, height and width of the raw image, for models that read it; None for other modalities.
        condition_dim: width of the condition that comes with each example, or None.
    """

    modality: str
    classes: int
    max_tokens: int
    token_dim: int
    image_shape: tuple[int, int, int] | None = None
    condition_dim: int | None = None


class Tokens(NamedTuple):
    """What a tokenizer gives and a model takes: tokens B×V×T, mask B×V (true: a token), condition B×… or None."""

    tokens: Tensor
    mask: Tensor | None = None
    condition: Tensor | None = None


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


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The outcome on one split.

    Attributes:
        metrics: by name; each can be computed again from ``predictions``.
        predictions: columns of equal length with one entry an example: ``index``, ``label``, ``prediction`` …
    """

    metrics: Mapping[str, float]
    predictions: Mapping[str, np.ndarray] = field(repr=False)


class LiveTask(Protocol):
    """A task with its data at hand: what `Task.build` gives."""

    @property
    def spec(self) -> TaskSpec:
        """What a model may know of the task with the data that was found."""

    @property
    def split_sizes(self) -> Mapping[str, int]:
        """Examples of each split: ``train``, ``validation`` (may be absent), ``test``, ``ood/fog-3`` …"""

    @property
    def notes(self) -> Sequence[str]:
        """What a reader of the number must know, such as classes that are missing."""

    def train_batches(self, batch_size: int, seed: int) -> Sequence[Batch]:
        """One epoch after another: item ``step`` is a pure function of (batch_size, seed, step), for any step ≥ 0.

        Its length is the number of steps in an epoch.
        """

    def loss(self, net: nn.Module, batch: Batch) -> Tensor:
        """The training loss, a scalar; ``net`` takes a batch's inputs as keywords and gives logits."""

    def evaluate(self, net: nn.Module, split: str, batch_size: int) -> Evaluation:
        """Score a network that is in evaluation mode, on the device where it is, without gradients."""


@dataclass(frozen=True, kw_only=True)
class Task(Plugin):
    """A task: data about it on top of the class, options as fields, and a way to its data.

    Attributes:
        title: its name in tables.
        modality: as `TaskSpec.modality`.
        classes: number of classes of the whole task.
        metric: the metric that tables show; one of those that `LiveTask.evaluate` gives, larger is better.
        version: counts up whenever the same data would give other numbers.
        licence: terms of the data.
        citation: whom to cite for the data.
        source: where the data comes from, for people.
        recipes: the training recipe of each scale.
    """

    title: ClassVar[str]
    modality: ClassVar[str]
    classes: ClassVar[int]
    metric: ClassVar[str] = "accuracy"
    version: ClassVar[int] = 1
    licence: ClassVar[str]
    citation: ClassVar[str]
    source: ClassVar[str]
    recipes: ClassVar[Mapping[Scale, Recipe]]

    def missing(self, data_root: Path) -> str | None:
        """None where all data is at hand, else one line: what is missing, and what would bring it."""
        return None

    def prepare(self, data_root: Path) -> None:
        """Bring the data to where `build` finds it: the only place that may use the network.

        Raises:
            UserError: what could not be had, and which command or file would help.
        """

    def fingerprint(self, data_root: Path) -> str:
        """A digest of the data itself, whatever files it came in; quick, and without torch."""
        raise TypeError(f"{type(self).__name__} must define fingerprint(data_root)")

    def spec(self) -> TaskSpec:
        """What a model may know of the task when all of its data is there; `build` may find less (missing classes)."""
        raise TypeError(f"{type(self).__name__} must define spec()")

    def tokenizer(self) -> nn.Module:
        """A new tokenizer, trained along with the model: takes a batch's inputs as keywords, gives `Tokens`."""
        raise TypeError(f"{type(self).__name__} must define tokenizer()")

    def build(self, data_root: Path, recipe: Recipe) -> LiveTask:
        """Open the data for training with this recipe; no network.

        Raises:
            UserError: if data is missing or broken, or the recipe asks for what this task cannot do.
        """
        raise TypeError(f"{type(self).__name__} must define build(data_root, recipe)")
