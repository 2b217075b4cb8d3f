"""Putting a data set's files into the mirror: by one process at a time, and whole or not at all."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from nacbench.data.mirror.manifest import progress
from nacbench.data.mirror.unpack import unpack
from nacbench.errors import UserError


@contextmanager
def sole_filler(place: Path) -> Iterator[None]:
    """Be the only process that fills this folder of a mirror, on this machine and where the file system has locks.

    Waits for another one. What a killed one left beside the folder is removed.

    Raises:
        UserError: if the mirror cannot be written, now or in the block.
    """
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = place.with_name(f".{place.name}.lock")
        descriptor, locked = _locked(lock)
        try:
            if locked:
                for stale in _asides(place):
                    shutil.rmtree(stale, ignore_errors=True)
            yield
        finally:
            lock.unlink(missing_ok=True)
            os.close(descriptor)
    except OSError as error:
        raise UserError(
            f"cannot fill {place}: {error.strerror or error} ({error.filename or place}); mend that, or name another "
            "mirror with --data-root or NACBENCH_DATA"
        ) from error


def scratch_folder(place: Path) -> TemporaryDirectory[str]:
    """A folder beside ``place``, for `sole_filler`'s block, for files that are moved into a place that is there."""
    return TemporaryDirectory(dir=place.parent, prefix=f".{place.name}.", suffix=".tmp")


def located(folder: Path, named: Path, inside: Sequence[str], lacking: Callable[[Path], str | None]) -> Path:
    """The first of these inside a folder, or else the folder itself, that has all that is needed.

    Args:
        folder: the user's, or an archive's content.
        named: what the user named, for the error.
        inside: paths that may lead from the folder to the data.
        lacking: the first thing that a folder lacks, or None.

    Raises:
        UserError: says what is missing.
    """
    places = [place for place in dict.fromkeys(folder / sub for sub in (*inside, "")) if place.is_dir()]
    for place in places:
        if lacking(place) is None:
            return place
    looked = places[0]
    where = f"{named}, in its folder {looked.relative_to(folder)}," if looked != folder else str(named)
    raise UserError(f"{where} has not all that is needed; it lacks {lacking(looked)}")


@contextmanager
def opened(path: Path, place: Path) -> Iterator[Path]:
    """Give a folder as it is, or the content of an archive, unpacked beside ``place`` for as long as the block lasts.

    Raises:
        UserError: if there is nothing, or an archive cannot be unpacked.
    """
    if path.is_dir():
        yield path
    elif path.is_file():
        with scratch_folder(place) as aside:
            unpack(path, Path(aside))
            yield Path(aside)
    else:
        raise UserError(f"there is no file or folder {path}")


def move_content(source: Path, target: Path) -> None:
    """Move all that a folder has into another one of the same file system."""
    for entry in source.iterdir():
        entry.rename(target / entry.name)


def copy_files(files: Sequence[Path], source: Path, target: Path, *, link: bool = False) -> None:
    """Copy files of one folder to the same paths in another one; a link becomes what it leads to.

    Args:
        files: in ``source``, which is left as it is.
        source: the folder that their paths are relative to.
        target: a folder that exists.
        link: share the files' content with the source (hard links) where that can be done.
    """
    with progress(f"copying {source.name}", sum(file.stat().st_size for file in files)) as done:
        for file in files:
            copy = target / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if not (link and _linked(file, copy)):
                shutil.copyfile(file, copy)
            done(copy.stat().st_size)


def visible_files(folder: Path) -> list[Path]:
    """All files of a folder at any depth, without hidden ones and those in hidden folders; links are followed.

    Raises:
        UserError: if a link leads to nothing or to a folder around it, or something is neither a file nor a folder.
    """
    found = []
    for name, folders, files in os.walk(folder, followlinks=True):
        place = Path(name)
        if place.is_symlink() and place != folder and place.parent.resolve().is_relative_to(place.resolve()):
            raise UserError(f"{place} is a link to a folder around it; remove it")
        folders[:] = sorted(own for own in folders if not own.startswith("."))
        found += [place / own for own in sorted(files) if not own.startswith(".")]
    for file in found:
        if not file.is_file():
            raise UserError(f"{file} is not a file, or a link to none; remove it")
    return found


def _linked(file: Path, copy: Path) -> bool:
    try:
        os.link(file.resolve(), copy)
    except OSError:  # another file system, one without links, or somebody else's file
        return False
    return True


def _asides(place: Path) -> list[Path]:
    """Folders of `nacbench.files.fill_folder` and `scratch_folder`."""
    return [p for p in place.parent.iterdir() if p.name.startswith(f".{place.name}.") and p.name.endswith(".tmp")]


def _locked(lock: Path) -> tuple[int, bool]:
    """The lock's descriptor, and whether it is locked; where the file system has no locks, it is not."""
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
        os.close(descriptor)  # its last holder has removed the file meanwhile
