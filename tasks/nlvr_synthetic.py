"""Synthetic NLVR: visual reasoning on generated boxes with coloured shapes and sentences; no download."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.data.images.recipe import ImageRecipe
from nacbench.data.sentences.task import SentenceImageTask

if TYPE_CHECKING:
    import numpy as np

    from nacbench.contracts.recipe import Recipe
    from nacbench.data.live import Classification
    from nacbench.data.mirror.cache import Arrays

COUNTS = {
    "train": 40_320,
    "validation": 2016,
    "test": 4032,
}  # multiples of 48, so that half the sentences of every form are true
SIDE = 24


@dataclass(frozen=True, kw_only=True)
class NlvrSynthetic(SentenceImageTask):
    """Half the sentences state that something exists. Of twelve others, six are about counts, four about positions and
    two about colours; the record has the accuracy on each topic. Neither the sentence nor the image alone determines
    the answer.

    Where fewer training examples are used, the vocabulary is of their sentences.
    """

    title = "Synthetic NLVR"
    licence = "CC0"
    citation = "made by nacbench, after Suhr et al. 2017"
    provenance = "generated: nacbench.data.sentences.scenes"
    inputs = ("images", "sentences", "topics")
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
        "mini": ImageRecipe(epochs=4, batch_size=64, lr=1e-3, warmup_epochs=0.25, ema=0.998, ema_warmup=True),
        "paper": ImageRecipe(epochs=100, batch_size=128, lr=5e-4, warmup_epochs=5, ema=0.999, ema_warmup=True),
    }

    def build(self, data_root: Path, recipe: Recipe) -> Classification:
        from nacbench.data.live import Groups
        from nacbench.data.sentences.scenes import TOPICS

        live = super().build(data_root, recipe)
        live.groups = Groups("topics", TOPICS)
        return live

    def arrays(self, data_root: Path) -> Arrays:
        from nacbench.data.mirror.cache import cached_arrays

        return cached_arrays("nlvr-synthetic", f"{COUNTS} {SIDE} {self.version}{self.use_stamp()}", self._generate)

    def _generate(self) -> dict[str, np.ndarray]:
        import numpy as np

        from nacbench.data.sentences.scenes import TOPIC_OF_FORM, generate_some
        from nacbench.data.sentences.task import encode_sentences
        from nacbench.seeds import seed_for

        arrays: dict[str, np.ndarray] = {}
        sentences = {}
        for split, count in COUNTS.items():
            # Forms are generated in turn, so evenly spaced subsets of unshuffled examples could have only some of them
            order = np.random.default_rng(seed_for("nlvr-synthetic", "order", split)).permutation(count)
            used = order[self.in_use(split, count)].tolist()
            made = generate_some(used, seed=seed_for("nlvr-synthetic", split), side=SIDE)
            arrays |= {f"{split}_images": made.images, f"{split}_labels": made.labels}
            arrays[f"{split}_topics"] = np.array(TOPIC_OF_FORM, dtype=np.int16)[made.forms]
            sentences[split] = made.sentences
        return arrays | encode_sentences(sentences, self.vocabulary, self.max_words)
