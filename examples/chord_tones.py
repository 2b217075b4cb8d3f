"""Example of a multi-label task: which of six tones sound in a short wave, any number of them at once."""

from dataclasses import dataclass
from pathlib import Path

from nacbench import (
    HAMMING_LOSS,
    MACRO_AP,
    SUBSET_ACCURACY,
    Arrays,
    ArrayTask,
    Count,
    Fraction,
    Recipe,
    TaskSpec,
    Tokens,
    cached_arrays,
    raw_numbers,
)

TONES = (3, 5, 7, 11, 13, 17)  # waves within the signal
SAMPLES = 128
PATCHES = 16  # tokens, each of eight samples


@dataclass(frozen=True, kw_only=True)
class ChordTones(ArrayTask):
    """Sums of sines with random phases and noise; a label says whether a tone is among them.

    Attributes:
        width: channels of a token.
        share: probability that a tone sounds.
    """

    title = "Chord tones"
    modality = "wave"
    targets = "labels"
    classes = len(TONES)
    metric = "macro-ap"
    metrics = (MACRO_AP, SUBSET_ACCURACY, HAMMING_LOSS)
    licence = "CC0"
    citation = "made by this file"
    provenance = "generated"
    class_names = tuple(str(tone) for tone in TONES)
    inputs = ("wave",)
    raw_dimensions = 1  # one example is a wave of samples, several are rows of them
    presets = {"smoke": {"width": 16}, "mini": {"width": 64}, "paper": {}}
    recipes = {
        "smoke": Recipe(epochs=3, batch_size=32, lr=3e-3),
        "mini": Recipe(epochs=30, batch_size=32, lr=2e-3, warmup_epochs=2),
        "paper": Recipe(epochs=100, batch_size=32, lr=5e-4, warmup_epochs=5),
    }

    width: Count = 256
    share: Fraction = 0.3

    def spec(self) -> TaskSpec:
        return TaskSpec(
            modality=self.modality,
            targets=self.targets,
            classes=self.classes,
            max_tokens=PATCHES,
            token_dim=self.width,
        )

    def tokenizer(self):
        import torch
        from torch import nn

        class Pieces(nn.Module):
            """Token of a piece of the wave: its samples by a matrix, plus a learned vector for its place."""

            no_weight_decay = ("place",)

            def __init__(self, width):
                super().__init__()
                self.samples = nn.Linear(SAMPLES // PATCHES, width)
                self.place = nn.Parameter(torch.randn(PATCHES, width))

            def forward(self, wave):  # B×samples → B×V×T
                return Tokens(self.samples(wave.unflatten(1, (PATCHES, -1))) + self.place)

        return Pieces(self.width)

    def preparation(self, recipe: Recipe, spec: TaskSpec):
        return AsTheyAre()

    def example(self, raw, known):
        """Return a wave as it is stored, for predictions."""
        return {"wave": raw_numbers(raw, (SAMPLES,), "a wave").astype("float32")}

    def arrays(self, data_root: Path) -> Arrays:
        return cached_arrays("chord-tones", f"version {self.version} {self.share}", lambda: _made(self.share))


class AsTheyAre:
    """Give stored arrays to the tokenizer; implements `nacbench.Preparation`."""

    def train(self, inputs, labels):
        return inputs, labels

    def plain(self, inputs, first):
        return inputs


def _made(share: float):
    import numpy as np

    draw = np.random.default_rng(0)
    time = np.arange(SAMPLES) / SAMPLES
    arrays = {}
    for split, count in (("train", 400), ("validation", 100), ("test", 200)):
        labels = draw.random((count, len(TONES))) < share
        phases = draw.random((count, len(TONES), 1))
        tones = np.sin(2 * np.pi * (np.array(TONES)[:, None] * time + phases))  # count×tones×samples
        wave = (labels[..., None] * tones).sum(1) + 0.3 * draw.standard_normal((count, SAMPLES))
        arrays |= {f"{split}_wave": wave.astype(np.float32), f"{split}_labels": labels.astype(np.uint8)}
    return arrays
