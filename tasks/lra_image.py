"""CIFAR-10 as a sequence of 1,024 grey pixels, as in Long Range Arena (arXiv 2011.04006)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.contracts.numbers import Limit
from nacbench.contracts.recipe import Origin, Recipe
from nacbench.contracts.task import DataFiles
from nacbench.data.sequences.pixels import PixelTask
from nacbench.tasks.cifar10 import Cifar10

if TYPE_CHECKING:
    from nacbench.data.mirror.cache import Arrays


@dataclass(frozen=True, kw_only=True)
class LraImage(PixelTask):
    """Models see no rows and columns, only a sequence. As in Long Range Arena a tenth of training validates."""

    title = "LRA Image"
    classes = 10
    class_names = Cifar10.class_names
    channels = 3
    licence = Cifar10.licence
    citation = (
        "Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images; Tay et al. 2021, arXiv 2011.04006"
    )
    provenance = Cifar10.provenance
    full_sizes = {"train": 50_000, "test": 10_000}
    presets = {
        "smoke": {"width": 16, "position_dim": 16, "stride": 16, "validation_examples": 20, "train_examples": 128}
        | {"test_examples": 64},
        "mini": {"width": 32, "position_dim": 32, "stride": 4},
        "paper": {},
    }
    recipes = {
        "smoke": Recipe(epochs=1, batch_size=16, lr=2e-3),
        "mini": Recipe(epochs=3, batch_size=64, lr=1e-3, warmup_epochs=0.25, ema=0.998, ema_warmup=True),
        "paper": Recipe(
            epochs=200, batch_size=50, lr=5e-4, lr_start=0, lr_end=0, warmup_epochs=20, selection="best-validation"
        ),
    }
    origin = Origin(
        "ours",
        "epochs, batch, decay and schedule of state-spaces/s4 (configs/experiment/lra/s4-cifar), not its rate of 0.01",
    )

    validation_examples: Limit = 5000

    def data_files(self) -> Sequence[DataFiles]:
        return (Cifar10.dataset,)

    def arrays(self, data_root: Path) -> Arrays:
        from nacbench.data.mirror.cache import cached_arrays
        from nacbench.data.sequences.pixels import grey

        images = Cifar10().arrays(data_root)
        return cached_arrays(
            "lra-image",
            images.fingerprint,
            lambda: {
                name.replace("_images", "_symbols"): grey(array) if name.endswith("_images") else array
                for name, array in images.arrays.items()
            },
        )
