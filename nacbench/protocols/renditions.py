"""OOD evaluation on renditions (as ImageNet-R): other images of some of the classes, with all other logits masked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nacbench.contracts.task import Evaluation
from nacbench.data.array_task import CLASS_NAMES, amounts
from nacbench.data.unreadable import unreadable_lines
from nacbench.errors import UserError
from nacbench.protocols.shortages import trained_shortages

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nacbench.data.images.task import ImageTask


class Renditions:
    """A `nacbench.contracts.task.ScoredTask` with splits ``clean`` and ``ood/renditions``, both of the shared classes.

    Args:
        trained: task that the network was trained on.
        data_root: mirror of data sets.
        arrays: ``images`` (uint8, N×C×H×W) and ``labels`` (indices into ``shared``) of the renditions, and their
            number in all classes, ``pictures``.
        shared: names of the shared classes; those that the training data lacks are left out.
        pictures: number of renditions of the whole data set, which has more classes.

    Raises:
        UserError: if the training data has none of them.
    """

    def __init__(
        self,
        trained: ImageTask,
        data_root: Path,
        arrays: Mapping[str, np.ndarray],
        shared: Sequence[str],
        pictures: int,
    ) -> None:
        from nacbench.data.live import Split

        own = trained.arrays(data_root).arrays
        live = trained.build(data_root, trained.recipes["paper"])
        position = {name.decode(): number for number, name in enumerate(own[CLASS_NAMES])}
        kept = [name for name in shared if name in position]
        if not kept:
            raise UserError(
                f"none of the {len(shared)} shared classes is among the {len(position)} of the training data"
            )
        logit_of = np.array([position.get(name, -1) for name in shared])
        labels = logit_of[arrays["labels"]]
        test = live.splits["test"]
        shared_logits = np.sort(logit_of[logit_of >= 0])
        self.spec = live.spec
        self._logits = shared_logits
        self._preparation = live.preparation
        self._splits = {
            "clean": test.part(np.flatnonzero(np.isin(test.labels[test.indices], shared_logits))),
            "ood/renditions": Split({"images": arrays["images"]}, labels, np.flatnonzero(labels >= 0)),
        }
        self.split_sizes = {name: len(split) for name, split in self._splits.items()}
        found = [("classes", len(kept), len(shared)), ("renditions of all classes", int(arrays["pictures"]), pictures)]
        differing = [amounts(some, whole, what) for what, some, whole in found if some != whole]
        self.partial = [*differing, *unreadable_lines(arrays), *trained_shortages(trained, own)]

    notes: Sequence[str] = ()

    def evaluate(self, net: nn.Module, split: str, batch_size: int) -> Evaluation:
        from nacbench.data.classification import classification_scores
        from nacbench.data.live import score

        logits, labels = score(net, self._splits[split], self._preparation, batch_size)
        scored = classification_scores(masked(logits, self._logits), labels)
        return dataclasses.replace(scored, details={"options": len(self._logits)})


def masked(logits: Tensor, kept: np.ndarray) -> Tensor:
    """Return logits N×classes with all classes but ``kept`` set to the lowest finite number of half precision.

    Masking keeps the indices of classes, and the number is finite since predictions are stored in half precision.
    """
    import torch

    hidden = torch.ones(logits.shape[1], dtype=torch.bool)
    hidden[torch.from_numpy(kept)] = False
    return logits.float().masked_fill(hidden, torch.finfo(torch.float16).min)
