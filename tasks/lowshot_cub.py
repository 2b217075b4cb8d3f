"""Low-shot CUB-200-2011: a network trained on Tiny-ImageNet, fine-tuned on a few images per bird species."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.contracts.numbers import Count
from nacbench.contracts.task import DataFiles
from nacbench.data.mirror.archive import ArchiveFiles
from nacbench.protocols.recipe import AdaptRecipe
from nacbench.protocols.transfer import TransferTask

if TYPE_CHECKING:
    from nacbench.data.mirror.cache import Arrays


@dataclass(frozen=True, kw_only=True)
class LowshotCub(TransferTask):
    """Most classes have 30 training images, so the largest number of shots is 16."""

    title = "Low-shot CUB"
    classes = 200
    licence = "non-commercial research and education"
    citation = "Wah et al. 2011, The Caltech-UCSD Birds-200-2011 Dataset, CNS-TR-2011-001"
    provenance = "data.caltech.edu/records/65de6-vp158, cut and resized to 64×64 pixels"
    trained_on = "tiny-imagenet"
    full_sizes = {"train": 5994, "test": 5794}
    presets = {
        "smoke": {"shots": (1, 2), "ways": 3, "queries": 2},
        "mini": {"ways": 20, "queries": 8},
        "paper": {"ways": 200, "queries": 10},
    }
    recipes = {
        "smoke": AdaptRecipe(batch_size=16, steps=2, rates=(1e-3, 3e-3), more_rates=1, episodes=2, search_episodes=1),
        "mini": AdaptRecipe(batch_size=32, steps=100, rates=(1e-3, 3e-3), episodes=10, search_episodes=3),
        "paper": AdaptRecipe(batch_size=128, steps=400, rates=(3e-4, 1e-3, 3e-3), episodes=20, search_episodes=3),
    }
    archive = ArchiveFiles(
        name="cub-200-2011",
        forms="cub",
        url="https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz?download=1",
        sha256="0c685df5597a8b24909f6a7c9db6d11e008733779a671760afef78feb49bf081",
        inside="CUB_200_2011",
        needs=("images.txt", "image_class_labels.txt", "train_test_split.txt", "images/*/*"),
        size="1.1 GB",
        terms="non-commercial research and education",
    )

    shots: tuple[Count, ...] = (1, 2, 4, 8, 16)

    def data_files(self) -> Sequence[DataFiles]:
        return (self.archive,)

    def arrays(self, data_root: Path) -> Arrays:
        from nacbench.data.images.cub import read_cub

        return read_cub(self.archive.require(data_root), (3, 64, 64))
