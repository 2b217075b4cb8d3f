"""Reader of mesh data sets in ModelNet's layout, ``<class>/<split>/*.off``; meshes are sampled to points, once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from nacbench.data.array_task import CLASS_NAMES
from nacbench.data.mirror.cache import Arrays, cached_arrays
from nacbench.data.points.split_files import read_split
from nacbench.data.points.task import PointTask
from nacbench.data.unreadable import WAY_OUT, UnreadableError, skip_stamp
from nacbench.errors import UserError
from nacbench.seeds import seed_for


def mesh_arrays(name: str, folder: Path, task: PointTask) -> Arrays:
    """Return ``…_points`` (float32 N×P×3 in the unit ball) and ``…_labels`` of both splits, and ``class_names``.

    Args:
        name: of the data set, for the cache and as part of the sampling seeds.
        folder: has ``<class>/train/*.off`` and ``<class>/test/*.off``.
        task: says how many points are sampled from each surface, and which examples are in use; only these are read.

    Raises:
        UserError: if a class lacks a split, or a mesh is broken; names the folder or file.
    """

    def sample() -> Mapping[str, np.ndarray]:
        files = mesh_files(folder)
        classes = sorted({path.parent.parent.name for own in files.values() for path, _ in own})
        arrays = {CLASS_NAMES: np.array([class_name.encode() for class_name in classes])}
        for split, own in files.items():
            read = partial(_cloud, name=name, folder=folder, points=task.stored)
            arrays |= read_split(task, f"{name}, {split}", split, own, read)
        return arrays

    return cached_arrays(name, f"{name} {task.stored} points{skip_stamp()}{task.use_stamp()}", sample, folder)


def mesh_files(folder: Path) -> dict[str, list[tuple[Path, int]]]:
    """List the meshes of each split with their class numbers, sorted by path."""
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    found: dict[str, list[tuple[Path, int]]] = {"train": [], "test": []}
    for label, place in enumerate(classes):
        for split, own in found.items():
            paths = sorted(path for path in (place / split).glob("*.off") if not path.name.startswith("."))
            if not paths:
                raise UserError(f"{place / split} holds no meshes (*.off); delete {folder} and fetch it again")
            own += [(path, label) for path in paths]
    return found


def _cloud(path: Path, name: str, folder: Path, points: int) -> np.ndarray:
    from nacbench.data.points.meshes import read_mesh, sample_surface, unit_ball

    try:
        vertices, faces = read_mesh(path)
        # A seed per file: its points do not depend on which other meshes are there
        seed = seed_for(name, str(path.relative_to(folder)))
        return unit_ball(sample_surface(vertices, faces, points, seed))
    except UserError as error:
        raise UnreadableError(f"{error}; {WAY_OUT}") from error
    except ValueError as error:
        raise UnreadableError(f"mesh {path}: {error}; {WAY_OUT}") from error
