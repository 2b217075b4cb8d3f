"""Low-shot tasks whose images come from another data set than the source's: brought to the source's size."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.contracts.task import ScoredTask, Task
from nacbench.data.images.task import ImageTask
from nacbench.protocols.lowshot import LowShot, LowShotTask
from nacbench.protocols.recipe import AdaptRecipe
from nacbench.protocols.shortages import trained_shortages

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from nacbench.data.live import Inputs, Preparation
    from nacbench.data.mirror.cache import Arrays


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransferTask(LowShotTask):
    """Support from the training images of a data set, queries from its test images, in the source's size and
    normalisation. The learning rate is searched on training images alone.
    """

    def arrays(self, data_root: Path) -> Arrays:
        """``train_images`` (uint8, N×C×H×W), ``train_labels``, ``test_images``, ``test_labels``."""
        raise TypeError(f"{type(self).__name__} must define arrays(data_root)")

    def shortages(self, arrays: Mapping[str, np.ndarray]) -> list[str]:
        """How the data that was found is less than the whole data set."""
        import numpy as np

        found = len(np.unique(arrays["train_labels"]))
        return [f"{found} of {self.classes} classes"] if found < self.classes else []

    def fingerprint(self, data_root: Path) -> str:
        return self.arrays(data_root).fingerprint

    def build_on(self, source: Task, data_root: Path, settings: AdaptRecipe) -> ScoredTask:
        from nacbench.data.live import Split
        from nacbench.protocols.episodes import EpisodePool

        assert isinstance(source, ImageTask)
        arrays = self.arrays(data_root).arrays
        train, test = (Split({"images": arrays[f"{s}_images"]}, arrays[f"{s}_labels"]) for s in ("train", "test"))
        options = (self.ways, self.queries, self.episode_seed)
        theirs = source.arrays(data_root).arrays
        found = source.found_spec(theirs)
        partial = [*self.shortages(arrays), *trained_shortages(source, theirs)]
        preparation = Fitted(source.preparation(source.recipes["paper"], found), source.shape)
        scored, search = EpisodePool("scored", train, test, *options), EpisodePool("search", train, train, *options)
        return LowShot(self, settings, found, preparation, scored, search, partial)


class Fitted:
    """See `nacbench.data.live.Preparation`: images in the source's size and colours, then as the source has them.

    Args:
        source: the source's own preparation.
        shape: channels, height and width of the source's images.
    """

    def __init__(self, source: Preparation, shape: tuple[int, int, int]) -> None:
        self._source = source
        self._shape = shape

    def train(self, inputs: Inputs, labels: Tensor) -> tuple[Inputs, Tensor]:
        return self._source.train(self._fit(inputs), labels)

    def plain(self, inputs: Inputs, first: int) -> Inputs:
        return self._source.plain(self._fit(inputs), first)

    def _fit(self, inputs: Inputs) -> Inputs:
        from torchvision.transforms.v2 import functional

        images = inputs["images"]
        if images.shape[-2:] != self._shape[-2:]:
            images = functional.resize(images, list(self._shape[-2:]), antialias=True)
        return {"images": images.expand(-1, self._shape[0], -1, -1)}
