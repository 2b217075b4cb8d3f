"""A live classification task of any modality: batches from arrays in memory or on disk, loss and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from nacbench.contracts.recipe import Recipe
from nacbench.contracts.spec import Batch, TaskSpec
from nacbench.contracts.task import Evaluation
from nacbench.data.classification import classification_loss, classification_scores
from nacbench.data.sampling import step_indices, steps_per_epoch
from nacbench.errors import UserError
from nacbench.seeds import seed_for

Inputs = dict[str, Tensor]


class Split:
    """Examples, or some of them.

    Args:
        inputs: arrays by name, each N×….
        labels: N.
        indices: which of them, in order; None: all.
    """

    def __init__(self, inputs: Mapping[str, np.ndarray], labels: np.ndarray, indices: np.ndarray | None = None) -> None:
        self.inputs = inputs
        self.labels = labels
        self.indices = np.arange(len(labels)) if indices is None else indices

    def __len__(self) -> int:
        return len(self.indices)

    def take(self, positions: np.ndarray) -> tuple[Inputs, Tensor]:
        """Inputs as they are stored, and labels (int64), at these positions."""
        indices = self.indices[positions]
        inputs = {name: torch.from_numpy(array[indices]) for name, array in self.inputs.items()}
        return inputs, torch.from_numpy(self.labels[indices].astype(np.int64))

    def part(self, positions: np.ndarray) -> Split:
        """Only the examples at these positions."""
        return Split(self.inputs, self.labels, self.indices[positions])

    def spread(self, count: int) -> Split:
        """Only so many examples, evenly over the split; all, where there are no more."""
        return self.part(np.linspace(0, len(self), min(count, len(self)), endpoint=False).astype(np.int64))

    def hold_out(self, count: int) -> tuple[Split, Split]:
        """The rest, and so many examples spread evenly over the split.

        Raises:
            UserError: if nothing would be left.
        """
        if count >= len(self):
            raise UserError(f"task.validation_examples = {count}: there are only {len(self)} training examples")
        held = self.spread(count)
        return Split(self.inputs, self.labels, np.setdiff1d(self.indices, held.indices)), held


class Preparation(Protocol):
    """From inputs as they are stored to what the tokenizer takes."""

    def train(self, inputs: Inputs, labels: Tensor) -> tuple[Inputs, Tensor]:
        """Augmented inputs and their target; draws come from torch's global generator."""

    def plain(self, inputs: Inputs, first: int) -> Inputs:
        """Inputs for scoring; draws, if any, must depend on the examples' positions alone, which start at ``first``."""


class TrainBatches(Sequence[Batch]):
    """Training batches, each a pure function of (seed, step); see `nacbench.contracts.task.LiveTask.train_batches`.

    Args:
        split: the examples.
        preparation: makes a batch of them.
        batch_size: examples a step.
        seed: of the run.
        repeats: how often an example comes side by side in a batch, augmented anew.
        visits: how often an epoch goes through the examples.
    """

    def __init__(
        self, split: Split, preparation: Preparation, batch_size: int, seed: int, repeats: int = 1, visits: int = 1
    ) -> None:
        self._split = split
        self._preparation = preparation
        self._batch_size = batch_size
        self._seed = seed
        self._repeats = repeats
        self._examples = len(split) * visits
        self._steps = steps_per_epoch(self._examples, batch_size)

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> Batch:  # type: ignore[override]
        positions = step_indices(self._examples, self._batch_size, self._seed, step, self._repeats)
        inputs, labels = self._split.take(positions % len(self._split))
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed_for(self._seed, "augment", step))
            inputs, target = self._preparation.train(inputs, labels)
        return Batch(inputs, target)


@dataclass(frozen=True)
class Groups:
    """Kinds of examples whose accuracy the record shall have, too.

    Attributes:
        name: of the input that has each example's kind as a number.
        titles: of the kinds, by number.
    """

    name: str
    titles: Sequence[str]


class Classification:
    """See `nacbench.contracts.task.LiveTask`.

    Args:
        spec: with the classes that were found.
        splits: ``train``, ``test`` and maybe ``validation``.
        recipe: of the training.
        preparation: from stored arrays to the tokenizer's inputs.
        partial: how the data is less than the whole data set.
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

    notes: Sequence[str] = ()
    groups: Groups | None = None

    def train_batches(self, batch_size: int, seed: int) -> Sequence[Batch]:
        return TrainBatches(self.splits["train"], self.preparation, batch_size, seed, self._repeats, self._visits)

    def loss(self, net: nn.Module, batch: Batch) -> Tensor:
        return classification_loss(net(**batch.inputs), batch.target, self._recipe.label_smoothing)

    def evaluate(self, net: nn.Module, split: str, batch_size: int) -> Evaluation:
        evaluation = classification_scores(*score(net, self.splits[split], self.preparation, batch_size))
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
    """Logits N×classes and labels N of a whole split, in its order, on the CPU."""
    device = next(net.parameters()).device
    logits, labels = [], []
    for first in range(0, len(split), batch_size):
        inputs, target = split.take(np.arange(first, min(first + batch_size, len(split))))
        prepared = preparation.plain(inputs, first)
        logits.append(net(**{name: tensor.to(device) for name, tensor in prepared.items()}).cpu())
        labels.append(target)
    return torch.cat(logits), torch.cat(labels)
