"""ImageNet (ILSVRC 2012): image classification, 1.28 million photographs in a thousand classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.contracts.task import SIZES, DataFiles
from nacbench.data.images.recipe import AUTHORS, ImageAugment, ImageRecipe
from nacbench.data.images.task import IMAGENET_MEAN, IMAGENET_STD, ImageTask
from nacbench.data.mirror.data_files import LocalFiles

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from nacbench.data.mirror.cache import Arrays


@dataclass(frozen=True, kw_only=True)
class Imagenet(ImageTask):
    """The test split is the 50,000 validation images, as usual, since the labels of the test images are not public.

    Images are read from their files on demand. Training crops are taken from the whole photograph and resized to
    224×224 pixels; for scoring, it is resized and its centre cropped. A copy with only some of the classes is accepted;
    the record then says so.
    """

    title = "ImageNet"
    classes = 1000
    licence = "non-commercial research and education (image-net.org/download)"
    citation = "Russakovsky et al. 2015, ImageNet Large Scale Visual Recognition Challenge, arXiv 1409.0575"
    provenance = "image-net.org, with an account; train/<class>/*.JPEG and val/<class>/*.JPEG"
    shape = (3, 224, 224)
    full_sizes = {"train": 1_281_167, "test": 50_000}
    mean = IMAGENET_MEAN
    std = IMAGENET_STD
    sizes = {**SIZES, "paper": ("chonker", *SIZES["paper"])}
    presets = {
        "smoke": {"stem_width": 16, "position_dim": 16, "patch": 14, "train_examples": 256, "test_examples": 128},
        "mini": {"stem_width": 48, "position_dim": 32, "patch": 14, "train_examples": 50_000, "test_examples": 5000},
        "paper": {"tokenizer_start": "published", "test_resize": 256},
    }
    recipes = {
        "smoke": ImageRecipe(epochs=1, batch_size=32, lr=2e-3),
        "mini": ImageRecipe(
            epochs=10,
            batch_size=64,
            lr=1.5e-3,
            warmup_epochs=1,
            label_smoothing=0.1,
            ema=0.998,
            ema_warmup=True,
            augment=ImageAugment(resized_crop=0.35, flip=True),
        ),
        "paper": ImageRecipe.of_authors(epochs=110, batch_size=1024, rate=3e-4, ema=0),
    }
    origin = AUTHORS
    files = LocalFiles(
        name="imagenet",
        forms="imagenet",
        needs=("train/*/*", "val/*/*"),
        how="get ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar and ILSVRC2012_devkit_t12.tar.gz with an account",
        url="https://image-net.org/download",
        terms="non-commercial research and education",
    )

    def pixels(self, image: Image) -> np.ndarray:
        from nacbench.data.images.reading import channels_first

        return channels_first(image)  # of any size: scoring resizes and crops

    def data_files(self) -> Sequence[DataFiles]:
        return (self.files,)

    def arrays(self, data_root: Path) -> Arrays:
        from nacbench.data.images.image_files import folder_arrays

        return folder_arrays("imagenet", self.files.require(data_root), {"train": "train", "test": "val"}, self.shape)
