"""Turn an OSError, such as a full disk, into one line that names the path and the way out."""

import errno
import os
from pathlib import Path

FULL = "make room, or name another place"
DENIED = "name another place, or get the right to use this one"
NO_FOLDER = "this must be a folder: name another place, or move the file away"
NO_FILE = "this must be a file: name another place"
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
    """Return one line if the user can fix the error; None if it may be a bug, whose traceback is needed.

    Errors without a file name are taken for bugs, except a full disk: a write to an open file does not name it.
    """
    way_out = WAYS_OUT.get(error.errno or 0)
    named = error.filename2 or error.filename  # os.rename sets filename2 to the destination
    if way_out is FULL and not isinstance(named, str | os.PathLike):
        return f"{error.strerror}; {way_out}"
    if way_out is None or not isinstance(named, str | os.PathLike):
        return None
    place = standing(Path(named))
    if way_out is NO_FOLDER and place.is_dir():  # the folder is fine: the code must have used it wrongly
        return None
    return f"cannot use {place}: {error.strerror}; {way_out}"


def standing(path: Path) -> Path:
    """Return the path or its nearest existing parent, which is what refused to be used. Broken links count."""
    return next((place for place in (path, *path.parents) if os.path.lexists(place)), path)
