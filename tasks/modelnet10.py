"""ModelNet10: point-cloud classification, 4,899 meshes of objects in ten classes."""

from dataclasses import dataclass
from typing import Literal

from nacbench.data.mirror.archive import ArchiveFiles
from nacbench.data.points.modelnet import ModelNetTask


@dataclass(frozen=True, kw_only=True)
class Modelnet10(ModelNetTask):
    title = "ModelNet10"
    classes = 10
    full_sizes = {"train": 3_991, "test": 908}
    archive = ArchiveFiles(
        name="modelnet10",
        forms="modelnet10",
        url="http://vision.princeton.edu/projects/2014/3DShapeNets/ModelNet10.zip",
        sha256=None,  # its makers publish none: the first download's is stored and required from then on
        inside="ModelNet10",
        needs=("*/train/*.off", "*/test/*.off"),
        size="0.5 GB",
        terms="research use",
    )
    provenance = "vision.princeton.edu/projects/2014/3DShapeNets"

    data: Literal["meshes", "normals"] = "meshes"
