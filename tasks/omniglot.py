"""Omniglot: classification of handwritten characters, 28×28 pixels; trains the network of ``lowshot-omniglot``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.contracts.numbers import Count
from nacbench.contracts.task import DataFiles
from nacbench.data.images.recipe import ImageAugment, ImageRecipe
from nacbench.data.images.task import ImageTask
from nacbench.data.mirror.data_files import LocalFiles

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from nacbench.data.mirror.cache import Arrays


@dataclass(frozen=True, kw_only=True)
class Omniglot(ImageTask):
    """Characters of the training alphabets. Test drawings are by two people who have none in the training split."""

    title = "Omniglot"
    classes = 157
    licence = "MIT"
    citation = "Lake et al. 2015, Human-level concept learning through probabilistic program induction, Science 350"
    provenance = "github.com/brendenlake/omniglot, its two small background sets"
    full_sizes = {"train": 2512, "validation": 314, "test": 314, "search": 520, "novel": 1180}
    example_name = "drawings"
    shape = (1, 28, 28)
    mean = (0.079,)
    std = (0.233,)
    presets = {
        "smoke": {"stem_width": 16, "position_dim": 16, "train_examples": 512},
        "mini": {"stem_width": 32, "position_dim": 32},
        "paper": {},
    }
    recipes = {
        "smoke": ImageRecipe(epochs=1, batch_size=32, lr=2e-3),
        "mini": ImageRecipe(
            epochs=48,
            batch_size=64,
            lr=2e-3,
            warmup_epochs=1,
            label_smoothing=0.1,
            ema=0.998,
            ema_warmup=True,
            augment=ImageAugment(crop_padding=2),
        ),
        "paper": ImageRecipe(
            epochs=300,
            batch_size=128,
            lr=5e-4,
            warmup_epochs=5,
            label_smoothing=0.1,
            ema=0.998,
            ema_warmup=True,
            augment=ImageAugment(crop_padding=2, mixup=0.8, cutmix=1.0),
        ),
    }
    files = LocalFiles(
        name="omniglot",
        forms="omniglot",
        needs=("images_background*",),
        how="get images_background_small1.zip and images_background_small2.zip from its folder 'python'",
        url="https://github.com/brendenlake/omniglot",
        terms="MIT",
    )

    patch: Count = 2

    def pixels(self, image: Image) -> np.ndarray:
        from nacbench.data.images.omniglot import bright_ink

        return bright_ink(image)

    def data_files(self) -> Sequence[DataFiles]:
        return (self.files,)

    def arrays(self, data_root: Path) -> Arrays:
        from nacbench.data.images.omniglot import read_omniglot

        return read_omniglot(self.files.require(data_root))
