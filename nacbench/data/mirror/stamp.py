"""Stamp of a folder: a digest that changes when any file in it does. The one way to notice changed data files."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from nacbench.data.mirror.manifest import MANIFEST
from nacbench.errors import UserError

THREADS = 8  # a network file system answers them together; on a local disk they make no difference


@dataclass(frozen=True)
class _Place:
    """A folder that waits to be listed: its path, and device and inode of itself and of the folders above it."""

    path: str
    above: tuple[tuple[int, int], ...]


def stamp_of(folder: Path) -> str:
    """Return a digest of the relative path, size and times of every file in a folder, at any depth.

    Every file counts, whoever reads it: a reader cannot forget one of its own. Only the manifest does not count. Times
    are those of the last change of the content (mtime), which users can set, and of the file (ctime), which they
    cannot. Links are followed, except to a folder above them. Content is not read: 100,000 files take about a second.

    Raises:
        UserError: if the folder, or one in it, cannot be listed.
    """
    digest = hashlib.sha256()
    waiting = [_Place(str(folder), (_identity(folder),))]
    with ThreadPoolExecutor(THREADS) as pool:
        while waiting:
            found = list(pool.map(_listed, waiting))
            for place, (lines, _) in zip(waiting, found, strict=True):
                digest.update(f"{os.path.relpath(place.path, folder)}\0{len(lines)}\0".encode(errors="surrogateescape"))
                digest.update(b"".join(lines))
            waiting = [inner for _, folders in found for inner in folders]
    return digest.hexdigest()


def _listed(place: _Place) -> tuple[list[bytes], list[_Place]]:
    """Return a line for each file of a folder, and the folders in it, both sorted by name."""
    lines: list[bytes] = []
    folders: list[_Place] = []
    try:
        with os.scandir(place.path) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if _is_folder(entry):
                    identity = _identity(entry.path)
                    if identity not in place.above:
                        folders.append(_Place(entry.path, (*place.above, identity)))
                elif not (entry.name == MANIFEST and len(place.above) == 1):
                    lines.append(_line(entry))
    except OSError as error:
        raise UserError(f"cannot list {place.path}: {error.strerror}; its files are part of a data set") from None
    return lines, folders


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _line(entry: os.DirEntry[str]) -> bytes:
    try:
        found = entry.stat()
        text = f"{entry.name}\0{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}\0"
    except OSError:  # a link to a file that is lost
        text = f"{entry.name}\0lost\0"
    return text.encode(errors="surrogateescape")


def _identity(folder: Path | str) -> tuple[int, int]:
    try:
        found = os.stat(folder)  # noqa: PTH116 (a Path for each of thousands of folders takes longer than the call)
    except OSError as error:
        raise UserError(f"cannot list {folder}: {error.strerror}; its files are part of a data set") from None
    return found.st_dev, found.st_ino
