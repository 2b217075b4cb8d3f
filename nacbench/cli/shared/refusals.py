"""What the file system refuses, as one line that names the place and the way out."""

import errno
import os
from pathlib import Path

FULL = "make room, or name another place"
DENIED = "name another place, or get the right to use this one"
NO_FOLDER = "a folder is wanted there: name another place, or move the file away"
NO_FILE = "a file is wanted there: name another place"
WAYS_OUT = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EACCES: DENIED,
    errno.EPERM: DENIED,
    errno.EROFS: "name another place",
    errno.ENOTDIR: NO_FOLDER,
    errno.EEXIST: NO_FOLDER,
    errno.EISDIR: NO_FILE,
}


def explained(error: OSError) -> str | None:
    """One line for what is the user's to mend; None for what may be a mistake in the code, which needs its traceback.

    A full disk needs no file's name, as writing to an open file gives none; anything else does.
    """
    way_out = WAYS_OUT.get(error.errno or 0)
    named = error.filename2 or error.filename  # of a renaming: where to
    if way_out is FULL and not isinstance(named, str | os.PathLike):
        return f"{error.strerror}; {way_out}"
    if way_out is None or not isinstance(named, str | os.PathLike):
        return None
    place = standing(Path(named))
    if way_out is NO_FOLDER and place.is_dir():
        return None
    return f"cannot use {place}: {error.strerror}; {way_out}"


def standing(path: Path) -> Path:
    """The path, or the nearest one above it that is there: what refuses to hold what is below. Broken links count."""
    return next((place for place in (path, *path.parents) if os.path.lexists(place)), path)
