"""Decoded arrays kept on disk: made once, whole or not at all, and opened without reading them into memory."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.code_digest import code_digest, imported_by, short_digest
from nacbench.data.mirror.places import cache_folder
from nacbench.errors import UserError
from nacbench.files import fill_folder, write_json

if TYPE_CHECKING:
    import numpy as np

META = "meta.json"


@dataclass(frozen=True)
class Arrays:
    """Arrays by name, opened read-only, and the fingerprint of their content."""

    arrays: Mapping[str, np.ndarray]
    fingerprint: str


def cached_arrays(name: str, stamp: str, make: Callable[[], Mapping[str, np.ndarray]]) -> Arrays:
    """Arrays from the cache, made first if they are not there or cannot be read.

    Args:
        name: of the data set, for people who look into the cache.
        stamp: anything that changes when the source does: file names, sizes and times, or the numbers of what is made.
        make: reads or makes the arrays. Its code, and what it builds on, count like the stamp: arrays that other code
            made are made anew.

    Raises:
        UserError: if the cache folder cannot be written.
    """
    source = [Path(make.__code__.co_filename)]
    code = code_digest([*source, *imported_by(source)])
    folder = cache_folder() / "arrays" / f"{name}-{short_digest(f'{stamp} {code}'.encode())}"
    found = _open(folder)
    if found is None:
        with _written_to(folder):
            _remove_broken(folder)
        arrays = make()
        with _written_to(folder):  # of several processes that made it, the first one's stays
            fill_folder(folder, lambda aside: _save(arrays, aside))
        found = _open(folder)
        assert found is not None, f"{folder} cannot be read right after it was written"
    return found


def stamp_of(paths: Iterable[Path]) -> str:
    """Names, sizes and times of files, or of folders whose files are added and removed: what changes when one does."""
    found = ((path.resolve(), path.stat()) for path in paths)
    return "\n".join(f"{path} {stat.st_size} {stat.st_mtime_ns}" for path, stat in found)


@contextlib.contextmanager
def _written_to(folder: Path) -> Iterator[None]:
    """What goes wrong with the disk inside is told as the user's mistake, with a way out."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"cannot write the cache folder {folder}: {error.strerror}; set NACBENCH_CACHE to another place"
        ) from error


def _remove_broken(folder: Path) -> None:
    """Remove a set that cannot be read, but not one that another process has made meanwhile in its place."""
    aside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        folder.rename(aside)
    except FileNotFoundError:
        return
    if _open(aside) is not None:
        with contextlib.suppress(OSError):  # yet another is there already
            aside.rename(folder)
    shutil.rmtree(aside, ignore_errors=True)


def fingerprint(arrays: Mapping[str, np.ndarray]) -> str:
    """Sixteen hexadecimal digits of a SHA-256 over names, types, shapes and content."""
    import numpy as np

    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.data if array.size else b"")
    return digest.hexdigest()[:16]


def _save(arrays: Mapping[str, np.ndarray], folder: Path) -> None:
    import numpy as np

    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    write_json(folder / META, {"arrays": sorted(arrays), "fingerprint": fingerprint(arrays)})


def _open(folder: Path) -> Arrays | None:
    """What is in the folder, or None if that is not a whole set of arrays."""
    import numpy as np

    try:
        meta = json.loads((folder / META).read_text())
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in meta["arrays"]}
        return Arrays(arrays, meta["fingerprint"])
    except (OSError, ValueError, KeyError, EOFError):
        return None
