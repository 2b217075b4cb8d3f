"""Interfaces of task plug-ins: `Task` trains a network, `EvaluationTask` evaluates one that another run trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self, runtime_checkable

from nacbench.contracts.given import checked_data_files
from nacbench.contracts.metric import ACCURACY, NLL, Metric
from nacbench.contracts.plugin import Plugin
from nacbench.contracts.recipe import Origin, Settings
from nacbench.contracts.spec import Batch, Targets, TaskSpec
from nacbench.errors import UserError, shown

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from nacbench.contracts.model import Model

Scale = Literal["smoke", "mini", "paper"]
SCALES: tuple[Scale, ...] = ("smoke", "mini", "paper")
# ``published`` is a size that the paper's authors gave to a baseline; NAC's own of Tiny-ImageNet is its ``paper``
SIZES: Mapping[Scale, tuple[str, ...]] = {"smoke": ("tiny",), "mini": ("mini",), "paper": ("published", "paper")}

Metrics = Mapping[str, Mapping[str, float]]  # split → metric → value


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Result of evaluating a network on one split.

    Attributes:
        metrics: values by name; each can be computed again from ``predictions``.
        predictions: columns of equal length with one entry per example: ``index``, and what the metrics read, such as
            ``label`` and ``prediction`` of classes, ``target`` and ``output`` of values.
        details: further facts about the evaluation for the record, as JSON-compatible data.
        measured: costs of the network on this machine (seconds, bytes …) by name. Unlike metrics they are not
            reproducible.
    """

    metrics: Mapping[str, float]
    predictions: Mapping[str, np.ndarray] = field(repr=False)
    details: Mapping[str, Any] = field(default_factory=dict)
    measured: Mapping[str, float] = field(default_factory=dict)


class ScoredTask(Protocol):
    """Splits of data, and a way to evaluate a network on each; returned by `EvaluationTask.build_on`."""

    @property
    def spec(self) -> TaskSpec:
        """Spec of the task for the data that was found, which may have fewer classes than the whole data set."""

    @property
    def split_sizes(self) -> Mapping[str, int]:
        """Number of examples by split: ``train``, ``validation`` (optional), ``test``, ``ood/fog-3`` …"""

    @property
    def notes(self) -> Sequence[str]:
        """Caveats that a reader of the score must know, as sentences for the record."""

    @property
    def partial(self) -> Sequence[str]:
        """What is missing of the whole data set (classes, a split …), as sentences; empty if it is complete."""

    def evaluate(self, net: nn.Module, split: str, batch_size: int) -> Evaluation:
        """Evaluate a network on a split, on the network's device.

        The caller has called ``net.eval()`` and disabled gradients.
        """


@runtime_checkable
class ScoresAnotherNetwork(Protocol):
    """A `ScoredTask` whose main score is that of a network derived from the given one (pruned, for example)."""

    def scored_network(self, net: Any) -> Any:
        """Return the network whose score and cost are recorded."""


class LiveTask(ScoredTask, Protocol):
    """A task that trains, with its data opened; returned by `Task.build`."""

    def train_batches(self, batch_size: int, seed: int) -> Sequence[Batch]:
        """Return the training batches: item ``step`` is a pure function of (batch_size, seed, step), for any step ≥ 0.

        Steps continue from one epoch to the next. The length is the number of steps per epoch. Purity is what lets a
        resumed run see the same batches without a saved generator state.
        """

    def loss(self, net: nn.Module, batch: Batch) -> Tensor:
        """Return the training loss, a scalar. ``net`` takes the batch's inputs as keywords and returns logits.

        If its operations differ between steps, the tokenizer must set ``capturable = False``, so that no CUDA graph is
        captured: see `nacbench.contracts.model.Model.build`.
        """


class DataFiles(Protocol):
    """Files of data that a task needs, and how to download and check them; see `nacbench.data.mirror.data_files`."""

    def place(self, data_root: Path) -> Path:
        """Return the folder that holds the files, below the mirror of data sets."""

    def missing(self, data_root: Path) -> str | None:
        """Return None if all files exist, otherwise one line: what is missing, and how to get it."""

    def fetch(self, data_root: Path) -> None:
        """Download the files.

        Raises:
            UserError: if they cannot be downloaded.
        """

    def verify(self, data_root: Path) -> str:
        """Check the files against their checksums and return one line that says what was checked.

        Raises:
            UserError: if a checksum does not match.
        """

    def bring(self, data_root: Path, *paths: Path, link: bool, say: Callable[[str], None]) -> None:
        """Import the files from folders, archives or files that the user has.

        Args:
            data_root: the mirror of data sets.
            paths: what the user has.
            link: make links to files instead of copies.
            say: called with each line that tells the user what was found.

        Raises:
            UserError: if it does not hold the expected files.
        """


