"""Tables of images whose classes are in the names of the image files, as in the hub's imagenet-1k."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from nacbench.data.mirror.door.found import Content, FoundCopy, Member, Row
from nacbench.data.mirror.door.readers.base import Reader, Table
from nacbench.data.mirror.door.readers.tables import image_of
from nacbench.data.mirror.parquet import read_rows
from nacbench.errors import BrokenFileError, shown


class NamedImages(Reader):
    """Parquet files whose images have a path. The role of a file is its split.

    Attributes:
        image, label: columns of the image, and of the class's number. Of the number only this is asked: that it stands
            for one class, and a class for one number.
        match: regular expression of the class in the path; the last match counts.
        strip: regular expression of what the hub has added to the name that the image's file has elsewhere.
    """

    kind: Literal["named-images"]
    image: str
    label: str
    match: str
    strip: str

    def content(self, copy: FoundCopy, table: Table) -> Content:
        known: dict[object, object] = {}
        return Content(
            rows={
                split: (row for member in members for row in self._rows(member, known, table))
                for split, members in copy.members.items()
            }
        )

    def _rows(self, member: Member, known: dict[object, object], table: Table) -> Iterator[Row]:
        """Yield the rows of a file; ``known`` has numbers by class and classes by number of the rows before."""
        image, label = table.column("image"), table.column("class")
        for number, row in enumerate(read_rows(member.file, [self.image, self.label], member.shown)):
            where = f"{member.shown}, row {number}"
            content, path = image_of(row[self.image], where)
            found = re.findall(self.match, path)
            if not found:
                raise BrokenFileError(
                    f"{where}: the path of its image, {shown(path)}, has no name of a class ({self.match}), and the "
                    "numbers of classes have no names either; take a copy with the paths in it"
                )
            pair = row[self.label], found[-1]
            if known.setdefault(pair[0], pair[1]) != pair[1] or known.setdefault(pair[1], pair[0]) != pair[0]:
                raise BrokenFileError(
                    f"{where}: its class is number {shown(pair[0])}, and its image is {shown(path)}, but other rows "
                    f"have {shown(known[pair[0]])} for the one or {shown(known.get(pair[1]))} for the other"
                )
            name = re.sub(self.strip, "", path.rpartition("/")[2])
            yield Row(where, {image: content, label: found[-1]}, name, len(content))
