"""GeometricShapes: point-cloud classification, forty 2-D and 3-D shapes with one mesh each for training and test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.contracts.task import DataFiles
from nacbench.data.mirror.packed import PackedFiles
from nacbench.data.points.recipe import PointAugment, PointRecipe
from nacbench.data.points.task import PointTask

if TYPE_CHECKING:
    from nacbench.data.mirror.cache import Arrays


@dataclass(frozen=True, kw_only=True)
class GeometricShapes(PointTask):
    """An epoch repeats the forty training meshes several times, with newly sampled points each time."""

    title = "Geometric shapes"
    classes = 40
    licence = "MIT"
    citation = "Fey and Lenssen 2019, Fast Graph Representation Learning with PyTorch Geometric, arXiv 1903.02428"
    provenance = "torch-geometric's GeometricShapes: github.com/Yannick-S/geometric_shapes"
    full_sizes = {"train": 40, "test": 40}
    stored = 16384
    archive = PackedFiles(
        name="geometric_shapes",
        url="https://github.com/Yannick-S/geometric_shapes/raw/master/raw.zip",
        sha256="fb5e5d132db7f871b415b6d9cb6e0fd258192ccb1aa64a172839146527c082dd",
        inside="raw",
        packed="raw.zip",
        needs=("*/train/*.off", "*/test/*.off"),
        size="0.3 MB",
        terms="MIT",
    )
    presets = {
        "smoke": {"points": 128, "bands": 8, "highest_frequency": 16.0, "visits": 4},
        "mini": {"points": 128, "bands": 16, "highest_frequency": 32.0, "visits": 32},
        "paper": {"points": 2048, "bands": 64, "visits": 256},
    }
    recipes = {
        "smoke": PointRecipe(epochs=1, batch_size=16, lr=2e-3),
        "mini": PointRecipe(
            epochs=20,
            batch_size=32,
            lr=1e-3,
            warmup_epochs=1,
            ema=0.998,
            ema_warmup=True,
            augment=PointAugment(turn=1.0, scale=0.2, shift=0.05, jitter=0.005),
        ),
        "paper": PointRecipe(
            epochs=100,
            batch_size=128,
            lr=5e-4,
            warmup_epochs=5,
            ema=0.998,
            ema_warmup=True,
            augment=PointAugment(turn=1.0, scale=0.2, shift=0.1, jitter=0.01),
        ),
    }

    def data_files(self) -> Sequence[DataFiles]:
        return (self.archive,)

    def arrays(self, data_root: Path) -> Arrays:
        from nacbench.data.points.mesh_files import mesh_arrays

        return mesh_arrays("geometric_shapes", self.archive.require(data_root), self)
