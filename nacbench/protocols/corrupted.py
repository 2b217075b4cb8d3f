"""Protocol ``ood`` on corrupted images: each corruption at each severity of the test images of the task that trains."""

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
    """An image task's own test images, corrupted; a concrete one names that task and its class.

    The main metric is the mean accuracy over all corruptions and severities. Beside it stand the accuracy on the same
    uncorrupted images, the drop from it, and the mean corruption error (``mce``): the mean over corruptions of the mean
    error over severities, not divided by another network's errors (that is customary where no AlexNet can be had).
    The corruptions are those of Hendrycks and Dietterich 2019 (arXiv 1903.12261), reimplemented: numbers can be
    compared within the suite, not with published ones.

    Attributes:
        examples: test images that are taken, evenly over them; 0: all that the trained task is scored on.
        corruption_seed: of the corruptions' random draws.
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
        """Means over all corruptions and severities, the clean accuracy, the drop from it, and the error of each
        corruption."""
        from nacbench.data.images.corruptions import CORRUPTIONS, SEVERITIES

        clean = metrics[CLEAN]["accuracy"]
        errors = {
            f"error/{name}": fmean(1 - metrics[f"ood/{name}-{severity}"]["accuracy"] for severity in SEVERITIES)
            for name in CORRUPTIONS
        }
        mce = fmean(errors.values())
        return {"accuracy": 1 - mce, "clean_accuracy": clean, "drop": clean - (1 - mce), "mce": mce, **errors}


class Corrupted:
    """See `nacbench.contracts.task.ScoredTask`.

    Args:
        spec: of the task that trains, with the classes that were found.
        test: the clean examples.
        preparation: of the same task.
        partial: how its data is less than the whole data set.
        name: of the corrupted images in the cache: names that data.
        seed: of the corruptions.
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
        """The examples of a split; corrupted ones are made once and kept in the cache."""
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
