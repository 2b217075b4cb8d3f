"""Parts of a data set in the mirror's form: which of them a folder has, and which one a file belongs to.

A part is taken whole or not at all. Of one that is there nothing is taken again, whatever its files are called in
another copy: two generations of a split, or photographs in two kinds of folders, would count twice.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.data.mirror.door.shards import missing_shard
from nacbench.data.mirror.door.tree import expanded, fits, has_signs
from nacbench.data.mirror.unpack import SUFFIXES
from nacbench.errors import BrokenFileError

if TYPE_CHECKING:
    from nacbench.data.mirror.door.distribution import DataSet


class Parts:
    """The parts of a data set, and those that a folder has.

    Args:
        known: the data set.
        place: the folder, which need not exist.

    Attributes:
        place: the folder.
        there: the parts that the folder has.
        torn: of the parts of which it has something, but not all, the first file or pattern that is missing.
    """

    def __init__(self, known: DataSet, place: Path) -> None:
        self.place = place
        self._ways = {part: [expanded(own) for own in known.patterns_of(part)] for part in known.parts}
        self._by_first: dict[str, list[tuple[str, str]]] = {}  # patterns by their first part, or "" if it has signs
        for part, ways in self._ways.items():
            for pattern in (own for way in ways for own in way):
                first = pattern.partition("/")[0]
                self._by_first.setdefault("" if has_signs(first) else first, []).append((part, pattern))
        self.there: set[str] = set()
        self.torn: dict[str, str] = {}
        for part, ways in self._ways.items():
            found = [[_found(place, pattern) for pattern in way] for way in ways]
            if any(all(lack is None for _, lack in way) for way in found):
                self.there.add(part)
            elif some := next((way for way in found if any(there for there, _ in way)), None):
                self.torn[part] = next(lack for _, lack in some if lack)

    @property
    def names(self) -> set[str]:
        """The names of all parts."""
        return {*self._ways}

    def of(self, target: str) -> set[str]:
        """Return the parts that a file belongs to, by its path in the folder."""
        first = target.partition("/")[0]
        near = (*self._by_first.get(first, ()), *self._by_first.get("", ()))
        return {part for part, pattern in near if fits(target, pattern)}

    def has(self, target: str, others: Collection[str] = ()) -> str | None:
        """Return why a file must not be taken: the name of a part that is there, or its own if it is of none; or None.

        Args:
            target: its path in the folder.
            others: more parts that count as if they were there.

        Raises:
            BrokenFileError: if something of its part is there, but not all.
        """
        own = self.of(target)
        if not own:
            return target if target and os.path.lexists(self.place / target) else None
        for part in sorted(own):
            if part in self.there or part in others:
                return part
            if part in self.torn:
                raise BrokenFileError(
                    f"{self.place} has something of {part}, but lacks {self.torn[part]}; complete it, or remove it "
                    "and import again"
                )
        return None

    def now_in(self, targets: Iterable[str]) -> set[str]:
        """Return the parts that some files belong to."""
        return set().union(*map(self.of, targets))


class LeftOut:
    """Says of each file of a copy whether it is left out, as the mirror has its part, and keeps what to tell of them.

    Args:
        parts: of the data set.
        others: parts that come from another copy in the same import.
    """

    def __init__(self, parts: Parts, others: Collection[str]) -> None:
        self._parts = parts
        self._others = others
        self._files: dict[str, list[str]] = {}  # by what is there

    def __call__(self, target: str, like: str = "") -> bool:
        """Return whether a file or folder is left out.

        Args:
            target: its path in the mirror.
            like: path of a file in it, by which its part is known, if it is a folder.
        """
        there = self._parts.has(like or target, self._others)
        if there is not None:
            self._files.setdefault(there, []).append(target)
        return there is not None

    def told(self, where: str) -> list[str]:
        """Return a line for each part of which files were left out."""
        return [
            f"left out: {files[0]}{f' and {len(files) - 1:,} more' if len(files) > 1 else ''} of {where}; {part} is "
            "there already"
            for part, files in self._files.items()
        ]


def lack_of(folder: Path, pattern: str) -> str | None:
    """Return what is missing of a pattern in a folder: the pattern, or one of several files that are one; or None."""
    return _found(folder, pattern)[1]


def told_lack(folder: Path, pattern: str) -> str:
    """Return what there is of a pattern in a folder that lacks something of it, for messages."""
    there, lack = _found(folder, pattern)
    if there:
        return f"{sum(map(_is_data, folder.glob(pattern)))} files match {pattern}, but there is no {lack}"
    packed = min((path.name for path in folder.glob(pattern) if path.is_file()), default=None)
    return f"0 files match {pattern}" + (f", as {packed} is an archive, which must be unpacked there" if packed else "")


def _found(folder: Path, pattern: str) -> tuple[bool, str | None]:
    """Return whether anything in a folder matches, and what is missing, if anything is.

    An empty folder is nothing, and so is an archive, which no reader opens, unless the pattern names one.
    """
    packed = pattern.lower().endswith(SUFFIXES)
    matches = (path for path in folder.glob(pattern) if _is_data(path) or (packed and path.is_file()))
    first = next(matches, None)
    if first is None:
        return False, pattern
    if missing_shard([first.name]) is None:
        return True, None
    return True, missing_shard(sorted([first.name, *(path.name for path in matches)]))


def _is_data(path: Path) -> bool:
    if path.is_dir():
        return next(path.iterdir(), None) is not None
    return path.is_file() and not path.name.lower().endswith(SUFFIXES)  # and no link that leads nowhere
