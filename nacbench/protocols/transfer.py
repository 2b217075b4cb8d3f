"""Low-shot transfer to another image data set, whose images are resized to those that the network was trained on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from nacbench.contracts.given_arrays import Form, check_arrays, checked_arrays
from nacbench.contracts.task import ScoredTask, Task
from nacbench.data.array_task import differences
from nacbench.data.images.task import ImageTask
from nacbench.errors import UserError
from nacbench.protocols.lowshot import LowShot, LowShotTask
from nacbench.protocols.recipe import AdaptRecipe
from nacbench.protocols.shortages import trained_shortages

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from nacbench.data.live import Inputs, Preparation, Stored
    from nacbench.data.mirror.cache import Arrays


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransferTask(LowShotTask):
    """Base class of low-shot tasks on another data set than the network was trained on.

    Support examples are training images and queries are test images of that data set, in the size and normalisation
    that the network was trained with. The learning rate is chosen on training images only.

    Attributes:
        full_sizes: published number of examples by split, for data sets of which a copy may have fewer or more.
    """

    full_sizes: ClassVar[Mapping[str, int]] = {}

    def arrays(self, data_root: Path) -> Arrays:
        """Return ``train_images`` and ``test_images`` (uint8, N×C×H×W), ``train_labels`` and ``test_labels``."""
        raise UserError(f"{type(self).__name__} must define arrays(data_root)")

    def shortages(self, arrays: Mapping[str, np.ndarray]) -> list[str]:
        """Return what is missing of the data set, as sentences; empty if it is complete."""
        return differences(arrays, self.classes, self.full_sizes)

    def fingerprint(self, data_root: Path) -> str:
        fingerprint: str = checked_arrays(self, self.arrays(data_root)).fingerprint
        return fingerprint

    def build_on(self, trained: Task, data_root: Path, settings: AdaptRecipe) -> ScoredTask:
        from nacbench.data.live import Split
        from nacbench.protocols.episodes import EpisodePool

        assert isinstance(trained, ImageTask)
        arrays = checked_arrays(self, self.arrays(data_root)).arrays
        check_arrays(self, arrays, {"images": Form("u", (None, None, None), size=1)}, Form("iu", (), self.classes))
        train, test = (Split({"images": arrays[f"{s}_images"]}, arrays[f"{s}_labels"]) for s in ("train", "test"))
        options = (self.ways, self.queries, self.episode_seed)
        theirs = trained.arrays(data_root).arrays
        found = trained.found_spec(theirs)
        partial = [*self.shortages(arrays), *trained_shortages(trained, theirs)]
        preparation = Fitted(trained.preparation(trained.recipes["paper"], found), trained.shape)
        scored, search = EpisodePool("scored", train, test, *options), EpisodePool("search", train, train, *options)
        return LowShot(self, settings, found, preparation, scored, search, partial)


class Fitted:
    """A `nacbench.data.live.Preparation` that resizes images for the training task and applies its preparation.

    Args:
        own: preparation of the training task.
        shape: channels, height and width of its images; grey images are repeated to its number of channels.
    """

    def __init__(self, own: Preparation, shape: tuple[int, int, int]) -> None:
        self._own = own
        self._shape = shape

    def train(self, inputs: Stored, labels: Tensor) -> tuple[Inputs, Tensor]:
        return self._own.train(self._fit(inputs), labels)

    def plain(self, inputs: Stored, first: int) -> Inputs:
        return self._own.plain(self._fit(inputs), first)

    def _fit(self, inputs: Stored) -> Stored:
        from torchvision.transforms.v2 import functional

        images = inputs["images"]
        if images.shape[-2:] != self._shape[-2:]:
            images = functional.resize(images, list(self._shape[-2:]), antialias=True)
        return {"images": images.expand(-1, self._shape[0], -1, -1)}
