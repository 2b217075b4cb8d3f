"""NLVR: visual reasoning; whether a sentence is true of a picture of three boxes with coloured shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.contracts.task import DataFiles
from nacbench.data.array_task import ALL_LABELS, differences
from nacbench.data.images.recipe import ImageAugment, ImageRecipe
from nacbench.data.mirror.data_files import LocalFiles
from nacbench.data.sentences.task import SentenceImageTask

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from nacbench.data.mirror.cache import Arrays


@dataclass(frozen=True, kw_only=True)
class Nlvr(SentenceImageTask):
    """A copy without a training split is accepted: nine tenths of the validation sentences are then used for training,
    the rest for validation, and the record says so."""

    title = "NLVR"
    licence = "CC BY 4.0"
    citation = "Suhr et al. 2017, A Corpus of Natural Language for Visual Reasoning, ACL"
    provenance = "lil.nlp.cornell.edu/nlvr, one ordering of each picture, as Parquet"
    full_sizes = {"train": 12_410, "validation": 989, "test": 990}
    shape = (3, 48, 192)
    mean = (0.704, 0.721, 0.705)
    std = (0.219, 0.187, 0.218)
    vocabulary = 256
    max_words = 32
    presets = {
        "smoke": {"stem_width": 16, "position_dim": 16, "patch": 8, "train_examples": 128, "test_examples": 64},
        "mini": {"stem_width": 48, "position_dim": 32, "patch": 4},
        "paper": {},
    }
    recipes = {
        "smoke": ImageRecipe(epochs=1, batch_size=16, lr=2e-3),
        "mini": ImageRecipe(
            epochs=12, batch_size=32, lr=1e-3, warmup_epochs=1, label_smoothing=0.1, ema=0.998, ema_warmup=True
        ),
        "paper": ImageRecipe(
            epochs=200,
            batch_size=128,
            lr=5e-4,
            warmup_epochs=5,
            label_smoothing=0.1,
            ema=0.998,
            ema_warmup=True,
            augment=ImageAugment(crop_padding=2),
        ),
    }
    files = LocalFiles(
        name="nlvr",
        forms="nlvr",
        needs=("validation.parquet", "test.parquet"),
        how="convert its train, dev and test-P pictures to train.parquet, validation.parquet and test.parquet with the "
        "columns identifier, sentence, label (0 or 1) and image",
        url="https://lil.nlp.cornell.edu/nlvr",
        terms="CC BY 4.0",
    )

    def pixels(self, image: Image) -> np.ndarray:
        from nacbench.data.images.reading import resized

        return resized(image, self.shape)

    def data_files(self) -> Sequence[DataFiles]:
        return (self.files,)

    def arrays(self, data_root: Path) -> Arrays:
        from nacbench.data.sentences.nlvr import read_nlvr

        return read_nlvr(self, self.files.require(data_root))

    def shortages(self, arrays: Mapping[str, np.ndarray]) -> list[str]:
        if bool(arrays["has_train_split"]):
            return super().shortages(arrays)
        import numpy as np

        held_out = len(arrays["validation_labels"])
        train = arrays.get(f"train{ALL_LABELS}", arrays["train_labels"])
        whole = {**arrays, "validation_labels": np.concatenate([train, arrays["validation_labels"]])}
        sizes = {split: size for split, size in self.full_sizes.items() if split != "train"}
        trained_on = len(whole["validation_labels"]) - held_out
        own = f"no training split: trained on {trained_on} examples of the validation split"
        return [own, *differences(whole, self.classes, sizes)]
