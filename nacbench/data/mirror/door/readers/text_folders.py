"""Folders of text files, one file an example; the folder is its class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from nacbench.data.mirror.door.damage import whole_text
from nacbench.data.mirror.door.found import Content, FoundCopy, Row
from nacbench.data.mirror.door.readers.base import Reader, Table, by_number


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
                content = whole_text(member.file, member.shown)
                yield Row(member.shown, {text: content, label: name}, size=member.file.stat().st_size)
