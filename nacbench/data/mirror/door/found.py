"""A copy that was recognised, as its reader gets it: real files by their role, and rows that become Parquet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.errors import BrokenFileError

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Member:
    """A file of a copy.

    Attributes:
        name: its path inside the copy.
        file: where it can be read.
        shown: its path as the user knows it, for messages; inside an archive, if it came in one.
        unpacked: whether the file was unpacked for this import, and may be removed when it has been read.
    """

    name: str
    file: Path
    shown: str
    unpacked: bool = False

    def part(self, number: int) -> str:
        """Return one part of ``name``; negative numbers count from its end."""
        return self.name.split("/")[number]


@dataclass(frozen=True)
class FoundCopy:
    """A copy of a data set.

    Attributes:
        members: its files by role, as its distribution names them, sorted by name.
        shown: where it is, as the user knows it.
    """

    members: Mapping[str, Sequence[Member]]
    shown: str

    def only(self, role: str) -> Member:
        """Return the one file of a role.

        Raises:
            BrokenFileError: if there are several.
        """
        found = self.members[role]
        if len(found) != 1:
            raise BrokenFileError(f"{found[0].shown} and {found[1].shown} are two files of one kind; remove one")
        return found[0]


@dataclass(frozen=True)
class Row:
    """An example.

    Attributes:
        where: file and row or line, for messages.
        values: by column: an image as bytes of its file or as pixels (uint8 H×W×3), the *name* of a class, or text.
        name: of the file it came from, which Parquet files keep beside an image.
        size: bytes that were read for it, for the progress bar.
        file: holds its image and nothing else; None if there is none.
    """

    where: str
    values: Mapping[str, bytes | str | np.ndarray]
    name: str = ""
    size: int = 0
    file: Member | None = None


@dataclass(frozen=True)
class File:
    """A file that is taken as it is: where it is, and its path in the mirror."""

    member: Member
    target: str


@dataclass(frozen=True)
class Content:
    """What a reader takes from a copy: rows, files, or both.

    Attributes:
        rows: examples by split; they are written in the mirror's form, unless there are files.
        files: taken as they are; the rows are then the content of these files, and only checked.
        made: path in the mirror and content of files that the reader makes, one after the other.
        counts: number of examples by split of files that have no rows; complete when all files are made.
        classes: names of the classes in their order; None if the data set's own order is meant, or there are none.
    """

    rows: Mapping[str, Iterable[Row]] = field(default_factory=dict)
    files: Sequence[File] = ()
    made: Iterable[tuple[str, bytes]] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    classes: Sequence[str] | None = None
