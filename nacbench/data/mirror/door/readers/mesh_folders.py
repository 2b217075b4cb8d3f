"""Folders of meshes (OFF) by class and split."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal

from nacbench.data.mirror.door.damage import damage_at_start
from nacbench.data.mirror.door.found import Content, File, FoundCopy, Member, Row
from nacbench.data.mirror.door.readers.base import Reader, Table, by_number
from nacbench.errors import BrokenFileError
from nacbench.formats.reading import read_bytes

LARGEST = 2**30  # bytes of a mesh
# the word, and the numbers of vertices and faces, in the same line or after comments; Python refuses to convert
# thousands of digits
HEADER = re.compile(rb"\s*(?:#.*\s+)*OFF\s*(?:#.*\s+)*(\d{1,12})\s+(\d{1,12})(?!\d)")


class MeshFolders(Reader):
    """Meshes are taken as they are, into ``CLASS/SPLIT``; header and number of lines are checked.

    Attributes:
        class_part: number of the part of a mesh's path that is its class. The role of a mesh is its split.
    """

    kind: Literal["mesh-folders"]
    class_part: int

    def content(self, copy: FoundCopy, table: Table) -> Content:
        splits = {split: sorted(copy.members[split], key=lambda own: by_number(own.name)) for split in table.splits}
        classes = {split: {member.part(self.class_part) for member in own} for split, own in splits.items()}
        _check_splits(classes, copy.shown)
        files = [
            File(member, f"{member.part(self.class_part)}/{split}/{_stem(member)}.off")
            for split, own in splits.items()
            for member in own
        ]
        rows = {split: self._rows(own, table) for split, own in splits.items()}
        return Content(rows=rows, files=files, classes=table.class_names or sorted(set().union(*classes.values())))

    def _rows(self, members: list[Member], table: Table) -> Iterator[Row]:
        label = table.column("class")
        for member in members:
            size = _check_mesh(member)
            yield Row(member.shown, {label: member.part(self.class_part)}, size=size)


def _check_splits(classes: Mapping[str, set[str]], where: str) -> None:
    """Raise a BrokenFileError if a class has meshes in one split only."""
    for name in sorted(set().union(*classes.values())):
        if lacks := next((split for split, own in classes.items() if name not in own), None):
            raise BrokenFileError(f"{where} has meshes of {name}, but none in its split {lacks}; get it again")


def _stem(member: Member) -> str:
    return member.part(-1).rpartition(".")[0]


def _check_mesh(member: Member) -> int:
    """Compare the number of lines with the header, and look at the last line; return the size in bytes."""
    content = read_bytes(member.file, largest=LARGEST)
    wrong = damage_at_start(member.file)
    if wrong:
        raise BrokenFileError(f"{member.shown} {wrong}")
    header = HEADER.match(content)
    if header is None:
        raise BrokenFileError(f"{member.shown} is not an OFF file; get it again")
    vertices, faces = header.groups()
    body = content[header.end() :].rstrip()
    lines = body.count(b"\n")
    last = body.rpartition(b"\n")[2].split()
    whole = bool(last) and last[0].isdigit() and len(last[0]) < 10 and len(last) > int(last[0])
    if lines < int(vertices) + int(faces) or not whole:
        raise BrokenFileError(
            f"{member.shown} is cut: its header declares {int(vertices):,} vertices and {int(faces):,} faces, and "
            f"{'the last line is not whole' if not whole else f'{lines:,} lines follow'}; get it again"
        )
    return len(content)
