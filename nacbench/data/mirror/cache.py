"""Cache of decoded arrays on disk, written atomically and opened as memory maps."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.code_digest import code_digest, imported_by, short_digest
from nacbench.data.mirror.places import cache_folder
from nacbench.errors import UserError
from nacbench.files import fill_folder, write_json
from nacbench.scratch import scratch_name

if TYPE_CHECKING:
    import numpy as np

META = "meta.json"


@dataclass(frozen=True)
class Arrays:
    """Read-only arrays by name, and the fingerprint of their content."""

    arrays: Mapping[str, np.ndarray]
    fingerprint: str


def cached_arrays(name: str, stamp: str, make: Callable[[], Mapping[str, np.ndarray]]) -> Arrays:
    """Return arrays from the cache; make and store them first if they are missing or broken.

    Args:
        name: of the data set, for readers of the cache folder.
        stamp: text that changes when the data files do, such as their names, sizes and times, or the parameters of
            generated data.
        make: reads or generates the arrays. The digest of its code, and of the modules it imports, is part of the key,
            so that changed code makes the arrays again.

    Raises:
        UserError: if the cache folder is not writable.
    """
    source = [Path(make.__code__.co_filename)]
    code = code_digest([*source, *imported_by(source)])
    folder = cache_folder() / "arrays" / f"{name}-{short_digest(f'{stamp} {code}'.encode())}"
    found = _open(folder)
    if found is None:
        with _written_to(folder):
            _remove_broken(folder)
        arrays = make()
        with _written_to(folder):  # if several processes made it, the first one wins
            fill_folder(folder, lambda aside: _save(arrays, aside))
        found = _open(folder)
        assert found is not None, f"{folder} cannot be read right after it was written"
    return found


def stamp_of(paths: Iterable[Path]) -> str:
    """Return names, sizes and modification times of files or folders, which change if one of them does.

    Times of folders change when files are added or removed. Content is not read, as data sets are large.
    """
    found = ((path.resolve(), path.stat()) for path in paths)
    return "\n".join(f"{path} {stat.st_size} {stat.st_mtime_ns}" for path, stat in found)


@contextlib.contextmanager
def _written_to(folder: Path) -> Iterator[None]:
    """Turn an OSError in the block into a `UserError` with the way out."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"cannot write the cache folder {folder}: {error.strerror}; set NACBENCH_CACHE to another place"
        ) from error


def _remove_broken(folder: Path) -> None:
    """Remove a set of arrays that cannot be read, but not one that another process has just written in its place.

    It is renamed first, and checked under the new name, so that no process can replace it between check and removal.
    """
    aside = scratch_name(folder)
    try:
        folder.rename(aside)
    except FileNotFoundError:
        return
    if _open(aside) is not None:
        with contextlib.suppress(OSError):  # another process has written it again
            aside.rename(folder)
    shutil.rmtree(aside, ignore_errors=True)


def fingerprint(arrays: Mapping[str, np.ndarray]) -> str:
    """Return the first 16 hexadecimal digits of a SHA-256 over names, dtypes, shapes and content of arrays."""
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
    """Open the arrays in a folder, or return None if it is missing or broken."""
    import numpy as np

    try:
        meta = json.loads((folder / META).read_text())
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in meta["arrays"]}
        return Arrays(arrays, meta["fingerprint"])
    except (OSError, ValueError, KeyError, EOFError):
        return None
