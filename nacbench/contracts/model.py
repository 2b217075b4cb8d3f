"""Interface of a model plug-in: options, supported inputs, and how to build its network for a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, runtime_checkable

from nacbench.contracts.plugin import Plugin
from nacbench.contracts.spec import TaskSpec
from nacbench.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Operations:
    """Floating-point operations (FLOPs) of the matrix products in a pass; a multiply-add counts as two.

    Attributes:
        example: of each example of a batch.
        once: of a pass, however many examples it has (NAC: projections of codes).
        raw: the part of ``example`` whose input does not depend on parameters, so that backward needs no gradient
            with respect to it.
        raw_once: the same part of ``once``; a product of which neither factor depends on parameters counts twice.
    """

    example: int
    once: int = 0
    raw: int = 0
    raw_once: int = 0

    def forward(self, batch: int) -> int:
        """Return the operations of a forward pass over ``batch`` examples."""
        return batch * self.example + self.once

    def per_example(self, batch: int) -> int:
        """Return the operations of a forward pass over ``batch`` examples, divided by these."""
        return round(self.forward(batch) / batch)

    def backward(self, batch: int) -> int:
        """Return the operations of a backward pass over ``batch`` examples.

        A product A·B needs two products of the same size, one for the gradient of each factor.
        """
        return 2 * self.forward(batch) - batch * self.raw - self.raw_once


def product(rows: int, inner: int, columns: int) -> int:
    """Return the operations of one matrix product, rows×inner times inner×columns."""
    return 2 * rows * inner * columns


def products(rows: int, widths: Sequence[int]) -> int:
    """Return the operations of linear layers one after the other on so many rows: from ``widths[0]`` to the last."""
    return sum(product(rows, inner, outer) for inner, outer in pairwise(widths))


@dataclass(frozen=True, kw_only=True)
class Model(Plugin):
    """Base class of models: options as fields, named sizes as ``presets``, and `build` for the network.

    A model whose name begins with ``floor-`` learns nothing deep: in reports, other models must exceed its score.

    All models get the same tokens from the task's tokenizer, so that the comparison is between cores and not between
    stems. A model that needs the raw image or the raw points sets ``reads``.

    A module inside the network may list names of its own parameters in a class attribute ``no_weight_decay`` to
    exclude them from weight decay. Vectors and biases are always excluded.

    Attributes:
        title: name in tables.
        idea: what the network does, in one sentence without a full stop.
        citation: publication to cite for the model.
        library: distribution whose layers the network is made of, as pip names it; empty if they are nacbench's own.
        kept_by: who keeps that library.
        extra: nacbench's optional extra that installs the library; empty if nacbench always installs it.
        reads: input of the network: ``tokens`` (B×V×T), ``image`` (B×channels×height×width, normalised) or ``points``
            (coordinates B×N×3).
        conditional: whether the model takes a task's condition (a sentence) separately from the tokens. For any other
            model the condition's tokens are appended to the tokens, and its spec has no ``condition_tokens``.
        presets: sizes by name; ``tiny``, ``mini`` and ``paper`` are used at the scales ``smoke``, ``mini`` and
            ``paper``. At ``paper`` a size ``published`` comes first, and a task may name others before it (its
            ``sizes``).
        resized_by: names of the depth option and the width option that ``nacbench profile --match`` may change.
    """

    title: ClassVar[str]
    idea: ClassVar[str] = ""
    citation: ClassVar[str] = ""
    library: ClassVar[str] = ""
    kept_by: ClassVar[str] = ""
    extra: ClassVar[str] = ""
    reads: ClassVar[Literal["tokens", "image", "points"]] = "tokens"
    conditional: ClassVar[bool] = False
    resized_by: ClassVar[tuple[str, str] | None] = None

    def unsupported(self, spec: TaskSpec) -> str | None:
        """Return why this model does not support this task, in a few words that fit in a table, or None."""
        if input_shape(self, spec) is None:
            return f"it takes {'images' if self.reads == 'image' else self.reads} only"
        if self.reads != "tokens" and spec.condition_tokens:
            return f"it takes no sentence beside the {self.reads}"
        return None

    @classmethod
    def missing(cls) -> str | None:
        """Return in one line which library the network needs and how to install it, or None if it is here."""
        try:
            cls.library and distribution(cls.library)  # its metadata alone: importing it may take seconds
        except PackageNotFoundError:
            wanted = f"'nacbench[{cls.extra}]'" if cls.extra else cls.library
            return f"{cls.title} needs {cls.library}, which is not installed: pip install {wanted}"
        return None

    def operations(self, spec: TaskSpec, tokens: int, words: int = 0) -> Operations | None:
        """Return the operations of a forward pass by a formula, or None if the model has no formula.

        Args:
            spec: the task's spec, as for `build`.
            tokens: V, number of tokens of an example.
            words: W, number of tokens of its condition.
        """
        return None

    def build(self, spec: TaskSpec) -> nn.Module:
        """Return a new network with initial weights drawn from torch's global generator.

        Its ``forward(tokens, mask=None)`` takes tokens B×V×T (or what the model ``reads``) and a boolean mask B×V, true
        for tokens (or points) and false for padding, and returns logits B×classes. Padding must not change any logit,
        nor may the order of points. If the model is ``conditional`` and the spec has ``condition_tokens``, two
        arguments follow: ``condition`` B×W×T and ``condition_mask`` B×W.

        Optional members of the network:

        - ``auxiliary_loss()``: returns a scalar to add to the task's training loss, or None.
        - ``capturable = True``: ``forward`` does the same operations in every training step, does not branch on Python
          random numbers or counters, and changes no state (as batch norm does). On one GPU, forward and backward then
          run as CUDA graphs (see `nacbench.nn.cuda_graphs`): same numbers, less launch overhead.
          ``auxiliary_loss()`` is not captured and may branch.
        - ``adaptable``: a mapping from a group's name to prefixes of parameter names. Besides all weights and the last
          layer, low-shot adaptation can fine-tune such a group (NAC: ``circuit``).
        - ``learn(tokens, mask, target)``: looks at a training batch before its step, without gradients, and may change
          buffers; for what is counted and not descended to, such as a mean. ``target`` is as in
          `nacbench.contracts.spec.Batch`. Such a network is not ``capturable``.
        - the methods of `Prunable`, if modules can be removed after training.
        """
        raise UserError(f"{type(self).__name__} must define build(spec)")


@runtime_checkable
class Prunable(Protocol):
    """A network that still works after some of its modules are removed (NAC: processor modules)."""

    @property
    def module_count(self) -> int:
        """Number of modules U."""

    def degrees(self, condition: Tensor | None = None, condition_mask: Tensor | None = None) -> Tensor:
        """Return the connectivity of each module, U numbers, larger is better; a mean over the conditions if given."""

    def kept(self, modules: Tensor) -> nn.Module:
        """Return a smaller network with only these modules (indices, int64): fewer parameters and operations."""


def spec_for(model: Model, spec: TaskSpec) -> TaskSpec:
    """Return the spec to pass to this model: without a condition of its own if the model cannot take one."""
    return spec if model.conditional or model.reads != "tokens" else spec.joined()


def input_shape(model: Model | type[Model], spec: TaskSpec) -> tuple[int, ...] | None:
    """Return the shape of an example as a model's network takes it, with as many tokens or points as it may have.

    None if the task has no such input.
    """
    shapes = {"tokens": (spec.max_tokens, spec.token_dim), "image": spec.image_shape, "points": spec.point_shape}
    return shapes[model.reads]
