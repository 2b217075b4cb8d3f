"""Pathfinder of Long Range Arena (arXiv 2011.04006): whether a dashed curve joins two dots, from 1,024 grey pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nacbench.contracts.recipe import Origin, Recipe
from nacbench.contracts.task import DataFiles
from nacbench.data.array_task import differences
from nacbench.data.mirror.data_files import LocalFiles
from nacbench.data.sequences.pixels import PixelTask

if TYPE_CHECKING:
    import numpy as np

    from nacbench.data.mirror.cache import Arrays

FOLDERS = {"easy": "curv_baseline", "intermediate": "curv_contour_length_9", "hard": "curv_contour_length_14"}
IMAGES = {"easy": 199_999, "intermediate": 200_000, "hard": 200_000}  # one of the easy ones has an empty file


@dataclass(frozen=True, kw_only=True)
class LraPathfinder(PixelTask):
    """Images of 32×32 pixels. 80 % train, 10 % validate and 10 % test, drawn once.

    Attributes:
        difficulty: which curves; Long Range Arena reports ``hard``, of 14 dashes.
    """

    title = "LRA Pathfinder"
    classes = 2
    class_names = ("not joined", "joined")
    licence = "Apache-2.0 (Long Range Arena)"
    citation = "Linsley et al. 2018, arXiv 1805.08315; Tay et al. 2021, Long Range Arena, arXiv 2011.04006"
    provenance = "the folder pathfinder32 of Long Range Arena's release"
    presets = {
        "smoke": {
            "width": 16,
            "position_dim": 16,
            "stride": 16,
            "train_examples": 128,
            "test_examples": 64,
        },
        "mini": {"width": 32, "position_dim": 32, "stride": 4},
        "paper": {},
    }
    recipes = {
        "smoke": Recipe(epochs=1, batch_size=16, lr=2e-3),
        "mini": Recipe(epochs=1, batch_size=64, lr=1e-3, warmup_epochs=0.1, ema=0.998, ema_warmup=True),
        "paper": Recipe(
            epochs=200, batch_size=64, lr=5e-4, lr_start=0, lr_end=0, warmup_epochs=20, selection="best-validation"
        ),
    }
    origin = Origin(
        "ours",
        "epochs, batch, decay and schedule of state-spaces/s4 (configs/experiment/lra/s4-pathfinder), not its rate",
    )

    difficulty: Literal["easy", "intermediate", "hard"] = "hard"

    def data_files(self) -> Sequence[DataFiles]:
        folder = FOLDERS[self.difficulty]
        return (
            LocalFiles(
                name="pathfinder32",
                forms="pathfinder",
                needs=(f"{folder}/metadata/*.npy", f"{folder}/imgs/*/*.png"),
                how="unpack lra_release.gz and take its folder pathfinder32",
                url="https://github.com/google-research/long-range-arena",
                terms="Apache-2.0",
            ),
        )

    def arrays(self, data_root: Path) -> Arrays:
        from nacbench.data.sequences.pathfinder import read_pathfinder

        (files,) = self.data_files()
        assert isinstance(files, LocalFiles)
        return read_pathfinder(files.require(data_root) / FOLDERS[self.difficulty], self)

    def shortages(self, arrays: Mapping[str, np.ndarray]) -> list[str]:
        from nacbench.data.sequences.pathfinder import split_sizes

        return differences(arrays, self.classes, split_sizes(IMAGES[self.difficulty]), self.example_name)
