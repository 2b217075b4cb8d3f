"""Folders of text files, one file an example; the folder is its class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from nacbench.data.mirror.door.damage import damage_at_start
from nacbench.data.mirror.door.found import Content, FoundCopy, Member, Row
from nacbench.data.mirror.door.readers.base import Reader, Table, by_number
from nacbench.errors import BrokenFileError
from nacbench.formats.reading import read_text


class TextFolders(Reader):
    """Text files become rows, by class and then by the numbers in their names.

    Attributes:
        splits: by split and name of a class, the role of its files.
    """

    kind: Literal["text-folders"]
    splits: dict[str, dict[str, str]]

    def roles(self) -> set[str]:
        return {role for own in self.splits.values() for role in own.values()}

    def content(self, copy: FoundCopy, table: Table) -> Content:
        rows = {split: self._rows(copy, roles, table) for split, roles in self.splits.items()}
        return Content(rows=rows, classes=table.class_names or sorted(set().union(*self.splits.values())))

    def _rows(self, copy: FoundCopy, roles: Mapping[str, str], table: Table) -> Iterator[Row]:
        text, label = table.column("text"), table.column("class")
        for name, role in roles.items():
            for member in sorted(copy.members[role], key=lambda own: by_number(own.name)):
                content = _text(member)
                yield Row(member.shown, {text: content, label: name}, size=member.file.stat().st_size)


def _text(member: Member) -> str:
    wrong = damage_at_start(member.file)
    if wrong:
        raise BrokenFileError(f"{member.shown} {wrong}")
    try:
        content = read_text(member.file)
    except BrokenFileError as error:
        raise BrokenFileError(str(error).replace(str(member.file), member.shown)) from error
    if not content.strip():
        raise BrokenFileError(f"{member.shown} is empty; get it again")
    return content
