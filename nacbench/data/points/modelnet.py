"""ModelNet: base class of the tasks ModelNet10 and ModelNet40 (Wu et al. 2015, arXiv 1406.5670)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from nacbench.contracts.recipe import Origin
from nacbench.contracts.task import DataFiles
from nacbench.data.points.recipe import PointAugment, PointRecipe
from nacbench.data.points.task import PointTask
from nacbench.errors import UserError

if TYPE_CHECKING:
    from nacbench.data.mirror.archive import ArchiveFiles
    from nacbench.data.mirror.cache import Arrays

# Anisotropic scale, shift and jitter as is usual for ModelNet; the paper does not state its augmentation
STANDARD = PointAugment(scale=0.2, shift=0.1, jitter=0.01)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelNetTask(PointTask):
    """Base class of ModelNet tasks: points sampled uniformly from each mesh's surface, once, in the unit ball.

    Objects are upright and aligned, so training does not rotate them. A copy with only some of the classes is accepted
    and marked as partial in the record.
    """

    licence = "for academic use; copyright of the models is their makers'"
    citation = "Wu et al. 2015, 3D ShapeNets: A Deep Representation for Volumetric Shapes, arXiv 1406.5670"
    archive: ClassVar[ArchiveFiles]
    presets = {
        "smoke": {"points": 128, "bands": 8, "highest_frequency": 16.0, "train_examples": 128, "test_examples": 64},
        "mini": {"points": 512, "bands": 16, "highest_frequency": 32.0},
        "paper": {"bands": 64},
    }
    recipes = {
        "smoke": PointRecipe(epochs=1, batch_size=8, lr=2e-3),
        "mini": PointRecipe(
            epochs=10,
            batch_size=32,
            lr=1e-3,
            warmup_epochs=1,
            label_smoothing=0.1,
            ema=0.998,
            ema_warmup=True,
            augment=STANDARD,
        ),
        "paper": PointRecipe(
            epochs=250,
            batch_size=32,
            lr=5e-4,
            warmup_epochs=10,
            label_smoothing=0.2,
            augment=PointAugment(scale=0.33, shift=0.2),
        ),
    }
    origin = Origin(
        "ours",
        "epochs, batch, label smoothing, scale and shift of Guo et al. 2021, arXiv 2012.09688 (PCT), which scales by "
        "2/3 to 3/2; AdamW in place of SGD",
    )

    def data_files(self) -> Sequence[DataFiles]:
        return (self.archive,)

    def arrays(self, data_root: Path) -> Arrays:
        from nacbench.data.points.mesh_files import mesh_arrays

        folder = self.archive.require(data_root)
        found = mesh_arrays(self.archive.name, folder, self)
        if len(found.arrays["class_names"]) > self.classes:
            raise UserError(
                f"{folder} has {len(found.arrays['class_names'])} classes, {self.title} has "
                f"{self.classes}; remove the folders that are not its own"
            )
        return found
