"""The contract of a task: what it says of itself, and what it gives to the runner once its data is at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

from nacbench.contracts.plugin import Plugin
from nacbench.contracts.recipe import Settings
from nacbench.contracts.spec import Batch, TaskSpec

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from nacbench.contracts.model import Model

Scale = Literal["smoke", "mini", "paper"]
Kind = Literal["supervised", "ood", "low-shot", "pruned"]
SCALES: tuple[Scale, ...] = ("smoke", "mini", "paper")


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The outcome on one split.

    Attributes:
        metrics: by name; each can be computed again from ``predictions``.
        predictions: columns of equal length with one entry an example: ``index``, ``label``, ``prediction`` …
        details: what else the record should keep of how this was scored, as plain data for JSON.
        measured: what the scored network takes on this machine (seconds, bytes …), by name; another time gives others.
    """

    metrics: Mapping[str, float]
    predictions: Mapping[str, np.ndarray] = field(repr=False)
    details: Mapping[str, Any] = field(default_factory=dict)
    measured: Mapping[str, float] = field(default_factory=dict)


class ScoredTask(Protocol):
    """What can be scored: splits, and a way to score a network on each. All that a task with a source has."""

    @property
    def spec(self) -> TaskSpec:
        """What a model may know of the task with the data that was found."""

    @property
    def split_sizes(self) -> Mapping[str, int]:
        """Examples of each split: ``train``, ``validation`` (may be absent), ``test``, ``ood/fog-3`` …"""

    @property
    def notes(self) -> Sequence[str]:
        """What a reader of the number must know."""

    @property
    def partial(self) -> Sequence[str]:
        """How the data that was found is less than the whole data set (classes that are missing …); mostly empty."""

    def evaluate(self, net: nn.Module, split: str, batch_size: int) -> Evaluation:
        """Score a network that is in evaluation mode, on the device where it is, without gradients."""


@runtime_checkable
class ScoresAnotherNetwork(Protocol):
    """What a scored task may be, too: its main score is not of the network that it is given."""

    def scored_network(self, net: Any) -> Any:
        """The network that the main score is of, whose cost the record shall have."""


class LiveTask(ScoredTask, Protocol):
    """A task with its data at hand: what `Task.build` gives."""

    def train_batches(self, batch_size: int, seed: int) -> Sequence[Batch]:
        """One epoch after another: item ``step`` is a pure function of (batch_size, seed, step), for any step ≥ 0.

        Its length is the number of steps in an epoch.
        """

    def loss(self, net: nn.Module, batch: Batch) -> Tensor:
        """The training loss, a scalar; ``net`` takes a batch's inputs as keywords and gives logits.

        It does the same operations at every step, or the tokenizer says ``capturable = False``: see
        `nacbench.contracts.model.Model.build`.
        """


class DataSource(Protocol):
    """Files that a task needs, and the ways to get and check them; see `nacbench.data.mirror.data_files`."""

    def place(self, data_root: Path) -> Path:
        """The folder of the mirror that they lie in."""

    def missing(self, data_root: Path) -> str | None:
        """None where all are at hand, else one line: what is missing, and what would bring it."""

    def fetch(self, data_root: Path) -> None:
        """Bring them through the network; raises UserError where that cannot be done."""

    def verify(self, data_root: Path) -> str:
        """Check them against their checksums and say in one line what was checked; raises UserError if one is wrong."""

    def bring(self, data_root: Path, path: Path) -> None:
        """Take them from a file or folder that the user has got; raises UserError where it is not the right one."""


@dataclass(frozen=True, kw_only=True)
class Task(Plugin):
    """A task: data about it on top of the class, options as fields, and a way to its data.

    A supervised task trains a network and scores it. A task with a ``source`` trains none: it takes the network that
    another task's run ended with (same model, size, seed and precision), found by its identity or trained first, and
    scores it on other data, as it is (protocol ``ood``) or adapted to a few examples (``low-shot``), or with fewer of
    its modules (``pruned``).

    Attributes:
        title: its name in tables.
        modality: as `TaskSpec.modality`.
        classes: number of classes of the whole task.
        metric: the metric that tables show; one of those that `ScoredTask.evaluate` gives, larger is better.
        version: counts up whenever the same data would give other numbers.
        licence: terms of the data.
        citation: whom to cite for the data.
        source: where the data comes from, for people.
        recipes: the settings of each scale: a training recipe, or what a task with a source needs instead.
        protocol: how the number comes about.
        source_task: the task whose finished run this one takes its network from; None: it trains its own.
    """

    title: ClassVar[str]
    modality: ClassVar[str]
    classes: ClassVar[int]
    metric: ClassVar[str] = "accuracy"
    version: ClassVar[int] = 1
    licence: ClassVar[str]
    citation: ClassVar[str]
    source: ClassVar[str]
    recipes: ClassVar[Mapping[Scale, Settings]]
    protocol: ClassVar[Kind] = "supervised"
    source_task: ClassVar[str | None] = None

    def sources(self) -> Sequence[DataSource]:
        """The files that it needs; none where it makes its data itself."""
        return ()

    def missing(self, data_root: Path) -> str | None:
        """None where all data is at hand, else one line: what is missing, and what would bring it."""
        return next(filter(None, (source.missing(data_root) for source in self.sources())), None)

    def prepare(self, data_root: Path) -> None:
        """Bring the data to where `build` finds it: the only place that may use the network.

        Raises:
            UserError: what could not be had, and which command or file would help.
        """
        for source in self.sources():
            if source.missing(data_root):
                source.fetch(data_root)

    def fingerprint(self, data_root: Path) -> str:
        """A digest of the data itself, whatever files it came in; quick, and without torch."""
        raise TypeError(f"{type(self).__name__} must define fingerprint(data_root)")

    def headline(self, metrics: Mapping[str, Mapping[str, float]]) -> Mapping[str, float]:
        """From the metrics of every split, those of the task as a whole; the main one is what tables show."""
        return metrics["test"]

    def measured_headline(
        self, metrics: Mapping[str, Mapping[str, float]], measured: Mapping[str, Mapping[str, float]]
    ) -> Mapping[str, float]:
        """From what was measured with every split, what belongs to the task as a whole."""
        return measured.get("test", {})

    # -- a task that trains its own network ----------------------------------------------------------------------

    def spec(self) -> TaskSpec:
        """What a model may know of the task when all of its data is there; `build` may find less (missing classes)."""
        raise TypeError(f"{type(self).__name__} must define spec()")

    def tokenizer(self) -> nn.Module:
        """A new tokenizer, trained along with the model: takes a batch's inputs as keywords, gives `Tokens`."""
        raise TypeError(f"{type(self).__name__} must define tokenizer()")

    def build(self, data_root: Path, recipe: Any) -> LiveTask:
        """Open the data for training with this recipe (one of the type of ``recipes``); no network.

        Raises:
            UserError: if data is missing or broken, or the recipe asks for what this task cannot do.
        """
        raise TypeError(f"{type(self).__name__} must define build(data_root, recipe)")

    # -- a task with a source --------------------------------------------------------------------------------------

    def unsuited(self, model: Model, spec: TaskSpec) -> str | None:
        """Why this cannot be done with networks of this model for the source's spec, in a few words, or None."""
        return None

    def build_on(self, source: Task, data_root: Path, settings: Any) -> ScoredTask:
        """Open the data for scoring networks that were trained on this source; no network.

        The spec's classes say how many logits the network shall have. For ``low-shot`` its last layer starts from zero;
        otherwise it has the source's weights throughout.
        """
        raise TypeError(f"{type(self).__name__} must define build_on(source, data_root, settings)")
