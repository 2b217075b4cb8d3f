"""Cache of decoded arrays on disk: written atomically, compared with its fingerprint, opened as memory maps."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import inspect
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from nacbench.code_digest import code_digest, imported_by
from nacbench.code_digest.own_code import own_code_of
from nacbench.contracts.given import kind_of
from nacbench.data.mirror.manifest import is_intact
from nacbench.data.mirror.places import cache_folder
from nacbench.data.mirror.stamp import stamp_of
from nacbench.errors import BrokenFileError, UserError, shown
from nacbench.filesystem.files import fill_folder, remove_broken, write_json
from nacbench.filesystem.scratch import scratch_folder
from nacbench.formats.reading import parse_json, read_bytes, read_json

if TYPE_CHECKING:
    import numpy as np

META = "meta.json"
NAME = "[A-Za-z_][A-Za-z0-9_]{0,99}"  # of an array, and of its file
UNPACKED = "unpacked"  # folder of unpacked archives in the cache; see `nacbench.data.mirror.packed`
KEY_DIGITS = 12  # of the key that are part of the folder's name
TRIES = 5  # to write a copy that cannot be read afterwards
SETTLED = 2 * 10**9  # nanoseconds; file systems tell times only so exactly

_compared: set[tuple[object, ...]] = set()  # states of copies that this process has compared with their fingerprint


@dataclass(frozen=True)
class Arrays:
    """Read-only arrays by name, and the fingerprint of their content."""

    arrays: Mapping[str, np.ndarray]
    fingerprint: str


class DecodedCopy(BaseModel):
    """Content of ``meta.json``.

    Attributes:
        key: digest of all that the arrays were made from.
        arrays: their names, each of a file ``NAME.npy``.
        fingerprint: of their names and content.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    arrays: list[Annotated[str, Field(pattern=f"^{NAME}$")]]
    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


def cached_arrays(
    name: str, stamp: str, make: Callable[[], Mapping[str, np.ndarray]], folder: Path | None = None
) -> Arrays:
    """Return arrays from the cache; make and store them first if they are missing or broken.

    They are compared with their fingerprint when a process opens them for the first time, and again if a file of theirs
    has changed since: about a second per gigabyte.

    Args:
        name: of the data set, for readers of the cache folder.
        stamp: text with the parameters that the arrays depend on, such as their shape or a seed.
        make: reads or generates the arrays. The digest of its code, and of the modules it imports, is part of the key,
            so that changed code makes the arrays again.
        folder: the folder that ``make`` reads from; None if it reads no files. The arrays are made again if any file in
            it has changed (`nacbench.data.mirror.stamp.stamp_of`).

    Raises:
        UserError: if the cache folder is not writable, or a file changes while the arrays are made.
    """
    key = _key(stamp, make, folder)
    place = cache_folder() / "arrays" / f"{_plain(name)}-{key[:KEY_DIGITS]}"
    found = _open(place, key)
    if found is not None:
        return found
    arrays = _checked(getattr(make, "__qualname__", "make"), make())
    if _key(stamp, make, folder) != key:
        raise UserError(f"a file in {folder} has changed while it was read; start again when nothing writes to it")
    for _ in range(TRIES):  # another process may find it broken, or look whether it is, between any two of these lines
        with _written_to(place):
            remove_broken(place, functools.partial(_is_readable, named=place.name))
            fill_folder(place, lambda aside: _save(arrays, aside, key))  # of several processes the first one wins
        found = _open(place, key)
        if found is not None:
            return found
    raise UserError(
        f"the cache folder {place} does not give back what was written to it; set NACBENCH_CACHE to another place"
    )


def remembered_arrays(name: str, stamp: str) -> dict[str, np.ndarray] | None:
    """Return what `remember_arrays` has kept last under a name and stamp; None if it is missing or broken."""
    found = _open(*_memory(name, stamp))
    return None if found is None else dict(found.arrays)


