"""Atomic file writes: write to a temporary file, fsync, then rename; also for folders. Appending, SHA-256 digests."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from nacbench.errors import UserError
from nacbench.filesystem.locking import place_first
from nacbench.filesystem.scratch import scratch_folder, scratch_name
from nacbench.formats.reading import open_regular

MANY_FILES = 1000  # from which on one sync is faster: a million fsyncs of 8 ms would take hours
NO_FSYNC = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)  # a file system that cannot; see doctor


def sync(descriptor: int) -> None:
    """Flush an open file to disk (fsync), if its file system can."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NO_FSYNC:
            raise


def resolved(path: Path) -> Path:
    """Return an absolute path without symbolic links; a loop of links is kept as it is, for the system to refuse."""
    return Path(os.path.realpath(path))  # Path.resolve raises RuntimeError for a loop before Python 3.13


def absolute(path: Path | str) -> str:
    """Return a path without ``..`` from the root on; links are not followed, so that a folder keeps its name.

    Folders of runs are called so everywhere. `pathlib.Path.absolute` keeps ``..``, by which a folder had two names.
    """
    return os.path.abspath(path)  # noqa: PTH100 (plain strings: there may be very many)


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to disk, so that renames in it survive a crash."""
    # On POSIX, fsync of a file does not flush its name: that is in the folder
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def whole_file(path: Path, *, first_wins: bool = False) -> Iterator[Path]:
    """Yield a temporary path to write to; on success it becomes ``path`` atomically, on an error it is removed.

    Args:
        path: the final path. Its folder is created if necessary.
        first_wins: refuse to replace an existing file.

    Raises:
        FileExistsError: with ``first_wins``, if the file exists; it is left unchanged.
        OSError: from the file system, for example if the disk is full; no partial file remains.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = scratch_name(path)
    try:
        yield aside
        with aside.open("rb") as stream:
            sync(stream.fileno())  # before the rename, or a crash could leave a name with no content
        if first_wins:
            place_first(aside, path)
        else:
            aside.replace(path)
        sync_folder(path.parent)
    finally:
        aside.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes, *, first_wins: bool = False) -> None:
    """Write bytes to a file atomically; see `whole_file`."""
    with whole_file(path, first_wins=first_wins) as aside:
        aside.write_bytes(content)


def write_text(path: Path, content: str, *, first_wins: bool = False) -> None:
    """Write UTF-8 text to a file atomically; see `whole_file`."""
    write_bytes(path, content.encode(), first_wins=first_wins)


def write_json(path: Path, content: Any, *, first_wins: bool = False) -> None:
    """Write indented JSON to a file atomically; see `whole_file`.

    Raises:
        ValueError: for NaN and infinity, which JSON does not have.
    """
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n", first_wins=first_wins)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a regular file's content in hexadecimal digits.

    Raises:
        UserError: if it cannot be opened, or is a folder, a pipe or a device.
    """
    with open_regular(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def append_to(path: Path) -> TextIO:
    """Open a UTF-8 text file for appending; it is created if necessary.

    Raises:
        UserError: if it is a link, a pipe, or anything else but a regular file: a link in a folder from elsewhere could
            lead to any file of the user's.
        OSError: from the file system.
    """
    try:
        # O_NONBLOCK: opening a pipe would otherwise wait for a process that reads from it
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):  # a link, a pipe without a reader, a folder
            raise UserError(f"{path} is not a regular file but a link, a pipe or a folder; remove it") from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UserError(f"{path} is not a regular file; remove it")
    return os.fdopen(descriptor, "a", encoding="utf-8")


def set_file_aside(path: Path) -> Path:
    """Rename a broken file to ``<name>.broken-1`` (or the next free number), to keep it for inspection.

    Returns:
        The new path.
    """
    number = 1
    while (place := path.with_name(f"{path.name}.broken-{number}")).exists():
        number += 1
    path.rename(place)
    return place


def fill_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Create a folder atomically: ``fill`` writes into a temporary folder, which is then renamed.

    If another process creates the same folder first, its content stays and this one's is dropped.

    Raises:
        OSError: from the file system; no partial folder remains.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(folder) as aside:
        fill(aside)
        files = [file for file in aside.rglob("*") if file.is_file()]
        if len(files) > MANY_FILES:
            os.sync()  # all file systems at once, on Linux until it is done
        else:
            for file in files:
                with file.open("rb") as stream:
                    sync(stream.fileno())
        try:
            aside.rename(folder)
        except OSError:  # rename refuses a target folder that is not empty: another process was first
            if not folder.is_dir():
                raise
        sync_folder(folder.parent)


def remove_broken(folder: Path, is_intact: Callable[[Path], bool]) -> None:
    """Remove a folder that is broken, but not one that another process has just made in its place.

    One that is intact is not touched, as others read it. A broken one is renamed, and looked at again under the new
    name, so that no process can replace it between look and removal.

    Args:
        folder: may be missing.
        is_intact: looks at a folder, which may have another name than ``folder``.

    Raises:
        OSError: from the file system.
    """
    if not folder.exists() or is_intact(folder):
        return
    aside = scratch_name(folder)
    try:
        folder.rename(aside)
    except FileNotFoundError:
        return
    with contextlib.suppress(OSError):  # another process has made it again
        if is_intact(aside):
            aside.rename(folder)
    shutil.rmtree(aside, ignore_errors=True)


def utc_now() -> str:
    """Return the current time in UTC as ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
