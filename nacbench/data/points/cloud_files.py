"""Readers of ModelNet as others have sampled it: HDF5 files with 2,048 points of each shape, and text files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from nacbench.data.array_task import CLASS_NAMES
from nacbench.data.mirror.cache import Arrays, cached_arrays
from nacbench.data.mirror.clouds import hdf5_clouds, names_in, text_cloud
from nacbench.data.points.meshes import unit_ball
from nacbench.errors import UserError

SPLITS = ("train", "test")


def hdf5_arrays(name: str, folder: Path) -> Arrays:
    """Return ``…_points`` (float32 N×P×3 in the unit ball) and ``…_labels`` of both splits, and ``class_names``.

    Shapes are in the order of the files' names. The order of points is that of the files, where it is random.

    Args:
        name: of the data set, for the cache.
        folder: has ``ply_data_<split>*.h5`` and ``shape_names.txt``, whose lines are the classes by their numbers.

    Raises:
        UserError: if a file is broken, or a label has no name; names the file.
    """

    def read() -> Mapping[str, np.ndarray]:
        names = names_in(folder / "shape_names.txt", str(folder / "shape_names.txt"))
        arrays = class_array(names)
        for split in SPLITS:
            files = sorted(folder.glob(f"ply_data_{split}*.h5"))
            found = [hdf5_clouds(file, str(file)) for file in files]
            for file, (_, labels) in zip(files, found, strict=True):
                if not 0 <= labels.min() <= labels.max() < len(names):
                    raise UserError(f"{file} has the label {labels.max()}, and only {len(names)} classes have a name")
            order = np.argsort(np.argsort(names))  # numbers of classes by their names, as in all other forms
            arrays[f"{split}_points"] = unit_ball(np.concatenate([points for points, _ in found]))
            arrays[f"{split}_labels"] = order[np.concatenate([labels for _, labels in found])].astype(np.int16)
        return arrays

    return cached_arrays(name, "", read, folder)


def text_arrays(name: str, folder: Path, prefix: str, points: int) -> Arrays:
    """Return the same as `hdf5_arrays` from a text file for each shape.

    Args:
        name: of the data set, for the cache.
        folder: has ``<class>/<class>_<number>.txt``, and the lists ``<prefix>_shape_names.txt`` and
            ``<prefix>_<split>.txt``.
        prefix: of the lists, ``modelnet10`` or ``modelnet40``.
        points: how many of a shape's points are kept: the first ones, as the files have them in random order.

    Raises:
        UserError: if a file is missing or broken, or has fewer points; names the file.
    """

    def read() -> Mapping[str, np.ndarray]:
        names = _listed(folder, f"{prefix}_shape_names.txt")
        arrays = class_array(names)
        position = {own: number for number, own in enumerate(sorted(names))}
        for split in SPLITS:
            shapes = _listed(folder, f"{prefix}_{split}.txt")
            classes = [shape.rpartition("_")[0] for shape in shapes]
            strange = next((own for own in classes if own not in position), None)
            if strange is not None:
                raise UserError(f"{folder / prefix}_{split}.txt has the class {strange!r}, which has no name")
            files = [folder / own / f"{shape}.txt" for own, shape in zip(classes, shapes, strict=True)]
            arrays[f"{split}_points"] = np.stack(list(_first_points(files, points)))
            arrays[f"{split}_labels"] = np.array([position[own] for own in classes], dtype=np.int16)
        return arrays

    return cached_arrays(name, f"{prefix} {points} points", read, folder)


def class_array(names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the array of class names, in the order of their numbers: sorted."""
    return {CLASS_NAMES: np.array([name.encode() for name in sorted(names)])}


def _listed(folder: Path, name: str) -> list[str]:
    return names_in(folder / name, str(folder / name))


def _first_points(files: Iterable[Path], count: int) -> Iterable[np.ndarray]:
    for file in files:
        cloud = text_cloud(file, str(file))
        if len(cloud) < count:
            raise UserError(f"{file} has {len(cloud):,} points, and {count:,} are needed; copy it again")
        yield unit_ball(cloud[:count])
