"""ModelNet: base class of the tasks ModelNet10 and ModelNet40 (Wu et al. 2015, arXiv 1406.5670)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from nacbench.contracts.recipe import Origin
from nacbench.contracts.task import DataFiles
from nacbench.data.array_task import differences
from nacbench.data.mirror.data_files import FolderFiles, LocalFiles
from nacbench.data.points.recipe import PointAugment, PointRecipe
from nacbench.data.points.task import PointTask
from nacbench.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from nacbench.data.mirror.archive import ArchiveFiles
    from nacbench.data.mirror.cache import Arrays

# Anisotropic scale, shift and jitter as is usual for ModelNet; the paper does not state its augmentation
STANDARD = PointAugment(scale=0.2, shift=0.1, jitter=0.01)

HDF5 = LocalFiles(
    name="modelnet40_ply_hdf5_2048",
    forms="modelnet40_hdf5",
    needs=("ply_data_train*.h5", "ply_data_test*.h5", "shape_names.txt"),
    how="get modelnet40_ply_hdf5_2048.zip",
    url="https://shapenet.cs.stanford.edu/media/modelnet40_ply_hdf5_2048.zip",
    terms="research use",
)
HDF5_POINTS = 2048
HDF5_SIZES = {"train": 9840, "test": 2468}  # three of the training shapes are not in these files
NORMALS = LocalFiles(
    name="modelnet40_normal_resampled",
    forms="modelnet40_normals",
    needs=("modelnet40_shape_names.txt", "modelnet40_train.txt", "modelnet40_test.txt", "*/*_*.txt"),
    how="get modelnet40_normal_resampled.zip",
    url="https://shapenet.cs.stanford.edu/media/modelnet40_normal_resampled.zip",
    terms="research use",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelNetTask(PointTask):
    """Base class of ModelNet tasks: points on each object's surface, in the unit ball.

    Objects are upright and aligned, so training does not rotate them. A copy with only some of the classes is accepted
    and marked as partial in the record.

    Attributes:
        data: ``meshes``: sampled uniformly from each mesh's surface, once; ``hdf5``: the 2,048 points of
            modelnet40_ply_hdf5_2048; ``normals``: the points of modelnet40_normal_resampled, without their normals. The
            scores of the three are not comparable: each has samples, and a few shapes, of its own.
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

    data: Literal["meshes", "hdf5", "normals"] = "meshes"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.data == "hdf5" and self.points > HDF5_POINTS:
            raise ValueError(f"task.points = {self.points}: with task.data = hdf5 there are {HDF5_POINTS} of a shape")

    def stored_points(self) -> int:
        return HDF5_POINTS if self.data == "hdf5" else self.stored

    def files(self) -> FolderFiles:
        """Return the files of the chosen data."""
        return {"meshes": self.archive, "hdf5": HDF5, "normals": NORMALS}[self.data]

    def data_files(self) -> Sequence[DataFiles]:
        return (self.files(),)

    def shortages(self, arrays: Mapping[str, np.ndarray]) -> list[str]:
        sizes = {**self.full_sizes, **(HDF5_SIZES if self.data == "hdf5" else {})}
        return differences(arrays, self.classes, sizes, self.example_name)

    def arrays(self, data_root: Path) -> Arrays:
        from nacbench.data.points.cloud_files import hdf5_arrays, text_arrays
        from nacbench.data.points.mesh_files import mesh_arrays

        folder = self.files().require(data_root)
        if self.data == "hdf5":
            found = hdf5_arrays(HDF5.name, folder)
        elif self.data == "normals":
            found = text_arrays(NORMALS.name, folder, f"modelnet{self.classes}", self)
        else:
            found = mesh_arrays(self.archive.name, folder, self)
        if len(found.arrays["class_names"]) > self.classes:
            raise UserError(
                f"{folder} has {len(found.arrays['class_names'])} classes, {self.title} has "
                f"{self.classes}; remove the folders that are not its own"
            )
        return found
