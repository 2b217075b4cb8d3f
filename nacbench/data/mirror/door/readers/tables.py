"""Tables as the hub, its libraries and pandas write them (Parquet, Arrow), whatever their columns are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from nacbench.data.mirror.door.found import Content, File, FoundCopy, Member, Row
from nacbench.data.mirror.door.readers.base import Column, Reader, Table
from nacbench.data.mirror.door.readers.pixels import label_of, pixels_of
from nacbench.data.mirror.door.shards import two_generations
from nacbench.data.mirror.parquet import class_names, column_names, read_rows
from nacbench.errors import BrokenFileError, shown
from nacbench.filesystem.files import digest_of

# Names that owners of copies give to columns of each kind, after the data set's own
USUAL: Mapping[Column, Sequence[str]] = {
    "image": ("image", "img", "images", "picture", "photo", "jpg", "jpeg", "png"),
    "class": ("label", "labels", "fine_label", "fine_labels", "class", "target", "y", "cls", "answer", "sentiment"),
    "text": ("text", "sentence", "review", "content", "txt"),
}


class Tables(Reader):
    """Parquet or Arrow files. The role of a file is its split.

    Files with the data set's own columns, and its names of classes, are taken as they are; others are written again.

    Attributes:
        columns: name in the copy of each column, where it is neither the data set's own nor a usual one.
    """

    kind: Literal["tables"] = "tables"
    columns: dict[str, str] = {}

    def content(self, copy: FoundCopy, table: Table) -> Content:
        splits = {split: members for split, members in copy.members.items() if split in table.splits}
        for members in splits.values():
            _refuse_twice(members)
        others = [member for own in splits.values() for member in own if member.file.suffix != ".parquet"]
        if not table.columns:  # nothing is known of the content, as of a plug-in's data set
            if others:
                raise BrokenFileError(
                    f"{others[0].shown} cannot be converted, as it is not known which columns the data set has; write "
                    "Parquet with to_parquet of the library datasets"
                )
            return Content(files=_as_they_are(splits, table))
        sources = {member.name: self._sources(member, table) for own in splits.values() for member in own}
        known = [sources[member.name].names for own in splits.values() for member in own]
        classes = table.class_names or next((names for names in known if names), None)
        own = not others and all(source.is_own(table) for source in sources.values())
        rows = {split: self._all_rows(members, sources, classes, table) for split, members in splits.items()}
        if own and ("class" not in table.columns.values() or all(known)):
            return Content(rows=rows, files=_as_they_are(splits, table), classes=classes)
        return Content(rows=rows, classes=classes or self._found_names(splits, sources, table))

    def _sources(self, member: Member, table: Table) -> _Sources:
        there = column_names(member.file, member.shown)
        columns = {own: self._column(own, kind, there, member) for own, kind in table.columns.items()}
        label = next((columns[own] for own, kind in table.columns.items() if kind == "class"), None)
        return _Sources(columns, class_names(member.file, label, member.shown) if label else None)

    def _column(self, own: str, kind: Column, there: Sequence[str], member: Member) -> str:
        for name in (self.columns.get(own, own), own, *USUAL[kind]):
            if name in there:
                return name
        raise BrokenFileError(
            f"{member.shown} has no column {own!r}, nor one that is usually called so ({', '.join(USUAL[kind])}); it "
            f"has: {', '.join(there)}"
        )

    def _all_rows(
        self,
        members: Sequence[Member],
        sources: Mapping[str, _Sources],
        classes: Sequence[str] | None,
        table: Table,
    ) -> Iterator[Row]:
        for member in members:
            yield from _rows(member, sources[member.name], classes, table)

    def _found_names(
        self, splits: Mapping[str, Sequence[Member]], sources: Mapping[str, _Sources], table: Table
    ) -> Sequence[str] | None:
        """Return the names of classes in a column of text, sorted; None if there is no column of classes."""
        if "class" not in table.columns.values():
            return None
        found = set()
        for member in (member for own in splits.values() for member in own):
            column = sources[member.name].columns[table.column("class")]
            for number, row in enumerate(read_rows(member.file, [column], member.shown)):
                if not isinstance(row[column], str):
                    raise BrokenFileError(
                        f"{member.shown}, row {number}: its class is {shown(row[column])}, and neither this file nor "
                        "the data set has the names of the classes; take a copy with names"
                    )
                found.add(row[column])
        return sorted(found)


class _Sources:
    """Where a file has the data set's columns, and the names of its classes."""

    def __init__(self, columns: Mapping[str, str], names: Sequence[str] | None) -> None:
        self.columns = columns
        self.names = names

    def is_own(self, table: Table) -> bool:
        """Return whether the file has columns and classes of the data set's own names."""
        ours = table.class_names
        names = {table.synonyms.get(name, name) for name in self.names or ()}
        return all(own == name for own, name in self.columns.items()) and (ours is None or names <= set(ours))


