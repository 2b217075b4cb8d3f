"""Tables of texts and their classes as CSV or JSON lines, whatever their columns are called."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from nacbench.data.mirror.door.damage import whole_text
from nacbench.data.mirror.door.found import Content, FoundCopy, Member, Row
from nacbench.data.mirror.door.readers.base import Column, Reader, Table
from nacbench.data.mirror.door.readers.label_lists import MARK
from nacbench.data.mirror.door.readers.pixels import label_of
from nacbench.data.mirror.door.readers.tables import USUAL
from nacbench.errors import BrokenFileError, shown
from nacbench.formats.reading import parse_json

NUMBER = re.compile(r"[0-9]{1,9}")  # of a class; Python refuses to convert thousands of digits
LARGEST = 2**30  # bytes; IMDb's training reviews have 33 MB


class TextTables(Reader):
    """Rows with a text and a class: its name, or its number in the data set's order. A file's role is its split."""

    kind: Literal["text-tables"]

    def content(self, copy: FoundCopy, table: Table) -> Content:
        return Content(
            rows={split: self._rows(copy.only(split), table) for split in table.splits}, classes=table.class_names
        )

    def _rows(self, member: Member, table: Table) -> Iterator[Row]:
        names = table.class_names or ()
        for where, row in _objects(member):
            values = {own: _value(row, own, kind, where) for own, kind in table.columns.items()}
            label = table.column("class")
            if NUMBER.fullmatch(values[label]):
                values[label] = label_of(int(values[label]), names, where)
            yield Row(where, values, size=sum(len(value) for value in values.values()))


def _objects(member: Member) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the place and the content of each row."""
    text = whole_text(member.file, member.shown, LARGEST).removeprefix(MARK)
    if member.file.suffix.lower() == ".csv":
        yield from _csv_rows(text, member)
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            where = f"{member.shown}, line {number}"
            found = parse_json(line, where, unicode_only=True)
            if not isinstance(found, dict):
                raise BrokenFileError(f"{where}: {shown(found)} is not an object of JSON; get the file again")
            yield where, found


def _csv_rows(text: str, member: Member) -> Iterator[tuple[str, Mapping[str, Any]]]:
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        names = rows.fieldnames or ()
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise BrokenFileError(f"{member.shown} has two columns {twice!r}; remove one")
        for number, row in enumerate(rows):
            where = f"{member.shown}, row {number}"
            if None in row or None in row.values():
                raise BrokenFileError(f"{where} has not as many cells as the header; get the file again")
            yield where, row
    except csv.Error as error:  # such as a quote that never ends, in a file that was cut
        raise BrokenFileError(f"{member.shown}, line {rows.reader.line_num}: {error}; get the file again") from None


def _value(row: Mapping[str, Any], own: str, kind: Column, where: str) -> str:
    name = next((name for name in (own, *USUAL[kind]) if name in row), None)
    if name is None:
        there = ", ".join(row)
        raise BrokenFileError(f"{where} has no column {own!r}, nor one that is usually called so; it has: {there}")
    value = row[name]
    if isinstance(value, bool) or not isinstance(value, str | int) or (kind == "text" and not isinstance(value, str)):
        raise BrokenFileError(f"{where}: its {own} is {shown(value)}; get the file again")
    return str(value)
