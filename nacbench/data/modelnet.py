"""ModelNet and data sets in its layout: ``<class>/<split>/*.off``, each mesh sampled to points once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nacbench.data.array_task import CLASS_NAMES
from nacbench.data.cache import Arrays, cached_arrays
from nacbench.data.point_task import PointAugment, PointRecipe, PointTask
from nacbench.errors import UserError
from nacbench.seeds import seed_for
from nacbench.task import DataSource

if TYPE_CHECKING:
    from nacbench.data.source import Archive

STANDARD = PointAugment(scale=0.2, shift=0.1, jitter=0.01)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelNetTask(PointTask):
    """A ModelNet. Points are sampled uniformly from each mesh's surface, once, and brought into the unit ball.

    Objects stand upright and aligned, so training does not turn them. A copy with only some of the classes is taken
    too; the record says so.
    """

    licence = "for academic use; copyright of the models is their makers'"
    citation = "Wu et al. 2015, 3D ShapeNets: A Deep Representation for Volumetric Shapes, arXiv 1406.5670"
    archive: ClassVar[Archive]
    presets = {
        "smoke": {"points": 128, "bands": 8, "highest_frequency": 16.0, "train_examples": 128, "test_examples": 64},
        "mini": {"points": 512, "bands": 16, "highest_frequency": 32.0},
        "paper": {"bands": 64},
    }
    recipes = {
        "smoke": PointRecipe(epochs=1, batch_size=8, lr=2e-3),
        "mini": PointRecipe(
            epochs=10, batch_size=32, lr=1e-3, warmup_epochs=1, label_smoothing=0.1, ema=0.998, augment=STANDARD
        ),
        "paper": PointRecipe(
            epochs=300, batch_size=512, lr=1e-3, warmup_epochs=10, label_smoothing=0.1, ema=0.9999, augment=STANDARD
        ),
    }

    def sources(self) -> Sequence[DataSource]:
        return (self.archive,)

    def arrays(self, data_root: Path) -> Arrays:
        reason = self.missing(data_root)
        if reason:
            raise UserError(reason)
        return mesh_arrays(self.archive.name, self.archive.place(data_root), self.stored)


def mesh_arrays(name: str, folder: Path, points: int) -> Arrays:
    """Arrays of both splits: ``…_points`` (float32, N×points×3, in the unit ball), ``…_labels``; and ``class_names``.

    Args:
        name: of the data set, in the cache; the points' seed.
        folder: with ``<class>/train/*.off`` and ``<class>/test/*.off``.
        points: sampled from each surface.

    Raises:
        UserError: if a class lacks a split, or a mesh is broken; the message names the file.
    """
    files = mesh_files(folder)
    stamp = "\n".join(f"{path} {path.stat().st_size}" for own in files.values() for path, _ in own)
    classes = sorted({path.parent.parent.name for own in files.values() for path, _ in own})

    def sample() -> Mapping[str, np.ndarray]:
        arrays = {CLASS_NAMES: np.array([class_name.encode() for class_name in classes])}
        for split, own in files.items():
            arrays[f"{split}_points"] = np.stack([_cloud(name, folder, path, points) for path, _ in own])
            arrays[f"{split}_labels"] = np.array([label for _, label in own], dtype=np.int16)
        return arrays

    return cached_arrays(f"{name}-{points}", stamp, sample)


def mesh_files(folder: Path) -> dict[str, list[tuple[Path, int]]]:
    """The meshes of each split with the number of their class, sorted by path."""
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    found: dict[str, list[tuple[Path, int]]] = {"train": [], "test": []}
    for label, place in enumerate(classes):
        for split, own in found.items():
            paths = sorted(path for path in (place / split).glob("*.off") if not path.name.startswith("."))
            if not paths:
                raise UserError(f"{place / split} holds no meshes (*.off); fetch the data set again")
            own += [(path, label) for path in paths]
    return found


def _cloud(name: str, folder: Path, path: Path, points: int) -> np.ndarray:
    from nacbench.data.meshes import read_mesh, sample_surface, unit_ball

    vertices, faces = read_mesh(path)
    seed = seed_for(name, str(path.relative_to(folder)))
    try:
        return unit_ball(sample_surface(vertices, faces, points, seed))
    except ValueError as error:
        raise UserError(f"mesh {path}: {error}") from error
