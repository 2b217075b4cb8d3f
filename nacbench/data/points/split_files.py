"""Read the files of a split, one for each shape: those in use only, with all granted cores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from nacbench.data.array_task import labels_in_use
from nacbench.data.points.task import PointTask
from nacbench.data.unreadable import left_out, read_all

FEW = 50  # shapes, each of which takes as long as dozens of images


def read_split(
    task: PointTask, what: str, split: str, files: Sequence[tuple[Path, int]], read: Callable[[Path], np.ndarray]
) -> dict[str, np.ndarray]:
    """Return ``<split>_points`` (float32 N×P×3) and ``<split>_labels`` of the shapes in use.

    Args:
        task: says how many points P there are, and which examples are in use; only these are read.
        what: the data set and the split, for the progress bar and errors.
        split: its name.
        files: of all shapes of the split, with their labels.
        read: returns the points of one file, P×3; a function of a module, or a ``functools.partial`` of one.

    Raises:
        UnreadableError: as `nacbench.data.unreadable.read_all`.
    """
    there = task.in_use(split, len(files))
    paths = [files[number][0] for number in there]
    clouds, kept = read_all(read, paths, len(paths), (task.stored, 3), what, FEW)
    labels = np.array([label for _, label in files], dtype=np.int16)
    return {f"{split}_points": clouds} | labels_in_use(split, labels, there, kept) | left_out(split, kept)