def remember_arrays(name: str, stamp: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Keep arrays in the cache in place of those that were kept before; for what is asked of files again and again.

    Raises:
        UserError: if the cache folder is not writable.
    """
    place, key = _memory(name, stamp)
    with _written_to(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(place) as before:
            if place.exists():
                place.rename(before / "before")
        fill_folder(place, lambda aside: _save(arrays, aside, key))


def _memory(name: str, stamp: str) -> tuple[Path, str]:
    """Return folder and key of arrays that are kept under a name and a stamp."""
    key = hashlib.sha256(stamp.encode(errors="surrogateescape")).hexdigest()
    return cache_folder() / "arrays" / f"{_plain(name)}-{key[:KEY_DIGITS]}", key


@dataclass(frozen=True)
class Compared:
    """A copy in the cache that was compared with its fingerprint or manifest.

    Attributes:
        folder: of the copy.
        wrong: what is wrong with it, or None.
        is_old: whether an earlier version wrote it, in a form that nothing reads now.
    """

    folder: Path
    wrong: str | None = None
    is_old: bool = False


def compared_copies() -> Iterator[Compared]:
    """Compare every copy in the cache with its fingerprint or manifest.

    These are decoded arrays, and unpacked archives. Broken and old ones are removed; they are made again when they are
    needed.
    """
    _compared.clear()
    for folder in _folders_in(cache_folder() / "arrays"):
        if _is_of_earlier_version(folder):
            shutil.rmtree(folder, ignore_errors=True)
            yield Compared(folder, is_old=True)
            continue
        try:
            _read(folder)
        except UserError as error:
            with _written_to(folder):
                remove_broken(folder, functools.partial(_is_readable, named=folder.name))
            yield Compared(folder, str(error))
        else:
            yield Compared(folder)
    for folder in _folders_in(cache_folder() / UNPACKED):
        if is_intact(folder):
            yield Compared(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
            yield Compared(folder, f"the files in {folder} are not those of its manifest")


def _is_of_earlier_version(folder: Path) -> bool:
    try:
        meta = parse_json(read_bytes(folder / META), folder / META)
    except UserError:
        return False
    return isinstance(meta, dict) and meta.keys() == {"arrays", "fingerprint"}


def _folders_in(place: Path) -> list[Path]:
    """Return the folders in a folder, sorted; hidden ones are of a process that writes them now, or was killed."""
    return sorted(path for path in place.glob("[!.]*") if path.is_dir())


def _key(stamp: str, make: Callable[[], Mapping[str, np.ndarray]], folder: Path | None) -> str:
    made_by: Any = inspect.unwrap(make.func if isinstance(make, functools.partial) else make)
    made_by = made_by if inspect.isroutine(made_by) else type(made_by)
    source, own = [Path(inspect.getfile(made_by))], own_code_of(made_by.__module__)
    code = code_digest([*source, *imported_by(source, own)], own)
    parts = (stamp, stamp_of(folder) if folder else "", code)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _checked(maker: str, arrays: Any) -> Mapping[str, np.ndarray]:
    """Return what was made, if NumPy's files can hold it; raises UserError if not."""
    import numpy as np

    if not isinstance(arrays, Mapping):
        raise UserError(f"{maker}() gives {kind_of(arrays)}, and should give NumPy arrays by name")
    for name, array in arrays.items():
        if not (isinstance(name, str) and re.fullmatch(NAME, name)):  # it becomes the name of a file
            raise UserError(
                f"{maker}() gives an array called {shown(name)}; use letters, digits and underscores, "
                "as in train_labels"
            )
        plain = isinstance(array, np.ndarray) and not isinstance(array, np.ma.MaskedArray)
        if not plain or array.dtype.kind not in "biufcSU" or not array.dtype.isnative:
            raise UserError(
                f"{maker}() gives {kind_of(array)} as {name}, and should give a NumPy array of numbers or text, "
                "in the byte order of this machine"
            )
    return arrays


def _plain(name: str) -> str:
    """Return a name that is one part of a path: it may come from a plug-in."""
    return re.sub(r"[^\w.-]+", "-", name)[:100]


@contextlib.contextmanager
def _written_to(folder: Path) -> Iterator[None]:
    """Turn an OSError in the block into a `UserError` with the way out."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"cannot write the cache folder {folder}: {error.strerror}; set NACBENCH_CACHE to another place"
        ) from error


def fingerprint(arrays: Mapping[str, np.ndarray]) -> str:
    """Return the first 16 hexadecimal digits of a SHA-256 over names, dtypes, shapes and content of arrays."""
    import numpy as np

    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.data if array.size else b"")
    return digest.hexdigest()[:16]


def _save(arrays: Mapping[str, np.ndarray], folder: Path, key: str) -> None:
    import numpy as np

    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    meta = DecodedCopy(key=key, arrays=sorted(arrays), fingerprint=fingerprint(arrays))
    write_json(folder / META, meta.model_dump())


def _open(folder: Path, key: str) -> Arrays | None:
    """Open the arrays in a folder, or return None if it is missing, broken, or was made from something else."""
    try:
        found, made_from = _read(folder)
    except UserError:
        return None
    return found if made_from == key else None


def _is_readable(folder: Path, named: str) -> bool:
    try:
        _read(folder, named)
    except UserError:
        return False
    return True


def _read(folder: Path, named: str | None = None) -> tuple[Arrays, str]:
    """Open the arrays in a folder, and compare them with their fingerprint; return them with their key.

    Args:
        folder: of the arrays.
        named: the folder's name, which has the first digits of the key; by default as it is.

    Raises:
        UserError: if it is missing or broken.
    """
    import numpy as np

    meta = read_json(folder / META, DecodedCopy)
    if not (named or folder.name).endswith(f"-{meta.key[:KEY_DIGITS]}"):
        raise BrokenFileError(f"{folder} has the content of another copy")
    files = {name: folder / f"{name}.npy" for name in meta.arrays}
    try:
        states = tuple(_state(file) for file in files.values())
        arrays = {name: np.load(file, mmap_mode="r", allow_pickle=False) for name, file in files.items()}
    except (OSError, ValueError, EOFError, OverflowError) as error:
        raise BrokenFileError(f"{folder} cannot be read: {error}") from None
    state = (str(folder), meta.fingerprint, states)
    if state not in _compared:
        if fingerprint(arrays) != meta.fingerprint:
            raise BrokenFileError(f"the content of {folder} does not have its fingerprint, {meta.fingerprint}")
        if all(time.time_ns() - changed > SETTLED for *_, changed in states):
            _compared.add(state)
    return Arrays(arrays, meta.fingerprint), meta.key


def _state(file: Path) -> tuple[int, int, int, int]:
    """Return inode, size and times of a file, which change if its content does."""
    found = file.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise BrokenFileError(f"{file} is not a regular file")
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
