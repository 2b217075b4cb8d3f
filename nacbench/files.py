"""Files that appear whole or not at all: written aside, flushed to the disk, then renamed."""

import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def sync_folder(folder: Path) -> None:
    """Make the renames in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def whole_file(path: Path, *, first_wins: bool = False) -> Iterator[Path]:
    """Give a path to write to; on leaving, what was written becomes ``path`` in one step, or nothing is left.

    Args:
        path: where the file shall appear. Its folder is made if need be.
        first_wins: refuse to replace an existing file.

    Raises:
        FileExistsError: with ``first_wins``, where the file is there already; it is left as it was.
        OSError: as the file system gives it, for example on a full disk; nothing half-written stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}.tmp"
    try:
        yield aside
        with aside.open("rb") as stream:
            os.fsync(stream.fileno())
        if first_wins:
            os.link(aside, path)
        else:
            aside.replace(path)
        sync_folder(path.parent)
    finally:
        aside.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes, *, first_wins: bool = False) -> None:
    """Write a whole file of bytes; see `whole_file`."""
    with whole_file(path, first_wins=first_wins) as aside:
        aside.write_bytes(content)


def write_text(path: Path, content: str, *, first_wins: bool = False) -> None:
    """Write a whole file of UTF-8 text; see `whole_file`."""
    write_bytes(path, content.encode(), first_wins=first_wins)


def write_json(path: Path, content: Any, *, first_wins: bool = False) -> None:
    """Write a whole JSON file, indented, refusing NaN and infinity; see `whole_file`."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n", first_wins=first_wins)


def digest_of(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def set_file_aside(path: Path) -> Path:
    """Rename a broken file to ``<name>.broken-1``: people can look at it, and nothing takes it for a whole one.

    Returns:
        The new name.
    """
    number = 1
    while (place := path.with_name(f"{path.name}.broken-{number}")).exists():
        number += 1
    path.rename(place)
    return place


def fill_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Make a folder whole or not at all: ``fill`` writes into one aside, which is then renamed.

    If another process finishes the same folder first, its content stays and ours is dropped.
    """
    import shutil

    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = folder.parent / f".{folder.name}.{uuid.uuid4().hex[:8]}.tmp"
    aside.mkdir()
    try:
        fill(aside)
        for file in aside.rglob("*"):
            if file.is_file():
                with file.open("rb") as stream:
                    os.fsync(stream.fileno())
        try:
            aside.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def utc_now() -> str:
    """The time as it is written into files: ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
