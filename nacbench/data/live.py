"""Data loading and scoring of tasks on arrays of any modality: splits, training batches, loss, evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from nacbench.contracts.given import check_targets
from nacbench.contracts.recipe import Recipe
from nacbench.contracts.spec import Batch, TaskSpec
from nacbench.contracts.task import Evaluation
from nacbench.data.objectives import objective_for
from nacbench.data.sampling import evenly_spaced, step_indices, steps_per_epoch
from nacbench.errors import UserError
from nacbench.seeds import seed_for

Inputs = dict[str, Tensor]
Stored = dict[str, Any]  # arrays of the split as tensors, each N×…; or lists of tensors, where they are `Varied`


@runtime_checkable
class Varied(Protocol):
    """An array of examples that are stored in shapes of their own, and are fitted to one shape when it is indexed."""

    def whole(self, indices: np.ndarray) -> list[np.ndarray]:
        """Return examples as they are stored."""


class Split:
    """A split of a data set: arrays and the indices of the examples in use.

    Args:
        inputs: arrays by name, each N×….
        labels: class numbers N; labels or values N×K, if targets are these.
        indices: indices of the examples in use, in order; None: all.
    """

    def __init__(self, inputs: Mapping[str, np.ndarray], labels: np.ndarray, indices: np.ndarray | None = None) -> None:
        self.inputs = inputs
        self.labels = labels
        self.indices = np.arange(len(labels)) if indices is None else indices

    def __len__(self) -> int:
        return len(self.indices)

    def take(self, positions: np.ndarray) -> tuple[Stored, Tensor]:
        """Return the stored inputs and the labels at these positions: int64 of classes, float32 of labels, values."""
        indices = self.indices[positions]
        inputs = {name: _taken(array, indices) for name, array in self.inputs.items()}
        return inputs, torch.from_numpy(self.labels[indices].astype(np.int64 if self.labels.ndim == 1 else np.float32))

    def part(self, positions: np.ndarray) -> Split:
        """Return a split with only the examples at these positions; the arrays are shared."""
        return Split(self.inputs, self.labels, self.indices[positions])

    def spread(self, count: int) -> Split:
        """Return a split with at most ``count`` examples, evenly spaced over this one."""
        return self.part(evenly_spaced(len(self), count))

    def hold_out(self, count: int) -> tuple[Split, Split]:
        """Split off ``count`` examples, evenly spaced; return the rest and those held out.

        Raises:
            UserError: if no example would be left.
        """
        if count >= len(self):
            raise UserError(f"task.validation_examples = {count}: must be less than the {len(self)} training examples")
        held = self.spread(count)
        return Split(self.inputs, self.labels, np.setdiff1d(self.indices, held.indices)), held


def _taken(array: Any, indices: np.ndarray) -> Tensor | list[Tensor]:
    if isinstance(array, Varied):
        return [torch.from_numpy(example) for example in array.whole(indices)]
    return torch.from_numpy(array[indices])


class Preparation(Protocol):
    """Converts stored inputs to the tokenizer's inputs, with or without augmentation."""

    def train(self, inputs: Stored, labels: Tensor) -> tuple[Inputs, Tensor]:
        """Return augmented inputs and their targets; random numbers come from torch's global generator."""

    def plain(self, inputs: Stored, first: int) -> Inputs:
        """Return inputs for scoring.

        Any random numbers may depend only on the examples' positions in the split, which start at ``first``, so that
        the result does not depend on the batch size.
        """


class TrainBatches(Sequence[Batch]):
    """Training batches, each a pure function of (seed, step); see `nacbench.contracts.task.LiveTask.train_batches`.

    Args:
        split: the training examples.
        preparation: converts and augments them.
        batch_size: examples per step.
        seed: of the run.
        repeats: copies of an example side by side in a batch, each augmented separately (repeated augmentation).
        visits: passes over the examples per epoch, for data sets of few examples.
        target: gives the training target of the labels that the preparation returns.
    """

    def __init__(
        self,
        split: Split,
        preparation: Preparation,
        batch_size: int,
        seed: int,
        repeats: int = 1,
        visits: int = 1,
        target: Callable[[Tensor], Tensor] = lambda labels: labels,
    ) -> None:
        self._split = split
        self._preparation = preparation
        self._batch_size = batch_size
        self._seed = seed
        self._repeats = repeats
        self._examples = len(split) * visits
        self._target = target
        self._steps = steps_per_epoch(self._examples, batch_size)

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> Batch:  # type: ignore[override]
        positions = step_indices(self._examples, self._batch_size, self._seed, step, self._repeats)
        inputs, labels = self._split.take(positions % len(self._split))
        # Augmentation draws from the global generator (torchvision's transforms take no other); fork it, so that making
        # a batch in this process does not move the network's draws
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed_for(self._seed, "augment", step))
            inputs, target = self._preparation.train(inputs, labels)
        return Batch(inputs, self._target(target))


