"""Scratch files and folders whose names say who owns them, so that the next command removes those of dead processes."""

import contextlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nacbench.filesystem.owner import Process, digest_of_machine, this_process

OURS = re.compile(r"\.(.*)\.([0-9a-f]{8})-([0-9]{1,9})-([0-9]{0,20})-[0-9a-f]{6}\.tmp", re.DOTALL)
FORGOTTEN_SECONDS = 7 * 24 * 3600.0  # scratch of another machine that is older than this has no owner any more
LONGEST_NAME = 40  # characters of the final name in a scratch name: with it, a name of 255 bytes would be too long

_cleared: set[str] = set()  # folders that this process has cleared
os.register_at_fork(after_in_child=_cleared.clear)


def scratch_name(path: Path) -> Path:
    """Return a new hidden name beside a path, in the same file system, for what will be renamed to it.

    What killed processes left in the folder is removed first, once a process: see `remove_orphans`.
    """
    folder = str(path.parent)
    if folder not in _cleared:
        _cleared.add(folder)
        remove_orphans(path.parent)
    own = this_process()
    born = own.born.rpartition(" ")[2]
    owner = f"{digest_of_machine()}-{own.pid}-{born}-{uuid.uuid4().hex[:6]}"
    return path.parent / f".{path.name[:LONGEST_NAME]}.{owner}.tmp"


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Make a temporary folder beside a path, in the same file system; remove it at the end.

    Raises:
        OSError: from the file system.
    """
    aside = scratch_name(path)
    aside.mkdir()
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def is_scratch_of(path: Path, other: Path) -> bool:
    """Whether a path is a scratch name of another one, whoever owns it."""
    found = OURS.fullmatch(other.name)
    return found is not None and found[1] == path.name[:LONGEST_NAME]


def remove_orphans(folder: Path) -> None:
    """Remove scratch files and folders in a folder whose process is gone; those of live processes stay.

    A process of another machine cannot be seen: its scratch goes when it has not changed for a week.
    """
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".tmp") and _is_orphan(entry):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    with contextlib.suppress(OSError):
                        os.unlink(entry.path)  # noqa: PTH108 (an entry of os.scandir)


def _is_orphan(entry: "os.DirEntry[str]") -> bool:
    found = OURS.fullmatch(entry.name)
    if not found:
        return False
    _, machine, pid, born = found.groups()
    if machine == digest_of_machine():
        space = this_process().born.partition(" ")[0]
        return Process(int(pid), f"{space} {born}" if born else "").lives() is False
    try:
        changed = entry.stat(follow_symlinks=False).st_mtime
    except OSError:
        return False
    return time.time() - changed > FORGOTTEN_SECONDS
