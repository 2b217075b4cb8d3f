"""Fill a folder of the mirror by one process at a time, with a lock."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nacbench.errors import UserError
from nacbench.filesystem.files import resolved
from nacbench.filesystem.scratch import is_scratch_of, scratch_folder


@contextmanager
def sole_filler(place: Path, root: Path) -> Iterator[None]:
    """Hold the lock of a folder in the mirror while filling it, if the file system supports locks.

    Wait if another process holds it. Remove scratch folders of processes that were killed, and folders in which nothing
    was put.

    Args:
        place: the folder.
        root: the mirror.

    Raises:
        UserError: if the mirror is not writable, here or in the block.
    """
    above = [folder for folder in (place.parent, *place.parent.parents) if folder not in (root, *root.parents)]
    ours = [*above, *(folder for folder in (root, *root.parents) if not folder.exists())]  # the innermost comes first
    try:
        root.mkdir(parents=True, exist_ok=True)
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
            with suppress(OSError):
                for folder in ours:
                    folder.rmdir()  # which is refused unless it is empty
    except OSError as error:
        raise UserError(
            f"cannot fill {place}: {error.strerror or error} ({error.filename or place}); fix that, or name another "
            "mirror with --data-root or NACBENCH_DATA"
        ) from error


def move_content(source: Path, target: Path) -> None:
    """Move everything in a folder into another one of the same file system."""
    for entry in source.iterdir():
        entry.rename(target / entry.name)


def merge_content(source: Path, target: Path) -> None:
    """Move everything in a folder into another one, which may have the same folders.

    What the target does not have comes whole, in one rename. A file of the same name is replaced.
    """
    for entry in sorted(source.iterdir()):
        place = target / entry.name
        if entry.is_dir() and place.is_dir():
            place = resolved(place)
            if next(place.iterdir(), None):
                merge_content(entry, place)
                continue
        _move(entry, place)


def _move(entry: Path, place: Path) -> None:
    try:
        entry.replace(place)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with scratch_folder(place) as aside:  # a folder of the target is a link to another file system
            shutil.move(entry, aside / entry.name)
            (aside / entry.name).replace(place)


def _asides(place: Path) -> list[Path]:
    """Return temporary folders of `nacbench.filesystem.files.fill_folder` and `scratch_folder` beside a folder."""
    return [p for p in place.parent.iterdir() if is_scratch_of(place, p)]


def _locked(lock: Path) -> tuple[int, bool]:
    """Return the lock's file descriptor, and whether it is locked; false if the file system has no locks."""
    import fcntl

    while True:
        lock.parent.mkdir(parents=True, exist_ok=True)  # each time, as another process may have removed it again
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
