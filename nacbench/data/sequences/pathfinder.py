"""Reader of Long Range Arena's Pathfinder: images of dashed curves, and lists with their labels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nacbench.data.array_task import ALL_LABELS, ArrayTask
from nacbench.data.images.reading import exact, file_content
from nacbench.data.mirror.cache import Arrays, cached_arrays
from nacbench.data.unreadable import left_out, read_all, skip_stamp
from nacbench.errors import UserError, shown
from nacbench.formats.reading import read_text
from nacbench.seeds import seed_for

SIDE = 32
LINE = re.compile(r"(imgs/\d{1,6}) (sample_\d{1,9}\.png) \d+ ([01])( .*)?")  # folder, file, number, label, settings


def read_pathfinder(folder: Path, task: ArrayTask) -> Arrays:
    """Return ``…_symbols`` (grey values, uint8 N×1024) and ``…_labels`` of train, validation and test.

    Images are in the order of the lists, then shuffled once, and cut 80 : 10 : 10. Long Range Arena cuts in the same
    proportions, in the order of a TensorFlow data set that hangs on its version, so that no two codes have the same
    split. Images whose file is empty are left out, as there (one of 200,000, in ``curv_baseline``).

    Args:
        folder: has ``metadata/*.npy``, which are text, and ``imgs``.
        task: says which examples are in use; only these are read.

    Raises:
        UserError: if a list or an image is missing or broken; names the file and the line.
    """
    return cached_arrays(
        "pathfinder", f"{folder.name}{skip_stamp()}{task.use_stamp()}", lambda: _read(folder, task), folder
    )


def split_sizes(count: int) -> dict[str, int]:
    """Return how many of all images each split has."""
    tenth = count // 10
    return {"train": count - 2 * tenth, "validation": tenth, "test": tenth}


def _read(folder: Path, task: ArrayTask) -> Mapping[str, np.ndarray]:
    listed = [image for image in _listed(folder) if not _is_empty(image[0])]
    order = np.random.default_rng(seed_for("pathfinder", "split")).permutation(len(listed))
    arrays: dict[str, np.ndarray] = {}
    for split, size in split_sizes(len(listed)).items():
        own, order = order[:size], order[size:]
        labels = np.array([listed[place][1] for place in own], dtype=np.int16)
        used = task.in_use(split, len(own))
        paths = [listed[place][0] for place in own[used]]
        images, kept = read_all(_pixels, paths, len(paths), (SIDE * SIDE,), f"Pathfinder, {split}")
        arrays |= {f"{split}_symbols": images, f"{split}_labels": labels[used][kept]} | left_out(split, kept)
        if len(used) < len(own):
            arrays[f"{split}{ALL_LABELS}"] = labels
    return arrays


def _listed(folder: Path) -> list[tuple[Path, int]]:
    """Return path and label of every image, in the order of the lists by number, and of their lines.

    An image that is listed again counts once: otherwise it could be in training and test.
    """
    lists = sorted((folder / "metadata").glob("*.npy"), key=lambda path: (len(path.stem), path.stem))
    found: dict[Path, int] = {}
    for file in lists:
        for number, line in enumerate(read_text(file).splitlines(), start=1):
            parts = LINE.fullmatch(line)
            if parts is None:
                raise UserError(f"{file}, line {number}: {shown(line)} is not 'imgs/<n> sample_<n>.png <n> <0 or 1> …'")
            path, label = folder / parts[1] / parts[2], int(parts[3])
            if found.setdefault(path, label) != label:
                raise UserError(f"{file}, line {number}: {path.name} has the label {label} here and another before")
    if len(found) < 10:
        raise UserError(f"{folder / 'metadata'} lists {len(found)} images; get {folder} again")
    return list(found.items())


def _is_empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except OSError:
        return False  # reading it says what is wrong


def _pixels(path: Path) -> np.ndarray:
    return exact(file_content(path), (1, SIDE, SIDE), str(path)).ravel()  # as PixelTask.pixels
