"""The contract of a model: what it can take, and how to build its network for a task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, runtime_checkable

from nacbench.contracts.plugin import Plugin
from nacbench.contracts.spec import TaskSpec
from nacbench.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Operations:
    """Floating-point operations of matrix products, a multiply-add counted as two.

    Attributes:
        example: for each example of a batch.
        once: for each pass, however many examples it has.
        raw: those of ``example`` that take what nothing learned has made, and so pass no gradient on.
    """

    example: int
    once: int = 0
    raw: int = 0

    def forward(self, batch: int) -> int:
        """Of a forward pass of so many examples."""
        return batch * self.example + self.once

    def backward(self, batch: int) -> int:
        """Of the backward pass: each product has a gradient for either factor."""
        return 2 * self.forward(batch) - batch * self.raw


def product(rows: int, inner: int, columns: int) -> int:
    """Operations of one matrix product."""
    return 2 * rows * inner * columns


@dataclass(frozen=True, kw_only=True)
class Model(Plugin):
    """A model: its options as fields, its named sizes as ``presets``, and a way to its network.

    All models get the same tokens from the task's tokenizer, so that cores are compared, not stems. One that must see
    the raw image says so with ``reads``.

    A module inside the network may name parameters of its own in a class attribute ``no_weight_decay``; weight decay
    then leaves them alone (it spares vectors and biases anyway).

    Attributes:
        title: its name in tables.
        citation: whom to cite for it.
        reads: ``tokens`` (B×V×T), or ``image`` (B×channels×height×width, normalised) in their place.
        conditional: whether it takes a task's condition (a sentence) apart from the tokens. A model that does not gets
            the condition's tokens among the others, and never sees a spec with ``condition_tokens``.
        presets: the sizes by name; ``tiny``, ``mini`` and ``paper`` serve the scales ``smoke``, ``mini`` and ``paper``.
        resized_by: the options that ``nacbench profile --match`` may change, of depth and of width.
    """

    title: ClassVar[str]
    citation: ClassVar[str] = ""
    reads: ClassVar[Literal["tokens", "image"]] = "tokens"
    conditional: ClassVar[bool] = False
    resized_by: ClassVar[tuple[str, str] | None] = None

    def unsupported(self, spec: TaskSpec) -> str | None:
        """Why this model cannot do this task, in a few words that a table can show, or None if it can."""
        return None

    def operations(self, spec: TaskSpec, tokens: int, words: int = 0) -> Operations | None:
        """The operations of a forward pass of the network that `build` gives, as a formula, or None without one.

        Args:
            spec: of the task, as for `build`.
            tokens: V that an example has.
            words: W of its condition.
        """
        return None

    def build(self, spec: TaskSpec) -> nn.Module:
        """A new network, with fresh weights drawn from torch's global generator.

        Its ``forward(tokens, mask=None)`` takes tokens B×V×T (or the image) and a mask B×V that is true where a token
        is there; it gives logits B×classes. What is masked out changes no logit. Where the model is ``conditional``
        and the spec has ``condition_tokens``, two more follow: ``condition`` B×W×T and ``condition_mask`` B×W.

        A network may have a method ``auxiliary_loss()`` whose value, if not None, is added to the task's in training.

        A network may say ``capturable = True`` if ``forward`` does the same operations in every training step, without
        choosing by what Python draws or counts, and changes no state (as batch norm does). On one GPU its passes are
        then launched as CUDA graphs (see `nacbench.nn.cuda_graphs`), which gives the same numbers sooner.
        ``auxiliary_loss()`` is free to choose.

        A network whose parts can be dropped after training is `Prunable`.

        A network may say, in a mapping ``adaptable`` from names to prefixes of its parameters, what else than all of
        it or its last layer can be adapted to a few examples (NAC: ``circuit``).
        """
        raise UserError(f"{type(self).__name__} must define build(spec)")


@runtime_checkable
class Prunable(Protocol):
    """A network that still works with fewer of its modules (NAC: processor modules)."""

    @property
    def module_count(self) -> int:
        """How many there are."""

    def degrees(self, condition: Tensor | None = None, condition_mask: Tensor | None = None) -> Tensor:
        """How well connected each module is: one number each, the larger the better; a mean over the conditions."""

    def kept(self, modules: Tensor) -> nn.Module:
        """A smaller network of these modules alone (their numbers, int64): fewer parameters, less to compute."""


def spec_for(model: Model, spec: TaskSpec) -> TaskSpec:
    """What this model is told of a task: where it takes no condition, that its tokens are among the others."""
    return spec if model.conditional or model.reads == "image" else spec.joined()
