"""Checks of what a script gives to the Python API: a path, a name, or several."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar, cast

from nacbench.errors import UserError, shown

PathLike = str | os.PathLike[str]
Name = TypeVar("Name", str, PathLike)


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


def paths(name: str, given: PathLike | Sequence[PathLike]) -> list[Path]:
    """Return one path or several as a list; see `path`."""
    return [path(name, one) for one in several(given)]


def folders_of_runs(name: str, given: PathLike | Sequence[PathLike]) -> list[Path]:
    """Return folders to read, at least one; see `path`."""
    found = paths(name, given)
    if not found:
        raise UserError(f"{name} = {shown(given)}: give at least one folder of runs, such as 'runs'")
    return found


def folder_to_write(name: str, given: object) -> Path:
    """Return a folder that may not exist yet; see `path`.

    Raises:
        UserError: also if the folder, or one above it, is a file.
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


def words(name: str, given: str | Sequence[str]) -> list[str]:
    """Return one name or several as a list; see `word`."""
    return [word(name, one) for one in several(given)]


def several(given: Name | Sequence[Name]) -> Sequence[Name]:
    """Return one name or several as a sequence; a text is a sequence too, of its letters, and nobody means these."""
    return cast(
        "Sequence[Name]", list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    )
