"""Text files with an example in each line: a text and the name of its class."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from nacbench.data.mirror.door.damage import damage_at_start
from nacbench.data.mirror.door.found import Content, File, FoundCopy, Member, Row
from nacbench.data.mirror.door.readers.base import Reader, Table
from nacbench.errors import BrokenFileError, shown
from nacbench.formats.reading import open_regular

LONGEST = 2**24  # bytes of a line


class LabelledLines(Reader):
    """The files are checked line by line and taken as they are. The role of a file is its split.

    Attributes:
        header: the first line.
        text: regular expression that every text matches as a whole.
    """

    kind: Literal["labelled-lines"]
    header: str
    text: str = ".+"

    def content(self, copy: FoundCopy, table: Table) -> Content:
        members = {split: copy.only(split) for split in table.splits}
        return Content(
            rows={split: self._rows(member, table) for split, member in members.items()},
            files=[File(member, table.splits[split]) for split, member in members.items()],
            classes=table.class_names,
        )

    def _rows(self, member: Member, table: Table) -> Iterator[Row]:
        wrong = damage_at_start(member.file)
        if wrong:
            raise BrokenFileError(f"{member.shown} {wrong}")
        fits = re.compile(self.text)
        text, label = table.column("text"), table.column("class")
        with open_regular(member.file) as stream:
            for number, line in enumerate(iter(lambda: stream.readline(LONGEST), b""), 1):
                where = f"{member.shown}, line {number}"
                content = line.decode(errors="replace").rstrip("\r\n")
                if number == 1:
                    if content != self.header:
                        raise BrokenFileError(f"{where} is {shown(content)}, not {self.header!r}; get the file again")
                    continue
                found, tab, name = content.partition("\t")
                if not tab:
                    raise BrokenFileError(f"{where} has no tab before a label, so it is cut; get the file again")
                if not fits.fullmatch(found):
                    raise BrokenFileError(f"{where}: its text is {shown(found)}, which is damaged; get the file again")
                yield Row(where, {text: found, label: name}, size=len(line))
