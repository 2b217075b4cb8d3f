"""NLVR2: visual reasoning; whether a sentence is true of a pair of photographs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacbench.contracts.task import DataFiles
from nacbench.data.images.recipe import ImageAugment, ImageRecipe
from nacbench.data.mirror.data_files import LocalFiles
from nacbench.data.sentences.task import SentenceImageTask
from nacbench.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from nacbench.data.mirror.cache import Arrays


@dataclass(frozen=True, kw_only=True)
class Nlvr2(SentenceImageTask):
    """The two photographs are placed side by side, each 64×64 pixels. The test split is the public split test1."""

    title = "NLVR2"
    licence = "CC BY 4.0 (sentences); photographs: their owners', by request"
    citation = "Suhr et al. 2019, A Corpus for Reasoning About Natural Language Grounded in Photographs, ACL"
    provenance = "lil.nlp.cornell.edu/nlvr: its JSON files, and the photographs by request"
    full_sizes = {"train": 86_373, "validation": 6982, "test": 6967}
    shape = (3, 64, 128)
    mean = (0.485, 0.456, 0.406)
    std = (0.229, 0.224, 0.225)
    vocabulary = 4096
    max_words = 48
    presets = {
        "smoke": {"stem_width": 16, "position_dim": 16, "patch": 8, "train_examples": 128, "test_examples": 64},
        "mini": {"stem_width": 48, "position_dim": 32, "train_examples": 20_000},
        "paper": {},
    }
    recipes = {
        "smoke": ImageRecipe(epochs=1, batch_size=8, lr=2e-3),
        "mini": ImageRecipe(
            epochs=5, batch_size=64, lr=1e-3, warmup_epochs=0.5, label_smoothing=0.1, ema=0.998, ema_warmup=True
        ),
        "paper": ImageRecipe(
            epochs=100,
            batch_size=256,
            lr=5e-4,
            warmup_epochs=5,
            label_smoothing=0.1,
            ema=0.999,
            ema_warmup=True,
            augment=ImageAugment(crop_padding=4, color_jitter=0.2),
        ),
    }
    files = LocalFiles(
        name="nlvr2",
        forms="nlvr2",
        needs=(
            "data/train.json",
            "data/dev.json",
            "data/test1.json",
            "images/train",
            "images/dev",
            "images/test1",
        ),
        how="take train.json, dev.json and test1.json from its repository into data/, and ask its makers for the "
        "photographs, which go into images/",
        url="https://lil.nlp.cornell.edu/nlvr",
        terms="sentences CC BY 4.0, photographs by request",
    )

    def stored_image(self, raw: Any) -> np.ndarray:
        """Return two photographs, a tuple, as they are stored: side by side."""
        from nacbench.data.images.raw import picture
        from nacbench.data.sentences.nlvr2 import side_by_side

        if not isinstance(raw, tuple) or len(raw) != 2:
            raise UserError(f"an example of {self.title} is ((left, right), sentence), not ({type(raw).__name__}, …)")
        return side_by_side([picture(photograph, self.shape[0]) for photograph in raw], self.shape)

    def data_files(self) -> Sequence[DataFiles]:
        return (self.files,)

    def arrays(self, data_root: Path) -> Arrays:
        from nacbench.data.sentences.nlvr2 import read_nlvr2

        return read_nlvr2(self, self.files.require(data_root))
