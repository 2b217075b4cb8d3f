"""ModelNet40: point-cloud classification, 12,311 meshes of objects in forty classes."""

from dataclasses import dataclass

from nacbench.data.mirror.archive import ArchiveFiles
from nacbench.data.points.modelnet import ModelNetTask


@dataclass(frozen=True, kw_only=True)
class Modelnet40(ModelNetTask):
    title = "ModelNet40"
    classes = 40
    full_sizes = {"train": 9_843, "test": 2_468}
    archive = ArchiveFiles(
        name="modelnet40",
        forms="modelnet40",
        url="https://modelnet.cs.princeton.edu/ModelNet40.zip",
        sha256=None,  # its makers publish none: the first download's is stored and required from then on
        inside="ModelNet40",
        needs=("*/train/*.off", "*/test/*.off"),
        size="2.0 GB",
        terms="research use",
    )
    provenance = "modelnet.cs.princeton.edu"
