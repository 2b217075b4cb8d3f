"""NLVR as its repository has it: JSON lines, and six orderings of the boxes of each picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from nacbench.data.mirror.door.found import Content, FoundCopy, Row
from nacbench.data.mirror.door.readers.base import Reader, Table
from nacbench.data.mirror.door.readers.json_lines import text_objects
from nacbench.errors import BrokenFileError, shown
from nacbench.formats.reading import read_bytes

ORDERING = 0  # of the six, which differ in the order of the three boxes only


class NlvrLines(Reader):
    """Each line becomes a row with the first ordering of its picture.

    Attributes:
        split: of the rows.
        name: with which the names of its pictures begin: ``NAME-IDENTIFIER-ORDERING.png``.
        lines, images: roles of the file of lines, and of the pictures.
    """

    kind: Literal["nlvr-lines"]
    split: str
    name: str
    lines: str = "lines"
    images: str = "images"

    def roles(self) -> set[str]:
        return {self.lines, self.images}

    def content(self, copy: FoundCopy, table: Table) -> Content:
        return Content(rows={self.split: self._rows(copy)})

    def _rows(self, copy: FoundCopy) -> Iterator[Row]:
        pictures = {member.part(-1): member for member in copy.members[self.images]}
        known: set[object] = set()
        for where, line in text_objects(copy.only(self.lines), ("identifier", "sentence", "label")):
            identifier = f"{line['identifier']}-{ORDERING}"
            picture = f"{self.name}-{identifier}.png"
            member = pictures.get(picture)
            if member is None:
                raise BrokenFileError(f"{where}: its picture {shown(picture)} is not there; copy it, too")
            if identifier in known:
                raise BrokenFileError(f"{where}: the identifier {shown(line['identifier'])} is there twice")
            known.add(identifier)
            content = read_bytes(member.file)
            values = {"identifier": identifier, "sentence": str(line["sentence"]), "label": str(line["label"])}
            yield Row(f"{where} ({member.shown})", {**values, "image": content}, member.part(-1), len(content))
