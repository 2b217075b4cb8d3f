"""The contracts of tasks: what they say of themselves, and what they give to the runner once their data is at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self, runtime_checkable

from nacbench.contracts.plugin import Plugin
from nacbench.contracts.recipe import Settings
from nacbench.contracts.spec import Batch, TaskSpec
from nacbench.errors import UserError
from nacbench.statistics import wilson_interval

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from nacbench.contracts.model import Model

Scale = Literal["smoke", "mini", "paper"]
SCALES: tuple[Scale, ...] = ("smoke", "mini", "paper")


ACCURACY = "accuracy"  # the one metric that is a share of hits, and so has an interval for proportions
Metrics = Mapping[str, Mapping[str, float]]  # by split, then by name


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
    """Splits, and a way to score a network on each: what `EvaluationTask.build_on` gives."""

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
    """A `ScoredTask` whose main score is not that of the network that it is given."""

    def scored_network(self, net: Any) -> Any:
        """Return the network whose score and cost are recorded."""


class LiveTask(ScoredTask, Protocol):
    """A task that trains, with its data at hand: what `Task.build` gives."""

    def train_batches(self, batch_size: int, seed: int) -> Sequence[Batch]:
        """One epoch after another: item ``step`` is a pure function of (batch_size, seed, step), for any step ≥ 0.

        Its length is the number of steps in an epoch.
        """

    def loss(self, net: nn.Module, batch: Batch) -> Tensor:
        """The training loss, a scalar; ``net`` takes a batch's inputs as keywords and gives logits.

        It does the same operations at every step, or the tokenizer says ``capturable = False``: see
        `nacbench.contracts.model.Model.build`.
        """


class DataFiles(Protocol):
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
class AnyTask(Plugin):
    """What every task has: data about it on top of the class, options as fields, and where its data is.

    A task is one of two kinds: a `Task` trains a network and scores it, an `EvaluationTask` scores a network that was
    trained on another task.

    Attributes:
        title: its name in tables.
        modality: as `TaskSpec.modality`.
        classes: number of classes of the whole task.
        metric: the metric that tables show; one of those that `ScoredTask.evaluate` gives, larger is better.
        version: counts up whenever the same data would give other numbers.
        licence: terms of the data.
        citation: whom to cite for the data.
        provenance: where the data comes from, for people.
        recipes: the settings of each scale: a training recipe, or the settings of an evaluation.
        protocol: how the number comes about, in one word; reports put tasks of one protocol together.
    """

    title: ClassVar[str]
    modality: ClassVar[str]
    classes: ClassVar[int]
    metric: ClassVar[str] = ACCURACY
    version: ClassVar[int] = 1
    licence: ClassVar[str]
    citation: ClassVar[str]
    provenance: ClassVar[str]
    recipes: ClassVar[Mapping[Scale, Settings]]
    protocol: ClassVar[str]

    def data_files(self) -> Sequence[DataFiles]:
        """Return the files that it needs; none where it makes its data itself."""
        return ()

    def missing(self, data_root: Path) -> str | None:
        """Return None where all data is at hand, otherwise one line: what is missing, and what would bring it."""
        return next(filter(None, (files.missing(data_root) for files in self.data_files())), None)

    def prepare(self, data_root: Path) -> None:
        """Bring the data to where it is looked for: the only method that may use the network.

        Raises:
            UserError: what cannot be fetched, and which command or file would help.
        """
        for files in self.data_files():
            if files.missing(data_root):
                files.fetch(data_root)

    def fingerprint(self, data_root: Path) -> str:
        """Return a digest of the data itself, whatever files it came in; quick, and without torch."""
        raise UserError(f"{type(self).__name__} must define fingerprint(data_root)")

    def headline(self, metrics: Metrics) -> Mapping[str, float]:
        """Return the metrics of the task as a whole from those of every split; the main one is what tables show."""
        return metrics["test"]

    def measured_headline(self, metrics: Metrics, measured: Metrics) -> Mapping[str, float]:
        """Return what belongs to the task as a whole of what was measured with every split."""
        return measured.get("test", {})

    def score_line(self, metrics: Metrics, sizes: Mapping[str, int]) -> str:
        """Return the main score and what is known of its error as one line for people.

        Args:
            metrics: of every split; ``test`` holds the `headline`.
            sizes: examples of every split.
        """
        return score_text("test", self.metric, metrics["test"][self.metric], sizes.get("test"))


def score_text(split: str, metric: str, value: float, count: int | None = None) -> str:
    """Return ``test accuracy 81.20 %  (95 % interval over its 500 examples: 77.54–84.38 %)``.

    Args:
        split: what kind of examples were scored.
        metric: only an accuracy is shown in percent, and has an interval (Wilson's): it is a share of hits.
        value: of the metric.
        count: examples that it was computed on, if there is an interval to show.
    """
    if metric != ACCURACY:
        return f"{split} {metric} {value:.4g}"
    shown = f"{split} {metric} {100 * value:.2f} %"
    if not count:
        return shown
    low, high = wilson_interval(round(value * count), count)
    return f"{shown}  (95 % interval over its {count:,} examples: {100 * low:.2f}–{100 * high:.2f} %)"


@dataclass(frozen=True, kw_only=True)
class Task(AnyTask):
    """A task that trains a network and scores it."""

    protocol: ClassVar[str] = "supervised"

    def spec(self) -> TaskSpec:
        """Return what a model may know of the task with all of its data; `build` may find less (missing classes)."""
        raise UserError(f"{type(self).__name__} must define spec()")

    def tokenizer(self) -> nn.Module:
        """Return a new tokenizer, trained with the model: takes a batch's inputs as keywords, gives `Tokens`."""
        raise UserError(f"{type(self).__name__} must define tokenizer()")

    def build(self, data_root: Path, recipe: Any) -> LiveTask:
        """Open the data for training with this recipe (one of the type of ``recipes``); no network.

        Raises:
            UserError: if data is missing or broken, or the recipe asks for what this task cannot do.
        """
        raise UserError(f"{type(self).__name__} must define build(data_root, recipe)")


@dataclass(frozen=True, kw_only=True)
class EvaluationTask(AnyTask):
    """A task that scores a network which a run of another task trained: as it is, adapted, or made smaller.

    That run has the same model, size, scale, seed and precision. It is found by its identity, or computed first.

    Attributes:
        trained_on: name of the task that trains the network.
        keep_head: whether the network keeps its last layer; otherwise that starts from zero, with as many classes as
            the spec of `build_on` has.
    """

    trained_on: ClassVar[str]
    keep_head: ClassVar[bool] = True

    def unsuited(self, model: Model, spec: TaskSpec) -> str | None:
        """Return why networks of this model cannot be scored, in a few words, or None.

        Args:
            model: that was trained.
            spec: of the task that it was trained on.
        """
        return None

    def build_on(self, trained: Task, data_root: Path, settings: Any) -> ScoredTask:
        """Open the data for scoring networks that were trained on ``trained``; no network.

        Args:
            trained: the task ``trained_on``, with the options of the run that trained.
            data_root: mirror of data sets.
            settings: of the type of ``recipes``.
        """
        raise UserError(f"{type(self).__name__} must define build_on(trained, data_root, settings)")


@dataclass(frozen=True, kw_only=True)
class SameDataTask(EvaluationTask):
    """An evaluation task on the data of the task that trains.

    Attributes:
        trained_class: the class of the task ``trained_on``.
    """

    trained_class: ClassVar[type[Task]]

    def data_files(self) -> Sequence[DataFiles]:
        return self.trained_class().data_files()

    def fingerprint(self, data_root: Path) -> str:
        return self.trained_class().fingerprint(data_root)

    @classmethod
    def of(cls, name: str, trained: type[Task], title: str) -> type[Self]:
        """Return a subclass that scores networks which were trained on one task: what a `Protocol` mostly gives.

        Args:
            name: of the task that trains.
            trained: its class; what there is to say of its data is taken over.
            title: of the protocol; the new task is called ``<title of the task>, <title>``.
        """
        taken = ("modality", "classes", "version", "licence", "citation", "provenance")
        about = {
            **{fact: getattr(trained, fact) for fact in taken},
            "title": f"{trained.title}, {title}",
            "trained_on": name,
            "trained_class": trained,
            "__module__": cls.__module__,
            "__doc__": cls.__doc__,
        }
        return dataclass(frozen=True, kw_only=True)(type(f"{cls.__name__}On{trained.__name__}", (cls,), about))
