"""Turn an error of the user's or of the system, such as a full disk, into one line that names the way out."""

import errno
import os
import sys
import sysconfig
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import typer

from nacbench.errors import UserError, shown
from nacbench.machine.memory import is_out_of_memory, out_of_memory_line

FULL = "make room, or name another place"
DENIED = "name another place, or get the right to use this one"
NO_FOLDER = "this must be a folder: name another place, or move the file away"
NO_FILE = "this must be a file: name another place"
ELSEWHERE = "name another place"
WAYS_OUT = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EACCES: DENIED,
    errno.EPERM: DENIED,
    errno.ENOTDIR: NO_FOLDER,
    errno.EEXIST: NO_FOLDER,
    errno.EISDIR: NO_FILE,
    errno.ELOOP: "these links lead back to themselves: correct them, or name another place",
    errno.ENAMETOOLONG: "name a place with a shorter path",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f), or name a place on another file system",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "this machine has too many open files: close some, or use another machine",
    errno.ENOMEM: "free memory, or use another machine",
    errno.EAGAIN: "this machine or your limit (ulimit -u) allows no more processes or locks: end some",
    errno.EIO: "the disk or its server fails: try again, or name another place",
    errno.ESTALE: "the file server lost this place: try again, or mount it again",
    errno.EROFS: ELSEWHERE,
}
# An open file is written without its name, and these are of the system whatever the code does
NAMELESS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EIO}
NAMELESS |= {errno.ESTALE, errno.EROFS}
# typer has click's classes inside, of which it shows this one
Usage: Any = typer.BadParameter.__base__
CODE = [Path(__file__).parents[2], *(Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib"))]


def check_words(words: Sequence[str]) -> None:
    """Check that the working folder exists, and that the words of the command line are UTF-8 and not empty.

    All are refused before hours of computing: pyarrow, for one, takes no path that is not UTF-8, and an empty path,
    as of a shell's variable that is not set, would be the working folder.

    Raises:
        UserError: if the folder does not exist, or a word or the value of an option is empty.
        UnicodeEncodeError: if a word is not UTF-8.
    """
    try:
        Path.cwd()
    except OSError as error:
        raise UserError(f"cannot use the working folder: {error.strerror}; change to one that exists (cd)") from None
    for before, word in pairwise(words):
        if not word or (word.startswith("--") and word.endswith("=")):
            place = word or f"the word after {shown(before)}"
            raise UserError(f"{place} is empty; is a variable of the shell not set?")
        word.encode()


def explained(error: BaseException) -> str | None:
    """Return one line if the user can fix the error; None if it may be a bug, whose traceback is needed."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, Usage):
        return _of_usage(error, sys.argv)
    if isinstance(error, OSError):
        return _of_system(error)
    if is_out_of_memory(error):
        return out_of_memory_line(error)
    # Python decodes names that are not UTF-8 to these characters
    if isinstance(error, UnicodeEncodeError) and "\udc80" <= error.object[error.start] <= "\udcff":
        return _of_name(error.object)
    return None


def _of_name(name: str) -> str:
    """Return one line for a name with bytes that Python could not decode: of the name, or of the locale."""
    try:
        meant = os.fsencode(name).decode()
    except UnicodeError:
        return f"{shown(name)} is not UTF-8: give it a name in UTF-8, or name another place"
    encoding = sys.getfilesystemencoding()
    return f"{shown(meant)} is a name in UTF-8, and this locale has {encoding}: set LC_ALL=C.UTF-8"


def _of_usage(error: Any, words: Sequence[str]) -> str:
    """Return one line for words that are no request: an option with its value, and what is wrong with it."""
    message = error.format_message().strip().rstrip(".")
    option = next((name for name in getattr(getattr(error, "param", None), "opts", ()) if name.startswith("-")), "")
    if option and message.startswith("Invalid value for"):
        names, parts = error.param.opts, [word.partition("=") for word in words]
        given = [after for before, after in pairwise(words) if before in names]
        given += [value for name, sign, value in parts if name in names and sign]
        message = message.partition(": ")[2] or message
        message = f"{option}{f' {shown(given[0])}' if given else ''}: {message[:1].lower()}{message[1:]}"
    else:
        message = f"{message[:1].lower()}{message[1:]}"
    about = "" if "did you mean" in message or error.ctx is None else f"; see {error.ctx.command_path} --help"
    return f"{message}{about}"


def standing(path: Path) -> Path:
    """Return the path or its nearest existing parent, which is what refused to be used. Broken links count."""
    return next((place for place in (path, *path.parents) if os.path.lexists(place)), path)


def _of_system(error: OSError) -> str | None:
    """Return one line, or None for a bug.

    An error with a path is of the place that the user named, unless the path is one of the installed code.
    """
    number = error.errno or 0
    reason = f"{error.strerror or error}"
    way_out = WAYS_OUT.get(number, ELSEWHERE)
    named = error.filename2 or error.filename  # os.rename sets filename2 to the destination
    path = Path(os.fsdecode(named)) if isinstance(named, str | bytes | os.PathLike) else None
    if path is None or any(path.absolute().is_relative_to(folder) for folder in CODE):
        return f"{reason}; {way_out}" if number in NAMELESS else None
    place = str(path if number in (errno.ENOENT, errno.ENAMETOOLONG) else standing(path))
    return f"cannot use {place if len(place) <= 200 else place[:199] + '…'}: {reason}; {way_out}"
