"""Put files of a data set into the mirror, by one process at a time (with a lock), and all or nothing."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from nacbench.data.mirror.manifest import progress
from nacbench.data.mirror.unpack import Check, unpack
from nacbench.errors import UserError
from nacbench.filesystem.scratch import is_scratch_of, scratch_folder


@contextmanager
def sole_filler(place: Path) -> Iterator[None]:
    """Hold the lock of a folder in the mirror while filling it, if the file system supports locks.

    Wait if another process holds it. Remove scratch folders of processes that were killed.

    Raises:
        UserError: if the mirror is not writable, here or in the block.
    """
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = place.with_name(f".{place.name}.lock")
        descriptor, locked = _locked(lock)
        try:
            if locked:  # so no live process uses these folders
                for stale in _asides(place):
                    shutil.rmtree(stale, ignore_errors=True)
            yield
        finally:
            lock.unlink(missing_ok=True)
            os.close(descriptor)
    except OSError as error:
        raise UserError(
            f"cannot fill {place}: {error.strerror or error} ({error.filename or place}); fix that, or name another "
            "mirror with --data-root or NACBENCH_DATA"
        ) from error


def located(folder: Path, named: Path, inside: Sequence[str], lacking: Callable[[Path], str | None]) -> Path:
    """Return the first of some folders that has all needed files: those at ``inside``, then the folder itself.

    Args:
        folder: the user's folder, or the content of an archive.
        named: what the user named, for the message.
        inside: paths in the folder at which the data may be.
        lacking: returns the first thing that a folder lacks, or None.

    Raises:
        UserError: if none has all; the message says what is missing.
    """
    places = [place for place in dict.fromkeys(folder / sub for sub in (*inside, "")) if place.is_dir()]
    for place in places:
        if lacking(place) is None:
            return place
    looked = places[0]
    where = f"{named}, in its folder {looked.relative_to(folder)}," if looked != folder else str(named)
    raise UserError(f"{where} is not complete; it lacks {lacking(looked)}")


@contextmanager
def opened(path: Path, place: Path, check: Check) -> Iterator[Path]:
    """Yield a folder as it is, or a temporary folder with the content of an archive, unpacked beside ``place``.

    Raises:
        UserError: if there is no such file or folder, or an archive cannot be unpacked, or ``check`` refuses it by the
            names in it.
    """
    if path.is_dir():
        yield path
    elif path.is_file():
        with scratch_folder(place) as aside:
            unpack(path, aside, check)
            yield aside
    else:
        raise UserError(f"no such file or folder: {path}")


def move_content(source: Path, target: Path) -> None:
    """Move everything in a folder into another one of the same file system."""
    for entry in source.iterdir():
        entry.rename(target / entry.name)


def copy_files(files: Sequence[Path], source: Path, target: Path, *, link: bool = False) -> None:
    """Copy files of one folder to the same relative paths in another one; symbolic links become files.

    Args:
        files: files in ``source``, which is not changed.
        source: the folder that their paths are relative to.
        target: an existing folder.
        link: make hard links instead of copies if the file system allows it, so that large data is not stored twice.
    """
    with progress(f"copying {source.name}", sum(file.stat().st_size for file in files)) as done:
        for file in files:
            copy = target / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if not (link and _linked(file, copy)):
                shutil.copyfile(file, copy)
            done(copy.stat().st_size)


def visible_files(folder: Path) -> list[Path]:
    """Return all files of a folder at any depth, without hidden ones and those in hidden folders; links are followed.

    Raises:
        UserError: if a link is broken or leads to a folder above it, or something is neither a file nor a folder.
    """
    found = []
    for name, folders, files in os.walk(folder, followlinks=True):
        place = Path(name)
        if place.is_symlink() and place != folder and place.parent.resolve().is_relative_to(place.resolve()):
            raise UserError(f"{place} is a link to a folder above it; remove it")
        folders[:] = sorted(own for own in folders if not own.startswith("."))
        found += [place / own for own in sorted(files) if not own.startswith(".")]
    for file in found:
        if not file.is_file():
            raise UserError(f"{file} is not a file, or is a broken link; remove it")
    return found


def _linked(file: Path, copy: Path) -> bool:
    try:
        os.link(file.resolve(), copy)
    except OSError:  # another file system, one without hard links, or a file of another user
        return False
    return True


def _asides(place: Path) -> list[Path]:
    """Return temporary folders of `nacbench.filesystem.files.fill_folder` and `scratch_folder` beside a folder."""
    return [p for p in place.parent.iterdir() if is_scratch_of(place, p)]


def _locked(lock: Path) -> tuple[int, bool]:
    """Return the lock's file descriptor, and whether it is locked; false if the file system has no locks."""
    import fcntl

    while True:
        descriptor = os.open(lock, os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError:
            return descriptor, False
        try:
            if os.path.samestat(os.fstat(descriptor), lock.stat()):
                return descriptor, True
        except FileNotFoundError:
            pass
        os.close(descriptor)  # the last holder has removed this file: a lock on it excludes nobody, so try again
