"""Read point clouds from files: many in an HDF5 file, or one in a text file; for the door and for tasks."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import numpy as np

from nacbench.data.mirror.door.damage import whole_text
from nacbench.errors import BrokenFileError, shown
from nacbench.formats.hdf5 import read_hdf5
from nacbench.formats.reading import read_bytes

AGAIN = "get it again"
LARGEST = 2**26  # bytes of a text file with one cloud; 10,000 points with normals have 0.6 MB


def hdf5_clouds(file: Path, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the points (float32 N×P×3) and labels (int64 N) in an HDF5 file with arrays ``data`` and ``label``.

    Args:
        file: the file.
        where: its path as the user knows it, for messages.

    Raises:
        UserError: if it is damaged, or h5py is missing.
    """
    try:
        found = read_hdf5(file, {"data": (None, None, 3), "label": (None, 1)}, AGAIN)
    except BrokenFileError as error:
        raise BrokenFileError(str(error).replace(str(file), where)) from error
    points, labels = found["data"], found["label"].reshape(-1)
    if not len(points) or len(points) != len(labels):
        raise BrokenFileError(f"{where} has {len(points):,} shapes and {len(labels):,} labels; {AGAIN}")
    if labels.dtype.kind == "f" and not (labels == np.floor(labels)).all():
        raise BrokenFileError(f"{where} has labels that are not whole numbers; {AGAIN}")
    for number, cloud in enumerate(points):
        _check_cloud(cloud, f"{where}, shape {number}")
    return points.astype(np.float32), labels.astype(np.int64)


def text_cloud(file: Path, where: str) -> np.ndarray:
    """Return the points (float32 P×3) in a text file with a line ``x,y,z,nx,ny,nz`` for each; normals are left out.

    Arguments and errors are those of `hdf5_clouds`.
    """
    import pyarrow as pa
    from pyarrow import csv

    content = read_bytes(file, largest=LARGEST)
    columns = list("xyzuvw")
    try:
        table = csv.read_csv(
            io.BytesIO(content),
            read_options=csv.ReadOptions(column_names=columns, use_threads=False),
            convert_options=csv.ConvertOptions(column_types=dict.fromkeys(columns, pa.float32()), null_values=[]),
        )
    except pa.ArrowInvalid:
        raise BrokenFileError(f"{where}{_first_wrong_line(content, len(columns))}; {AGAIN}") from None
    points = np.stack([table.column(name).to_numpy() for name in "xyz"], axis=-1)
    _check_cloud(points, where)
    return points


def _first_wrong_line(content: bytes, columns: int) -> str:
    for number, line in enumerate(content.decode(errors="replace").splitlines(), 1):
        cells = line.split(",")
        try:
            numbers = [float(cell) for cell in cells]
        except ValueError:
            numbers = []
        if len(numbers) != columns:
            return f", line {number}: {shown(line)} is not {columns} numbers"
    return " has no points"


def _check_cloud(points: np.ndarray, where: str) -> None:
    if not len(points):
        raise BrokenFileError(f"{where} has no points; {AGAIN}")
    finite = np.isfinite(points).all(axis=-1)
    if not finite.all():
        raise BrokenFileError(f"{where}: point {int(np.argmin(finite))} is not finite; {AGAIN}")
    if (points == points[0]).all():
        raise BrokenFileError(f"{where}: all its points coincide; {AGAIN}")


def names_in(file: Path, where: str) -> list[str]:
    """Return the lines of a list of names, without those that are empty.

    Args:
        file: the file.
        where: its path as the user knows it, for messages.

    Raises:
        UserError: if it is no text, is empty, or has a name twice.
    """
    names = [line.strip() for line in whole_text(file, where).splitlines() if line.strip()]
    twice, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise BrokenFileError(f"{where} has {shown(twice)} twice; {AGAIN}")
    return names
