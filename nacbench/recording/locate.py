"""The folder of a run that is named by its path, or by the first characters of its id."""

import os
import re
from pathlib import Path

from nacbench.errors import UserError
from nacbench.filesystem.files import absolute
from nacbench.recording.bounded import ID
from nacbench.recording.walk import Walk

SHOWN = 4  # folders in an error


def locate(name: str, store: Path) -> Path:
    """Return the folder of a run, given as a path or as a prefix of its id.

    Raises:
        UserError: if it is neither, or several ids start with it.
    """
    path = Path(name)  # of an empty name it is the working folder, which nobody has named
    if name and path.is_dir():
        return path
    folders, problems = _with_id(name, store) if name.isalnum() else ([], [])
    if len(folders) == 1:
        return folders[0]
    found = "; ".join([f"no id in {store} starts with it", *problems[:1]])
    if folders:
        some = ", ".join(map(str, folders[:SHOWN])) + (" …" if len(folders) > SHOWN else "")
        found = f"ids of {len(folders)} runs start with it: {some}; give more of the id, or the folder"
    raise UserError(f"{name!r} is not a run's folder; {found}")


def _with_id(name: str, store: Path) -> tuple[list[Path], list[str]]:
    """Return the folders of runs in a store whose ids begin so, and a line for each that could not be looked into.

    If none is where this store keeps runs, they are looked for at any depth, as all that list runs do: a folder of
    stores, a part of one, and links are named as often.
    """
    # copies and other folders beside runs have names that are no ids
    folders = [one for one in sorted(store.glob(f"*/*/{name}*")) if re.fullmatch(ID, one.name)]
    if folders or not store.is_dir():
        return folders, []
    walk, top = Walk(), absolute(store)
    places = [*(folder for folder, *_ in walk.below(top)), *walk.unfinished]
    ids = [place for place in places if Path(place).name.startswith(name) and re.fullmatch(ID, Path(place).name)]
    return [store / os.path.relpath(place, top) for place in sorted(set(ids))], walk.problems
