"""OOD robustness on CIFAR-10-C, CIFAR-100-C, Tiny-ImageNet-C and ImageNet-C: made anew, or as published.

Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions, arXiv 1903.12261.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, ClassVar, Literal

from nacbench.contracts.recipe import Settings
from nacbench.contracts.task import DataFiles, Metrics, ScoredTask, Task
from nacbench.data.array_task import CLASS_NAMES
from nacbench.data.images.task import ImageTask
from nacbench.errors import UserError
from nacbench.protocols.corrupted import Corrupted, CorruptedTask, Made, digest, error_of, headline, made_name

if TYPE_CHECKING:
    from nacbench.data.images.corruptions.files import CorruptedFiles
    from nacbench.data.live import Split

PAPER = "Hendrycks and Dietterich 2019, arXiv 1903.12261"
MADE = (
    "corruptions were computed from the published definitions, with random numbers of nacbench's own; frost has a made "
    "texture with the statistics of the published photographs, which are not part of nacbench"
)
PUBLISHED = "corrupted images are the published files"
UNPAIRED = "the clean images are of the same classes, but not those that the corrupted ones were made from"
# ImageNet-C: mean error of AlexNet by corruption, over severities. Source: hendrycks/robustness, as quoted in
# google-research/augmix, imagenet.py (ALEXNET_ERR)
ALEXNET: Mapping[str, float] = {
    "gaussian-noise": 0.886428,
    "shot-noise": 0.894468,
    "impulse-noise": 0.922640,
    "defocus-blur": 0.819880,
    "glass-blur": 0.826268,
    "motion-blur": 0.785948,
    "zoom-blur": 0.798360,
    "snow": 0.866816,
    "frost": 0.826572,
    "fog": 0.819324,
    "brightness": 0.564592,
    "contrast": 0.853204,
    "elastic-transform": 0.646056,
    "pixelate": 0.717840,
    "jpeg-compression": 0.606500,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublishedCorruptionsTask(CorruptedTask):
    """Base class of tasks with the published corruptions, for images of 32, 64 or 224 pixels.

    Metrics are those of ``CorruptedTask``. Where AlexNet's errors are published (on ImageNet-C) there is
    ``mce_alexnet`` too, the mean corruption error as published: the mean over corruptions of the error divided by
    AlexNet's. The four extra corruptions are in neither mean.

    Attributes:
        data: ``made`` from the definitions by nacbench, or ``published``: the files of the data set's makers.
        extra: ``scored``: the four extra corruptions are evaluated too; ``left-out``: they are not.
        files: the published files.
        layout: of the files: see `nacbench.data.images.corruptions.files`.
        reference: mean error of AlexNet by corruption; empty where none is published.
    """

    data: Literal["made", "published"] = "made"
    extra: Literal["scored", "left-out"] = "left-out"

    files: ClassVar[DataFiles]
    layout: ClassVar[Literal["arrays", "folders"]]
    reference: ClassVar[Mapping[str, float]] = {}

    def data_files(self) -> Sequence[DataFiles]:
        return (*super().data_files(), *((self.files,) if self.data == "published" else ()))

    def fingerprint(self, data_root: Path) -> str:
        from nacbench.data.images.corruptions.published import VERSION

        trained = self.trained_class()
        corrupted = f"published corruptions {VERSION}"
        if self.data == "published":
            corrupted = self.read(trained, data_root).fingerprint
        return digest(f"{trained.fingerprint(data_root)} {corrupted}")

    def build_on(self, trained: Task, data_root: Path, settings: Settings) -> ScoredTask:
        from nacbench.data.images.corruptions.published import VERSION, corrupt

        assert isinstance(trained, ImageTask)
        test, found = self.opened(trained, data_root)
        if self.data == "made":
            name = f"{made_name(trained, data_root)}-published"
            made = Made(test, trained, corrupt, self.corruption_seed, name, VERSION)
            return Corrupted(test=test, names=self.names(), images=made.split, notes=(MADE,), **found)
        files = self.read(trained, data_root)
        notes = [PUBLISHED]
        if not files.paired and len(test) < len(trained.arrays(data_root).arrays["test_labels"]):
            notes.append(UNPAIRED)

        def images(name: str, severity: int) -> Split:
            return files.split(name, severity, test.indices)

        return Corrupted(test=test, names=self.names(), images=images, notes=notes, **found)

    def read(self, trained: ImageTask, data_root: Path) -> CorruptedFiles:
        """Open the published files, and compare them with the test set.

        Raises:
            UserError: if they are missing, or not those of this test set.
        """
        from nacbench.data.images.corruptions.files import CorruptedArrays, CorruptedFolders

        if reason := self.files.missing(data_root):
            raise UserError(reason)
        arrays = trained.arrays(data_root).arrays
        place = self.files.place(data_root)
        labels = arrays["test_labels"]
        if self.layout == "arrays":
            return CorruptedArrays(self.title, place, self.names(), trained.shape, labels)
        classes = [name.decode() for name in arrays[CLASS_NAMES].tolist()]
        return CorruptedFolders(self.title, place, self.names(), trained.shape, classes, labels)

    def names(self) -> tuple[str, ...]:
        """Return the corruptions that are scored."""
        from nacbench.data.images.corruptions.published import CORRUPTIONS, EXTRA

        return (*CORRUPTIONS, *(EXTRA if self.extra == "scored" else ()))

    def headline(self, metrics: Metrics) -> Mapping[str, float]:
        """Return the metrics of ``CorruptedTask``, ``mce_alexnet`` where it has a reference, and the extra errors."""
        from nacbench.data.images.corruptions.published import CORRUPTIONS

        of_all = headline(metrics, CORRUPTIONS)
        if self.reference:
            of_all["mce_alexnet"] = fmean(of_all[f"error/{name}"] / self.reference[name] for name in CORRUPTIONS)
        return of_all | {f"extra_error/{name}": error_of(metrics, name) for name in self.names()[len(CORRUPTIONS) :]}


def file_names(form: str) -> tuple[str, ...]:
    """Return a path for each of the fifteen corruptions, from a form with ``{}`` for its name as published."""
    return tuple(form.format(name.replace("-", "_")) for name in ALEXNET)