@dataclass(frozen=True, kw_only=True)
class AnyTask(Plugin):
    """Base class of all tasks: metadata as class variables, options as fields, and access to the data.

    There are two kinds of tasks: a `Task` trains a network and evaluates it, an `EvaluationTask` evaluates a network
    that a run of another task trained.

    Attributes:
        title: name in tables.
        modality: as in `nacbench.contracts.spec.TaskSpec`.
        classes: number of classes of the complete data set; of labels or of values, if the targets are these.
        targets: what an example's target is, as in `nacbench.contracts.spec.TaskSpec`.
        metric: name of the main metric, one of ``metrics``. It is the score, and selects on validation examples.
        metrics: what the numbers mean that `ScoredTask.evaluate` returns. Numbers that are not listed are recorded, but
            no table or test can be made of them.
        version: increase it whenever a change of the code gives other numbers on the same data.
        licence: terms of use of the data.
        citation: publication to cite for the data.
        provenance: where the data comes from, for readers.
        recipes: settings by scale: a training recipe, or the settings of an evaluation.
        sizes: names of models' sizes by scale; a model has the first of them that is among its ``presets``.
        origin: where the settings of scale ``paper`` come from; tables, docs and records say so.
        protocol: kind of evaluation, in one word; reports group tasks by it.
    """

    title: ClassVar[str]
    modality: ClassVar[str]
    classes: ClassVar[int]
    targets: ClassVar[Targets] = "classes"
    metric: ClassVar[str] = ACCURACY.name
    metrics: ClassVar[Sequence[Metric]] = (ACCURACY, NLL)
    version: ClassVar[int] = 1
    licence: ClassVar[str]
    citation: ClassVar[str]
    provenance: ClassVar[str]
    recipes: ClassVar[Mapping[Scale, Settings]]
    sizes: ClassVar[Mapping[Scale, Sequence[str]]] = SIZES
    origin: ClassVar[Origin] = Origin("ours")
    protocol: ClassVar[str]

    @classmethod
    def main_metric(cls) -> Metric:
        """Return what the numbers of the main metric mean.

        Raises:
            UserError: if the task does not say it.
        """
        if problem := cls._undescribed():
            raise UserError(f"{cls.__name__} {problem}")
        return next(metric for metric in cls.metrics if metric.name == cls.metric)

    @classmethod
    def wrong_fact(cls) -> str | None:
        return super().wrong_fact() or cls._undescribed()

    @classmethod
    def _undescribed(cls) -> str | None:
        """Return what is wrong with ``metrics``, in a few words, or None."""
        metrics = cls.metrics
        if not isinstance(metrics, Sequence) or not all(isinstance(metric, Metric) for metric in metrics):
            return f"sets metrics = {shown(metrics)}, which is no list of nacbench.Metric"
        names = [metric.name for metric in metrics]
        if cls.metric not in names:
            return (
                f"sets metric = {shown(cls.metric)}, which its metrics ({', '.join(names) or 'none'}) do not describe"
            )
        twice = next((name for name in names if names.count(name) > 1), None)
        return f"describes {shown(twice)} twice in metrics" if twice else None

    def data_files(self) -> Sequence[DataFiles]:
        """Return the files that the task needs; none if it generates its data."""
        return ()

    def missing(self, data_root: Path) -> str | None:
        """Return None if all data exists, otherwise one line: what is missing, and how to get it."""
        needed = checked_data_files(self, self.data_files())
        return next(filter(None, (files.missing(data_root) for files in needed)), None)

    def prepare(self, data_root: Path) -> None:
        """Download the data that is missing. This is the only method that may use the internet.

        Raises:
            UserError: if something cannot be downloaded; the message names the command or file that helps.
        """
        for files in checked_data_files(self, self.data_files()):
            if files.missing(data_root):
                files.fetch(data_root)

    def fingerprint(self, data_root: Path) -> str:
        """Return a digest of the decoded data, independent of file formats. Must be fast and must not import torch."""
        raise UserError(f"{type(self).__name__} must define fingerprint(data_root)")

    def headline(self, metrics: Metrics) -> Mapping[str, float]:
        """Return the metrics of the whole task, computed from those of all splits; recorded as split ``test``."""
        return metrics["test"]

    def measured_headline(self, metrics: Metrics, measured: Metrics) -> Mapping[str, float]:
        """Return the measurements of the whole task, computed from those of all splits."""
        return measured.get("test", {})

    def score_line(self, metrics: Metrics, sizes: Mapping[str, int]) -> str:
        """Return one line with the main score and its uncertainty.

        Args:
            metrics: metrics of all splits; ``test`` holds the `headline`.
            sizes: number of examples of all splits.
        """
        return score_text("test", self.main_metric(), metrics["test"][self.metric], sizes.get("test"))


