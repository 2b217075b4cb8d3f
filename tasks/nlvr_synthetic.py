"""Synthetic NLVR: generated boxes with coloured shapes, and sentences true of them or not; needs no network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.data.image_task import ImageRecipe
from nacbench.data.sentence_image_task import SentenceImageTask

if TYPE_CHECKING:
    import numpy as np

    from nacbench.data.cache import Arrays

COUNTS = {"train": 40_000, "validation": 2000, "test": 4000}
SIDE = 24


@dataclass(frozen=True, kw_only=True)
class NlvrSynthetic(SentenceImageTask):
    """Counts, colours and positions. Neither sentence nor image alone tells the answer."""

    title = "Synthetic NLVR"
    licence = "CC0"
    citation = "made by nacbench, after Suhr et al. 2017"
    source = "generated: nacbench.data.scenes"
    shape = (3, SIDE, 3 * SIDE)
    mean = (0.803, 0.808, 0.803)
    std = (0.176, 0.147, 0.176)
    vocabulary = 64
    max_words = 16
    presets = {
        "smoke": {"stem_width": 16, "position_dim": 16, "patch": 4, "train_examples": 128, "test_examples": 64},
        "mini": {"stem_width": 32, "position_dim": 32, "patch": 4},
        "paper": {"patch": 2},
    }
    recipes = {
        "smoke": ImageRecipe(epochs=1, batch_size=16, lr=2e-3),
        "mini": ImageRecipe(epochs=4, batch_size=64, lr=1e-3, warmup_epochs=0.25, ema=0.998),
        "paper": ImageRecipe(epochs=100, batch_size=128, lr=5e-4, warmup_epochs=5, ema=0.9999),
    }

    def arrays(self, data_root: Path) -> Arrays:
        from nacbench.data.cache import cached_arrays

        return cached_arrays("nlvr-synthetic", f"{COUNTS} {SIDE} {self.version}", self._generate)

    def _generate(self) -> dict[str, np.ndarray]:
        from nacbench.data.scenes import generate
        from nacbench.data.sentence_image_task import encode_sentences
        from nacbench.seeds import seed_for

        made = {
            split: generate(count, seed=seed_for("nlvr-synthetic", split), side=SIDE) for split, count in COUNTS.items()
        }
        arrays = {f"{split}_images": examples.images for split, examples in made.items()}
        arrays |= {f"{split}_labels": examples.labels for split, examples in made.items()}
        sentences = {split: examples.sentences for split, examples in made.items()}
        return arrays | encode_sentences(sentences, self.vocabulary, self.max_words)
