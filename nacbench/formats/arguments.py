"""Checks of what a script gives to the Python API: paths, names, flags."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from nacbench.errors import UserError, shown


def path(name: str, given: object) -> Path:
    """Return a given path.

    Raises:
        UserError: if it is no path, or empty, as of a variable that is not set: it would be the working folder.
    """
    if not isinstance(given, str | os.PathLike):
        raise UserError(f"{name} = {shown(given)}: give a path")
    if given == "":
        raise UserError(f"{name} = '': the path is empty; give '.' for the working folder")
    return Path(given)


def paths(name: str, given: object) -> list[Path]:
    """Return one path or several as a list.

    Raises:
        UserError: as `path`.
    """
    return [path(name, one) for one in _several(given)]


def folders_of_runs(name: str, given: object) -> list[Path]:
    """Return folders to read, at least one.

    Raises:
        UserError: as `path`, or if there is none.
    """
    found = paths(name, given)
    if not found:
        raise UserError(f"{name} = {shown(given)}: give at least one folder of runs, such as 'runs'")
    return found


def folder_to_write(name: str, given: object) -> Path:
    """Return a folder that may not exist yet.

    Raises:
        UserError: as `path`, or if the folder, or one above it, is a file.
    """
    place = path(name, given)
    there = next((one for one in (place, *place.parents) if one.exists()), None)
    if there is not None and not there.is_dir():
        raise UserError(f"{name} = {shown(str(place))}: {there} is a file, and must be a folder; name another place")
    return place


def word(name: str, given: object) -> str:
    """Return a given name.

    Raises:
        UserError: if it is no text.
    """
    if not isinstance(given, str):
        raise UserError(f"{name} = {shown(given)}: give a name, as text")
    return given


def words(name: str, given: object) -> list[str]:
    """Return one name or several as a list.

    Raises:
        UserError: as `word`.
    """
    return [word(name, one) for one in _several(given)]


def check_flags(**flags: object) -> None:
    """Refuse what is neither true nor false: Python takes the text ``"no"`` for true.

    Raises:
        UserError: naming the first such flag.
    """
    for name, given in flags.items():
        if not isinstance(given, bool):
            raise UserError(f"{name} = {shown(given)}: give True or False")


def _several(given: object) -> list[object]:
    """Return one name or several as a list; a text is a sequence too, of its letters, and nobody means these."""
    return list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
