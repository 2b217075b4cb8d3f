"""OOD robustness on corrupted test images: every corruption at every severity, and mean accuracy.

`CorruptedTask` has the suite's own corruptions, for images of any size; for those of CIFAR-10-C, Tiny-ImageNet-C and so
on see `nacbench.protocols.published_corruptions`.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, ClassVar

from nacbench.contracts.numbers import Limit, Seed
from nacbench.contracts.recipe import Settings
from nacbench.contracts.task import SCALES, Evaluation, Metrics, SameDataTask, ScoredTask, Task
from nacbench.data.images.task import ImageTask
from nacbench.errors import UserError
from nacbench.protocols.shifted import ShiftedTask
from nacbench.protocols.shortages import trained_shortages

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from nacbench.data.live import Preparation, Split, Varied

CLEAN = "clean"
OWN = "the corruptions are nacbench's own: scores compare within the suite, not with published ones"


@dataclasses.dataclass(frozen=True, kw_only=True)
class CorruptedTask(ShiftedTask, SameDataTask):
    """Base class of tasks on corrupted test images; a subclass sets ``trained_on`` and ``trained_class``.

    The main metric is the mean accuracy over all corruptions and severities. Further metrics are the accuracy on the
    same images without corruption, the drop from it, the error of each corruption (its mean over severities), and
    ``mean_error``: the mean of these errors, which is not divided by those of another network. The corruptions are this
    suite's own, for images of any size, so numbers are comparable within the suite, but not with published ones.

    Attributes:
        examples: number of test images, evenly spaced over the test split; 0: all that the training task is
            evaluated on.
        corruption_seed: seed of the corruptions' random numbers.
    """

    modality: ClassVar[str] = "image"
    trained_class: ClassVar[type[ImageTask]]
    recipes = dict.fromkeys(SCALES, Settings(batch_size=128))
    presets = {"smoke": {"examples": 32}, "mini": {"examples": 500}, "paper": {}}

    examples: Limit = 0
    corruption_seed: Seed = 0

    def fingerprint(self, data_root: Path) -> str:
        from nacbench.data.images.corruptions.any_size import VERSION

        return digest(f"{super().fingerprint(data_root)} corruptions {VERSION}")

    def build_on(self, trained: Task, data_root: Path, settings: Settings) -> ScoredTask:
        from nacbench.data.images.corruptions.any_size import CORRUPTIONS, VERSION, corrupt

        assert isinstance(trained, ImageTask)
        test, found = self.opened(trained, data_root)
        made = Made(test, trained, corrupt, self.corruption_seed, f"{made_name(trained, data_root)}-own", VERSION)
        return Corrupted(test=test, names=CORRUPTIONS, images=made.split, notes=(OWN,), **found)

    def opened(self, trained: ImageTask, data_root: Path) -> tuple[Split, dict[str, Any]]:
        """Return the clean test examples, and what `Corrupted` takes of the training task."""
        from nacbench.data.live import Varied

        recipe = trained.recipes["paper"]
        live = trained.build(data_root, recipe)
        test = live.splits["test"]
        partial = trained_shortages(trained, trained.arrays(data_root).arrays)
        # Photographs are cropped before they are corrupted, as those of ImageNet-C were, and not once more after it
        is_cropped = isinstance(test.inputs["images"], Varied)
        as_corrupted = dataclasses.replace(trained, test_resize=0) if is_cropped else trained
        found = {
            "spec": live.spec,
            "preparation": live.preparation,
            "corrupted_preparation": as_corrupted.preparation(recipe, live.spec),
            "partial": partial,
        }
        return test.spread(self.examples) if self.examples else test, found

    def headline(self, metrics: Metrics) -> Mapping[str, float]:
        """Return mean accuracy, clean accuracy, the drop between them, ``mean_error``, and each corruption's error."""
        from nacbench.data.images.corruptions.any_size import CORRUPTIONS

        return headline(metrics, CORRUPTIONS)


def headline(metrics: Metrics, corruptions: Sequence[str]) -> dict[str, float]:
    """Return the metrics of `CorruptedTask` from those of all splits, over some corruptions."""
    clean = metrics[CLEAN]["accuracy"]
    errors = {f"error/{name}": error_of(metrics, name) for name in corruptions}
    mean = fmean(errors.values())
    return {"accuracy": 1 - mean, "clean_accuracy": clean, "drop": clean - (1 - mean), "mean_error": mean, **errors}


def error_of(metrics: Metrics, corruption: str) -> float:
    """Return the mean error under a corruption over severities."""
    from nacbench.data.images.corruptions.portions import SEVERITIES

    return fmean(1 - metrics[f"ood/{corruption}-{severity}"]["accuracy"] for severity in SEVERITIES)


