"""Locks, and names that only one process can take, also on file systems without flock or hard links."""

import errno
import fcntl
import os
from pathlib import Path


def try_lock(descriptor: int, *, shared: bool = False) -> bool | None:
    """Lock an open file (flock) without waiting; closing it, or the end of the process, unlocks it.

    Returns:
        True if it is locked now, False if another process has it, None if this file system has no locks: Lustre
        without ``-o flock``, for example, or NFS without its lock service.
    """
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        # EACCES: some network file systems make flock from fcntl's locks, which may say so
        return False if isinstance(error, BlockingIOError) or error.errno == errno.EACCES else None
    return True


def place_first(aside: Path, path: Path) -> None:
    """Give a file a second name, unless it is taken; the caller removes the first name.

    Without hard links (exFAT, some FUSE and SMB mounts) an empty file takes the name, and the file then replaces it:
    for a moment others see it empty, and ``aside`` is gone afterwards.

    Raises:
        FileExistsError: if another process was first.
        OSError: from the file system.
    """
    try:
        os.link(aside, path)  # not a rename, which would replace an existing file
    except (FileExistsError, FileNotFoundError):
        raise
    except OSError:  # whatever the reason, a file that cannot be created has its own error, which is the right one
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        try:
            os.replace(aside, path)  # noqa: PTH105 (as the other calls here)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