@dataclass(frozen=True)
class Groups:
    """Groups of examples whose accuracy is recorded separately.

    Attributes:
        name: of the input with each example's group number.
        titles: names of the groups, by number.
    """

    name: str
    titles: Sequence[str]


class Classification:
    """A task on arrays of examples with its data; implements `nacbench.contracts.task.LiveTask`.

    Targets are classes, labels or values, as the spec says.

    Args:
        spec: with the number of classes that were found.
        splits: ``train``, ``test`` and optionally ``validation``.
        recipe: training hyper-parameters.
        preparation: converts stored arrays to the tokenizer's inputs.
        partial: how the data differs from the whole data set, one line each.
        repeats, visits: see `TrainBatches`.
    """

    def __init__(
        self,
        spec: TaskSpec,
        splits: Mapping[str, Split],
        recipe: Recipe,
        preparation: Preparation,
        partial: Sequence[str] = (),
        *,
        repeats: int = 1,
        visits: int = 1,
    ) -> None:
        self.spec = spec
        self.splits = splits
        self.split_sizes = {name: len(split) for name, split in splits.items()}
        self.partial = partial
        self.preparation = preparation
        self._recipe = recipe
        self._repeats = repeats
        self._visits = visits
        train = splits["train"]
        self.objective = objective_for(spec.targets, train.labels[train.indices], recipe.label_smoothing)

    notes: Sequence[str] = ()
    groups: Groups | None = None

    def train_batches(self, batch_size: int, seed: int) -> Sequence[Batch]:
        train, target = self.splits["train"], self.objective.target
        batches = TrainBatches(train, self.preparation, batch_size, seed, self._repeats, self._visits, target)
        check_targets(self.preparation, batches[0].target, self.spec)  # once, as a look at values takes the CPU's time
        return batches

    def loss(self, net: nn.Module, batch: Batch) -> Tensor:
        return self.objective.loss(net(**batch.inputs), batch.target, self._recipe.label_smoothing)

    def evaluate(self, net: nn.Module, split: str, batch_size: int) -> Evaluation:
        evaluation = self.objective.scores(*score(net, self.splits[split], self.preparation, batch_size))
        return self._by_group(evaluation, self.splits[split]) if self.groups else evaluation

    def _by_group(self, evaluation: Evaluation, split: Split) -> Evaluation:
        assert self.groups
        kinds = split.inputs[self.groups.name][split.indices]
        hits = evaluation.predictions["label"] == evaluation.predictions["prediction"]
        shares = {
            f"accuracy/{title}": float(hits[kinds == kind].mean())
            for kind, title in enumerate(self.groups.titles)
            if (kinds == kind).any()
        }
        predictions = {**evaluation.predictions, self.groups.name: kinds.astype(np.int32)}
        return replace(evaluation, metrics={**evaluation.metrics, **shares}, predictions=predictions)


def score(net: nn.Module, split: Split, preparation: Preparation, batch_size: int) -> tuple[Tensor, Tensor]:
    """Return outputs N×classes and labels of a whole split, in its order, on the CPU."""
    device = next(net.parameters()).device
    logits, labels = [], []
    for first in range(0, len(split), batch_size):
        inputs, target = split.take(np.arange(first, min(first + batch_size, len(split))))
        prepared = preparation.plain(inputs, first)
        logits.append(net(**{name: tensor.to(device) for name, tensor in prepared.items()}).cpu())
        labels.append(target)
    return torch.cat(logits), torch.cat(labels)