def _rows(member: Member, sources: _Sources, classes: Sequence[str] | None, table: Table) -> Iterator[Row]:
    for number, row in enumerate(read_rows(member.file, list(sources.columns.values()), member.shown)):
        where = f"{member.shown}, row {number}"
        values: dict[str, Any] = {}
        name = ""
        for own, kind in table.columns.items():
            value = row[sources.columns[own]]
            if kind == "image":
                values[own], name = image_of(value, where)
            elif kind == "class":
                values[own] = _class(value, sources.names or classes, where)
            elif isinstance(value, str):
                values[own] = value
            else:
                raise BrokenFileError(f"{where}: its {own} is {shown(value)}, not text; get the file again")
        yield Row(where, values, name, sum(len(value) for value in values.values()))


def image_of(value: Any, where: str) -> tuple[bytes | np.ndarray, str]:
    """Return bytes or pixels of an image, and its file's name."""
    name = value.get("path") if isinstance(value, dict) else None
    content = value.get("bytes") if isinstance(value, dict) else value
    if isinstance(content, bytes | bytearray):
        return bytes(content), str(name or "")
    if isinstance(content, list):
        return pixels_of(content, where), ""
    raise BrokenFileError(
        f"{where}: its image has no bytes of its own, only {shown(value)}; take a copy with the images in it"
    )


def _class(value: Any, names: Sequence[str] | None, where: str) -> str:
    if isinstance(value, str):
        return value
    if names is None:
        raise BrokenFileError(f"{where}: its class is {shown(value)}, without names of classes; take a copy with names")
    if not isinstance(value, int) or isinstance(value, bool):
        raise BrokenFileError(f"{where}: its class is {shown(value)}, neither a number nor a name; get the file again")
    return label_of(value, names, where)


def _as_they_are(splits: Mapping[str, Sequence[Member]], table: Table) -> list[File]:
    """Return the files under the data set's own names; they keep their names where these are such."""
    files = []
    for split, members in splits.items():
        before, _, after = table.splits[split].rpartition("/")[2].partition("*")
        folder = table.splits[split].rpartition("/")[0]
        for number, member in enumerate(members):
            name = member.name.rpartition("/")[2]
            if not (name.startswith(before) and name.endswith(after)):
                name = f"{before}{number:05}-of-{len(members):05}{after}"
            files.append(File(member, f"{folder}/{name}" if folder else name))
    return files


def _refuse_twice(members: Sequence[Member]) -> None:
    """Raise a BrokenFileError if two files of a split have the same content: its examples would count twice."""
    shown = {member.name: member.shown for member in members}
    if twice := two_generations(list(shown)):
        first, second = (shown[name] for name in twice)
        raise BrokenFileError(f"{first} and {second} are two generations of one file; remove one")
    sizes: dict[int, list[Member]] = {}
    for member in members:
        sizes.setdefault(member.file.stat().st_size, []).append(member)
    for same in sizes.values():
        known: dict[str, Member] = {}
        for member in same if len(same) > 1 else ():
            other = known.setdefault(digest_of(member.file), member)
            if other is not member:
                raise BrokenFileError(f"{other.shown} and {member.shown} have the same content; remove one")
