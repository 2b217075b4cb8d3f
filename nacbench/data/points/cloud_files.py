"""Readers of ModelNet as others have sampled it: HDF5 files with 2,048 points of each shape, and text files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from nacbench.data.array_task import CLASS_NAMES
from nacbench.data.mirror.cache import Arrays, cached_arrays
from nacbench.data.mirror.door.clouds import hdf5_clouds, names_in, text_cloud
from nacbench.data.points.meshes import unit_ball
from nacbench.data.points.split_files import read_split
from nacbench.data.points.task import PointTask
from nacbench.data.unreadable import WAY_OUT, UnreadableError, skip_stamp
from nacbench.errors import UserError, shown

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


def text_arrays(name: str, folder: Path, prefix: str, task: PointTask) -> Arrays:
    """Return the same as `hdf5_arrays` from a text file for each shape.

    Args:
        name: of the data set, for the cache.
        folder: has ``<class>/<class>_<number>.txt``, and the lists ``<prefix>_shape_names.txt`` and
            ``<prefix>_<split>.txt``.
        prefix: of the lists, ``modelnet10`` or ``modelnet40``.
        task: says how many of a shape's points are kept (the first ones, as the files have them in random order), and
            which examples are in use; only these are read.

    Raises:
        UserError: if a file is missing or broken, or has fewer points; names the file.
    """

    def read() -> Mapping[str, np.ndarray]:
        names = _listed(folder, f"{prefix}_shape_names.txt")
        arrays = class_array(names)
        for split in SPLITS:
            files = [_file(folder, prefix, shape, names) for shape in _listed(folder, f"{prefix}_{split}.txt")]
            arrays |= read_split(task, f"{name}, {split}", split, files, partial(_first_points, count=task.stored))
        return arrays

    stamp = f"{prefix} {task.stored} points{skip_stamp()}{task.use_stamp()}"
    return cached_arrays(name, stamp, read, folder)


def class_array(names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the array of class names, in the order of their numbers: sorted."""
    return {CLASS_NAMES: np.array([name.encode() for name in sorted(names)])}


def _listed(folder: Path, name: str) -> list[str]:
    return names_in(folder / name, str(folder / name))


def _file(folder: Path, prefix: str, shape: str, names: Sequence[str]) -> tuple[Path, int]:
    """Return a shape's file and label by its name, ``CLASS_NUMBER``."""
    own = shape.rpartition("_")[0]
    if own not in names:
        raise UserError(f"{folder} has the shape {shown(shape)}, whose class is not in {prefix}_shape_names.txt")
    return folder / own / f"{shape}.txt", sorted(names).index(own)


def _first_points(path: Path, count: int) -> np.ndarray:
    try:
        cloud = text_cloud(path, str(path))
        if len(cloud) < count:
            raise UserError(f"{path} has {len(cloud):,} points, and {count:,} are needed")
        return unit_ball(cloud[:count])
    except UserError as error:
        raise UnreadableError(f"{error}; {WAY_OUT}") from error