def made_name(trained: ImageTask, data_root: Path) -> str:
    """Return the beginning of the cache's names of corrupted images, unique to the data that they are made from."""
    return f"corrupted-{trained.title}-{trained.fingerprint(data_root)}"


def digest(text: str) -> str:
    """Return the first 16 hexadecimal digits of a SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Corrupted:
    """A `nacbench.contracts.task.ScoredTask` with a split ``clean``, and ``ood/<corruption>-<severity>`` for each pair.

    Args:
        spec: spec of the training task, for the classes that were found.
        preparation: conversion of the training task from clean images to the tokenizer's inputs.
        corrupted_preparation: conversion from corrupted images.
        partial: what is missing of its data set, as sentences.
        test: clean test examples.
        names: of the corruptions.
        images: returns the examples of a corruption and severity.
        notes: caveats for the record.
    """

    def __init__(
        self,
        *,
        spec: Any,
        preparation: Preparation,
        corrupted_preparation: Preparation,
        partial: Sequence[str],
        test: Split,
        names: Sequence[str],
        images: Callable[[str, int], Split],
        notes: Sequence[str] = (),
    ) -> None:
        from nacbench.data.images.corruptions.portions import SEVERITIES

        self.spec = spec
        self.partial = partial
        self.notes = notes
        shifted = {f"ood/{name}-{severity}": (name, severity) for name in names for severity in SEVERITIES}
        self.split_sizes = dict.fromkeys([CLEAN, *shifted], len(test))
        self._shifted = shifted
        self._test = test
        self._preparations = {True: preparation, False: corrupted_preparation}
        self._images = images

    def evaluate(self, net: nn.Module, split: str, batch_size: int) -> Evaluation:
        from nacbench.data.classification import classification_scores
        from nacbench.data.live import score

        return classification_scores(*score(net, self.images(split), self.preparation(split), batch_size))

    def preparation(self, split: str) -> Preparation:
        """Return the conversion from the images of a split to the tokenizer's inputs."""
        return self._preparations[split == CLEAN]

    def images(self, split: str) -> Split:
        """Return the examples of a split.

        Raises:
            UserError: if there is no such split.
        """
        if split == CLEAN:
            return self._test
        if split not in self._shifted:
            raise UserError(f"no split {split!r}; there are: {', '.join(self.split_sizes)}")
        return self._images(*self._shifted[split])


class Made:
    """Corrupted images that are computed: once, and kept in the cache, or on access where images are read on access.

    Args:
        test: clean examples.
        trained: their task.
        corrupt: takes images N×C×H×W, name, severity, N indices and seed; returns images.
        seed: of the corruptions.
        name: prefix of the cache's files, unique to this data and definition.
        version: of the definitions.
    """

    def __init__(
        self, test: Split, trained: ImageTask, corrupt: Callable[..., np.ndarray], seed: int, name: str, version: int
    ) -> None:
        self._test = test
        self._trained = trained
        self._corrupt = corrupt
        self._seed = seed
        self._name = name
        self._version = version

    def split(self, name: str, severity: int) -> Split:
        """Return the corrupted examples."""
        import numpy as np

        from nacbench.data.live import Split
        from nacbench.data.mirror.cache import cached_arrays

        indices, images = self._test.indices, self._test.inputs["images"]
        if not isinstance(images, np.ndarray):  # a whole ImageNet under 75 corruptions would fill the cache
            cropped = Cropped(images, self._trained)
            lazy = CorruptedOnAccess(cropped, lambda some, own: self._corrupt(some, name, severity, own, self._seed))
            return Split({"images": lazy}, self._test.labels, indices)

        def make() -> dict[str, np.ndarray]:
            return {"images": self._corrupt(images[indices], name, severity, indices, self._seed)}

        stamp = f"{hashlib.sha256(indices.tobytes()).hexdigest()} {self._seed} {self._version}"
        corrupted = cached_arrays(f"{self._name}-{name}-{severity}".lower(), stamp, make)
        return Split(corrupted.arrays, self._test.labels[indices])


class Cropped:
    """A lazy array of photographs N×C×H×W that are cropped as their task crops them for scoring."""

    def __init__(self, images: Varied, trained: ImageTask) -> None:
        self._images = images
        _, height, width = trained.shape
        self._size, self._shorter = (height, width), trained.test_resize

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        import torch

        from nacbench.data.images.augment import centre_cropped

        whole = [torch.from_numpy(image) for image in self._images.whole(indices)]
        return centre_cropped(whole, self._size, self._shorter).numpy()


class CorruptedOnAccess:
    """A lazy array of images N×C×H×W that are corrupted when they are indexed; N indices give the same every time."""

    def __init__(self, images: Any, corrupted: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> None:
        self._images = images
        self._corrupted = corrupted

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        return self._corrupted(self._images[indices], indices)
