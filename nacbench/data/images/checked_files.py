"""Digests of image files that can be decoded; a file is read once, and again only if it has changed."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from nacbench.code_digest import code_digest
from nacbench.data.images.decoder import check_image
from nacbench.data.images.reading import file_content
from nacbench.data.mirror.cache import SETTLED, remember_arrays, remembered_arrays
from nacbench.data.mirror.parallel import worked
from nacbench.data.unreadable import UnreadableError, skips_unreadable
from nacbench.errors import UserError

THREADS = 8  # that ask for the state of files at the same time: a network file system answers them together
DIGEST = 32  # bytes of a SHA-256


def checked_digests(name: str, folder: Path, names: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the SHA-256 of the content of image files, uint8 N×32, and whether each can be decoded, N.

    What was found is kept in the cache by each file's size, times and inode: after one of a million files is replaced,
    one is read. Files are read in parallel, with progress on a terminal.

    Args:
        name: of the data set, for the cache and the progress bar.
        folder: base of the relative paths.
        names: N relative paths as bytes.

    Raises:
        UnreadableError: if one cannot be decoded, unless these are left out; after all of them have been looked at.
        UserError: if none can be decoded.
    """
    stamp = f"{folder.resolve()} {_checker()}"
    states = _states(folder, names)
    digests, known = _known(remembered_arrays(f"{name}-files", stamp), names, states)
    broken: list[UnreadableError] = []
    unread = np.flatnonzero(~known)
    jobs = (folder / os.fsdecode(own) for own in names[unread])
    try:
        for number, found in zip(
            unread, worked(_checked_digest, jobs, len(unread), f"checking the images of {name}"), strict=True
        ):
            if isinstance(found, UnreadableError):
                broken.append(found)
            else:
                digests[number], known[number] = np.frombuffer(found, dtype=np.uint8), True
    finally:  # also if it is interrupted: reading a hundred gigabytes takes hours
        _remember(f"{name}-files", stamp, names[known], states[known], digests[known])
    if broken and not skips_unreadable():
        others = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
        raise UnreadableError(f"{broken[0]}{others}")
    if not known.any():
        raise UserError(f"none of the {len(names):,} images in {folder} can be read")
    return digests, known


def _checked_digest(path: Path) -> bytes | UnreadableError:
    try:
        content = file_content(path)
        check_image(content, str(path))
    except UnreadableError as error:
        return error
    return hashlib.sha256(content).digest()


def _checker() -> str:
    """Return a text that changes with the code that decides which files can be decoded."""
    import PIL

    return f"{code_digest([Path(check_image.__code__.co_filename)])} {PIL.__version__}"


def _states(folder: Path, names: np.ndarray) -> np.ndarray:
    """Return size, times and inode of files, int64 N×4; zeros for a file that is lost."""

    def states_of(some: list[bytes]) -> list[tuple[int, int, int, int]]:
        return [_state(folder / os.fsdecode(own)) for own in some]

    def portions() -> Iterator[list[bytes]]:
        return (names[first : first + 1000].tolist() for first in range(0, len(names), 1000))

    with ThreadPoolExecutor(THREADS) as pool:
        rows = [row for some in pool.map(states_of, portions()) for row in some]
    return np.array(rows, dtype=np.int64).reshape(len(names), 4)


def _state(path: Path) -> tuple[int, int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0, 0, 0
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def _known(
    before: dict[str, np.ndarray] | None, names: np.ndarray, states: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the digests of files that have not changed since they were read, uint8 N×32, and which these are, N."""
    digests = np.zeros((len(names), DIGEST), dtype=np.uint8)
    if before is None or not len(before["names"]):
        return digests, np.zeros(len(names), dtype=bool)
    place = np.minimum(np.searchsorted(before["names"], names), len(before["names"]) - 1)
    known = (before["names"][place] == names) & (before["states"][place] == states).all(axis=1)
    digests[known] = before["digests"][place[known]]
    return digests, known


def _remember(name: str, stamp: str, names: np.ndarray, states: np.ndarray, digests: np.ndarray) -> None:
    """Keep the digests of files that nothing has written to lately: file systems tell times only so exactly."""
    settled = np.flatnonzero(states[:, 1:3].max(axis=1, initial=0) < time.time_ns() - SETTLED)
    order = settled[np.argsort(names[settled])]
    if len(order):
        remember_arrays(name, stamp, {"names": names[order], "states": states[order], "digests": digests[order]})
