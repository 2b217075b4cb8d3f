"""OOD robustness on corrupted test images (as CIFAR-10-C): every corruption at every severity, and mean accuracy.

Corruptions and severities follow Hendrycks and Dietterich 2019 (arXiv 1903.12261).
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from nacbench.contracts.recipe import Settings
from nacbench.contracts.task import SCALES, Evaluation, Metrics, SameDataTask, ScoredTask, Task
from nacbench.data.images.task import ImageTask
from nacbench.errors import UserError
from nacbench.protocols.shifted import ShiftedTask
from nacbench.protocols.shortages import trained_shortages

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from nacbench.data.live import Preparation, Split

CLEAN = "clean"


@dataclasses.dataclass(frozen=True, kw_only=True)
class CorruptedTask(ShiftedTask, SameDataTask):
    """Base class of tasks on corrupted test images; a subclass sets ``trained_on`` and ``trained_class``.

    The main metric is the mean accuracy over all corruptions and severities. Further metrics are the accuracy on the
    same images without corruption, the drop from it, and the mean corruption error (``mce``): the mean over corruptions
    of the mean error over severities. It is not divided by the errors of AlexNet, as there is none for these image
    sizes. The corruptions of Hendrycks and Dietterich 2019 (arXiv 1903.12261) are reimplemented, so numbers are
    comparable within the suite, but not with published ones.

    Attributes:
        examples: number of test images, evenly spaced over the test split; 0: all that the training task is
            evaluated on.
        corruption_seed: seed of the corruptions' random numbers.
    """

    modality: ClassVar[str] = "image"
    trained_class: ClassVar[type[ImageTask]]
    recipes = dict.fromkeys(SCALES, Settings(batch_size=128))
    presets = {"smoke": {"examples": 32}, "mini": {"examples": 500}, "paper": {}}

    examples: Annotated[int, Field(ge=0, strict=True)] = 0
    corruption_seed: Annotated[int, Field(ge=0, strict=True)] = 0

    def fingerprint(self, data_root: Path) -> str:
        from nacbench.data.images.corruptions import VERSION

        clean = super().fingerprint(data_root)
        return hashlib.sha256(f"{clean} corruptions {VERSION}".encode()).hexdigest()[:16]

    def build_on(self, trained: Task, data_root: Path, settings: Settings) -> ScoredTask:
        assert isinstance(trained, ImageTask)
        arrays = trained.arrays(data_root).arrays
        live = trained.build(data_root, trained.recipes["paper"])
        test = live.splits["test"]
        test = test.spread(self.examples) if self.examples else test
        name = f"corrupted-{trained.title}-{trained.fingerprint(data_root)}"
        partial = trained_shortages(trained, arrays)
        return Corrupted(live.spec, test, live.preparation, partial, name, self.corruption_seed)

    def headline(self, metrics: Metrics) -> Mapping[str, float]:
        """Return mean accuracy, clean accuracy, the drop between them, ``mce``, and the error of each corruption."""
        from nacbench.data.images.corruptions import CORRUPTIONS, SEVERITIES

        clean = metrics[CLEAN]["accuracy"]
        errors = {
            f"error/{name}": fmean(1 - metrics[f"ood/{name}-{severity}"]["accuracy"] for severity in SEVERITIES)
            for name in CORRUPTIONS
        }
        mce = fmean(errors.values())
        return {"accuracy": 1 - mce, "clean_accuracy": clean, "drop": clean - (1 - mce), "mce": mce, **errors}


class Corrupted:
    """A `nacbench.contracts.task.ScoredTask` with a split ``clean``, and ``ood/<corruption>-<severity>`` for each pair.

    Args:
        spec: spec of the training task, for the classes that were found.
        test: clean test examples.
        preparation: conversion of the training task from images to the tokenizer's inputs.
        partial: what is missing of its data set, as sentences.
        name: prefix of the cache's files of corrupted images, unique to this data.
        seed: seed of the corruptions.
    """

    def __init__(
        self, spec: Any, test: Split, preparation: Preparation, partial: Sequence[str], name: str, seed: int
    ) -> None:
        from nacbench.data.images.corruptions import CORRUPTIONS, SEVERITIES

        self.spec = spec
        self.partial = partial
        names = [CLEAN, *(f"ood/{name}-{severity}" for name in CORRUPTIONS for severity in SEVERITIES)]
        self.split_sizes = dict.fromkeys(names, len(test))
        self._test = test
        self._preparation = preparation
        self._name = name
        self._seed = seed

    notes: Sequence[str] = ()

    def evaluate(self, net: nn.Module, split: str, batch_size: int) -> Evaluation:
        from nacbench.data.classification import classification_scores
        from nacbench.data.live import score

        return classification_scores(*score(net, self.images(split), self._preparation, batch_size))

    def images(self, split: str) -> Split:
        """Return the examples of a split. Corrupted images are computed once and cached.

        Raises:
            UserError: if there is no such split.
        """
        if split == CLEAN:
            return self._test
        if split not in self.split_sizes:
            raise UserError(f"no split {split!r}; there are: {', '.join(self.split_sizes)}")
        from nacbench.data.images.corruptions import VERSION, corrupt
        from nacbench.data.live import Split
        from nacbench.data.mirror.cache import cached_arrays

        name, _, severity = split.removeprefix("ood/").rpartition("-")
        indices = self._test.indices

        def make() -> dict[str, np.ndarray]:
            clean = self._test.inputs["images"][indices]
            return {"images": corrupt(clean, name, int(severity), indices, self._seed)}

        stamp = f"{hashlib.sha256(indices.tobytes()).hexdigest()} {self._seed} {VERSION}"
        corrupted = cached_arrays(f"{self._name}-{name}-{severity}".lower(), stamp, make)
        return Split(corrupted.arrays, self._test.labels[indices])
