"""Reader of CUB-200-2011: its text lists and photographs (Wah et al. 2011)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from nacbench.data.images.reading import Shape, read_image
from nacbench.data.mirror.cache import Arrays, cached_arrays
from nacbench.data.unreadable import left_out, read_all, skip_stamp
from nacbench.errors import UserError, shown
from nacbench.formats.reading import read_text

LISTS = ("images.txt", "image_class_labels.txt", "train_test_split.txt")


def read_cub(folder: Path, shape: Shape) -> Arrays:
    """Return ``train_images``, ``train_labels``, ``test_images`` and ``test_labels``; decoded once, then cached.

    Args:
        folder: has the three lists and ``images``.
        shape: channels, height and width to fit the images to.

    Raises:
        UserError: if a list or an image is missing or broken; names the file and the line.
    """
    return cached_arrays("cub", f"{shape}{skip_stamp()}", lambda: _decode(folder, shape), folder)


def _decode(folder: Path, shape: Shape) -> Mapping[str, np.ndarray]:
    names, labels, training = (_read_list(folder / name) for name in LISTS)
    for name in names.values():
        if name.startswith("/") or ".." in name.split("/"):
            raise UserError(f"{folder / LISTS[0]}: {shown(name)} is not the name of an image in {folder / 'images'}")
    arrays: dict[str, np.ndarray] = {}
    for split, flag in (("train", "1"), ("test", "0")):
        ids = [number for number in names if training.get(number) == flag]
        if not ids:
            raise UserError(
                f"{folder / LISTS[2]} has no {split} images (flag {flag}); delete {folder} and fetch it again"
            )
        paths = [folder / "images" / names[number] for number in ids]
        images, kept = read_all(partial(read_image, shape=shape), paths, len(paths), shape, f"CUB, {split}")
        numbers = np.array([_label(folder, labels, number) for number in ids], dtype=np.int16)
        arrays |= {f"{split}_images": images, f"{split}_labels": numbers[kept]} | left_out(split, kept)
    return arrays


def _read_list(path: Path) -> dict[str, str]:
    """Read the lines ``<number> <value>`` of a list."""
    rows: dict[str, str] = {}
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        parts = line.split()
        if len(parts) != 2 or parts[0] in rows:
            raise UserError(f"{path}, line {number}: {shown(line)} is not '<number> <value>' of another number")
        rows[parts[0]] = parts[1]
    return rows


def _label(folder: Path, labels: Mapping[str, str], number: str) -> int:
    value = labels.get(number, "")
    if not value.isdecimal() or not 1 <= int(value) <= 200:
        raise UserError(f"{folder / LISTS[1]}: the class of image {number} is {value or 'missing'!r}, not 1 to 200")
    return int(value) - 1  # the file counts classes from 1
