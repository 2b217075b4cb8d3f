"""A live image classification task: batches from uint8 arrays, loss and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.transforms import v2

from nacbench.data.augment import augmentation, mixing
from nacbench.data.classification import classification_loss, classification_scores
from nacbench.data.sampling import step_indices, steps_per_epoch
from nacbench.errors import UserError
from nacbench.seeds import seed_for
from nacbench.task import Batch, Evaluation

if TYPE_CHECKING:
    from nacbench.data.image_task import ImageRecipe, ImageTask


class Split:
    """Images and labels, or some of them.

    Args:
        images: uint8, N×channels×height×width.
        labels: N.
        indices: which of them, in order; None: all.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, indices: np.ndarray | None = None) -> None:
        self.images = images
        self.labels = labels
        self.indices = np.arange(len(labels)) if indices is None else indices

    def __len__(self) -> int:
        return len(self.indices)

    def take(self, positions: np.ndarray) -> tuple[Tensor, Tensor]:
        """Images (uint8) and labels (int64) at these positions."""
        indices = self.indices[positions]
        return torch.from_numpy(self.images[indices]), torch.from_numpy(self.labels[indices].astype(np.int64))

    def spread(self, count: int) -> Split:
        """Only so many examples, evenly over the split; all, where there are no more."""
        positions = np.linspace(0, len(self), min(count, len(self)), endpoint=False).astype(np.int64)
        return Split(self.images, self.labels, self.indices[positions])

    def hold_out(self, count: int) -> tuple[Split, Split]:
        """The rest, and so many examples spread evenly over the split.

        Raises:
            UserError: if nothing would be left.
        """
        if count >= len(self):
            raise UserError(f"task.validation_examples = {count}: there are only {len(self)} training examples")
        held = self.spread(count)
        rest = Split(self.images, self.labels, np.setdiff1d(self.indices, held.indices))
        return rest, held


class TrainBatches(Sequence[Batch]):
    """Augmented training batches, each a pure function of (seed, step); see `LiveTask.train_batches`."""

    def __init__(self, task: ImageTask, split: Split, recipe: ImageRecipe, batch_size: int, seed: int) -> None:
        self._split = split
        self._repeats = recipe.augment.repeats
        self._batch_size = batch_size
        self._seed = seed
        self._steps = steps_per_epoch(len(split), batch_size)
        self._augment = augmentation(recipe.augment, task.mean, task.std)
        self._mix = mixing(recipe.augment, task.classes)

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> Batch:  # type: ignore[override]
        images, labels = self._split.take(
            step_indices(len(self._split), self._batch_size, self._seed, step, self._repeats)
        )
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed_for(self._seed, "augment", step))
            images, target = self._mix(self._augment(images), labels)
        return Batch({"image": images}, target)


class ImageClassification:
    """See `nacbench.task.LiveTask`."""

    notes: Sequence[str] = ()

    def __init__(self, task: ImageTask, splits: Mapping[str, Split], recipe: ImageRecipe) -> None:
        self.spec = task.spec()
        self.split_sizes = {name: len(split) for name, split in splits.items()}
        self._task = task
        self._splits = splits
        self._recipe = recipe
        self._plain = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize(task.mean, task.std)])

    def train_batches(self, batch_size: int, seed: int) -> Sequence[Batch]:
        return TrainBatches(self._task, self._splits["train"], self._recipe, batch_size, seed)

    def loss(self, net: nn.Module, batch: Batch) -> Tensor:
        return classification_loss(net(**batch.inputs), batch.target, self._recipe.label_smoothing)

    def evaluate(self, net: nn.Module, split: str, batch_size: int) -> Evaluation:
        device = next(net.parameters()).device
        data = self._splits[split]
        logits, labels = [], []
        for first in range(0, len(data), batch_size):
            images, target = data.take(np.arange(first, min(first + batch_size, len(data))))
            logits.append(net(image=self._plain(images).to(device)).cpu())
            labels.append(target)
        return classification_scores(torch.cat(logits), torch.cat(labels))
