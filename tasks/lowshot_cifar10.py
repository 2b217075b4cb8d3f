"""Low-shot CIFAR-10: a network trained on Tiny-ImageNet, fine-tuned on a few images per class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.contracts.task import DataFiles
from nacbench.protocols.recipe import AdaptRecipe
from nacbench.protocols.transfer import TransferTask
from nacbench.tasks.cifar10 import Cifar10

if TYPE_CHECKING:
    from nacbench.data.mirror.cache import Arrays


@dataclass(frozen=True, kw_only=True)
class LowshotCifar10(TransferTask):
    title = "Low-shot CIFAR-10"
    classes = 10
    licence = Cifar10.licence
    citation = Cifar10.citation
    provenance = f"{Cifar10.provenance}, enlarged to 64×64 pixels"
    trained_on = "tiny-imagenet"
    presets = {
        "smoke": {"shots": (1, 4), "ways": 3, "queries": 4},
        "mini": {"shots": (1, 4, 16)},
        "paper": {"queries": 100},
    }
    recipes = {
        "smoke": AdaptRecipe(batch_size=16, steps=2, rates=(1e-3, 3e-3), more_rates=1, episodes=2, search_episodes=1),
        "mini": AdaptRecipe(batch_size=32, steps=100, rates=(1e-3, 3e-3), episodes=6, search_episodes=2),
        "paper": AdaptRecipe(batch_size=64, steps=200, rates=(3e-4, 1e-3, 3e-3), episodes=100, search_episodes=10),
    }

    def data_files(self) -> Sequence[DataFiles]:
        return (Cifar10.dataset,)

    def arrays(self, data_root: Path) -> Arrays:
        return Cifar10().arrays(data_root)