def scale_of(size: str) -> Scale:
    """Return the scale whose task options go with a model's size."""
    return next((scale for scale, sizes in SIZES.items() if size in sizes), "paper")


def score_text(split: str, metric: Metric, value: float, count: int | None = None) -> str:
    """Return ``test accuracy 81.20 %  (95 % interval over its 500 examples: 77.54–84.38 %)``.

    Args:
        split: name of the examples that were evaluated.
        metric: what the value is; only a share of hits has an interval.
        value: value of the metric.
        count: number of examples; None or 0 leaves the interval out.
    """
    text = f"{split} {metric.name} {metric.with_unit(metric.number(value))}"
    interval = metric.over_examples(value, count or 0)
    if interval is None:
        return text
    low, high = map(metric.number, interval)
    return f"{text}  (95 % interval over its {count:,} examples: {metric.with_unit(f'{low}–{high}')})"


@dataclass(frozen=True, kw_only=True)
class Task(AnyTask):
    """A task that trains a network and evaluates it."""

    protocol: ClassVar[str] = "supervised"

    def spec(self) -> TaskSpec:
        """Return the spec of the task with complete data; that of `build` may have fewer classes."""
        raise UserError(f"{type(self).__name__} must define spec()")

    def tokenizer(self) -> nn.Module:
        """Return a new tokenizer: takes a batch's inputs as keywords, returns `nacbench.contracts.spec.Tokens`.

        It is trained together with the model.
        """
        raise UserError(f"{type(self).__name__} must define tokenizer()")

    def build(self, data_root: Path, recipe: Any) -> LiveTask:
        """Open the data for training with a recipe of the same type as ``recipes``. Must not use the internet.

        Raises:
            UserError: if data is missing or broken, or the task does not support a setting of the recipe.
        """
        raise UserError(f"{type(self).__name__} must define build(data_root, recipe)")


@dataclass(frozen=True, kw_only=True)
class EvaluationTask(AnyTask):
    """A task that evaluates a network that a run of another task trained: unchanged, adapted or pruned.

    That run has the same model, size, scale, seed and precision. It is found by its identity, or computed first.

    Attributes:
        trained_on: name of the task that trains the network.
        keep_head: whether the network keeps its last layer. If not, a new last layer starts from zero, with as many
            classes as the spec of `build_on`.
    """

    trained_on: ClassVar[str]
    keep_head: ClassVar[bool] = True

    def unsuited(self, model: Model, spec: TaskSpec) -> str | None:
        """Return why networks of this model cannot be evaluated, in a few words, or None.

        Args:
            model: model of the trained network.
            spec: spec of the task that it was trained on.
        """
        return None

    def build_on(self, trained: Task, data_root: Path, settings: Any) -> ScoredTask:
        """Open the data for evaluating networks that were trained on ``trained``. Must not use the internet.

        Args:
            trained: the task ``trained_on``, with the options of the run that trained.
            data_root: mirror of data sets.
            settings: settings of the same type as ``recipes``.
        """
        raise UserError(f"{type(self).__name__} must define build_on(trained, data_root, settings)")


@dataclass(frozen=True, kw_only=True)
class SameDataTask(EvaluationTask):
    """An evaluation task on the data of the task that trained the network.

    Attributes:
        trained_class: class of the task ``trained_on``.
    """

    trained_class: ClassVar[type[Task]]

    def data_files(self) -> Sequence[DataFiles]:
        return self.trained_class().data_files()

    def fingerprint(self, data_root: Path) -> str:
        return self.trained_class().fingerprint(data_root)

    @classmethod
    def of(cls, name: str, trained: type[Task], title: str) -> type[Self]:
        """Return a subclass that evaluates networks trained on one task; most `Protocol` plug-ins return it.

        Args:
            name: name of the task that trains.
            trained: class of that task, whose metadata on the data is copied.
            title: title of the protocol; the new task is titled ``<title of the task>, <title>``.
        """
        # "version" too: a change of the training task that gives other numbers changes this task's numbers as well
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
