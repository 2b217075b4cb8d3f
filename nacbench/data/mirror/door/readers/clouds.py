"""Point clouds that others have sampled: HDF5 files with many, or a text file for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from nacbench.data.mirror.door.clouds import hdf5_clouds, names_in, text_cloud
from nacbench.data.mirror.door.found import Content, File, FoundCopy, Member, Row
from nacbench.data.mirror.door.readers.base import Reader, Table
from nacbench.data.mirror.door.readers.pixels import label_of
from nacbench.errors import BrokenFileError, shown


class Hdf5Clouds(Reader):
    """HDF5 files, which are checked and taken as they are. The role of a file is its split.

    Attributes:
        names: role of the file with the name of a class in each line, by their numbers.
        lists: by split the role of the list of its files, which may be missing.
    """

    kind: Literal["hdf5-clouds"]
    names: str
    lists: dict[str, str] = {}

    def roles(self) -> set[str]:
        return {self.names, *self.lists, *self.lists.values()}

    def content(self, copy: FoundCopy, table: Table) -> Content:
        listed = copy.only(self.names)
        names = names_in(listed.file, listed.shown)
        rows = {split: self._rows(copy.members[split], names, table) for split in table.splits}
        for split, role in self.lists.items():
            for member in copy.members[role]:
                _check_listed(member, copy.members[split])
        members = [member for split in table.splits for member in copy.members[split]]
        lists = [member for role in self.lists.values() for member in copy.members[role]]
        return Content(rows=rows, files=[File(own, _last(own)) for own in (*members, listed, *lists)], classes=names)

    def _rows(self, members: Sequence[Member], names: Sequence[str], table: Table) -> Iterator[Row]:
        label = table.column("class")
        first: tuple[Member, int] | None = None
        for member in members:
            points, labels = hdf5_clouds(member.file, member.shown)
            first = _check_same_size(member, points.shape[1], first)
            for number, own in enumerate(labels.tolist()):
                where = f"{member.shown}, shape {number}"
                yield Row(where, {label: label_of(own, names, where)}, size=points[number].nbytes)


class TextClouds(Reader):
    """A text file for each shape, in the folder of its class; the files of a split are in a list.

    Attributes:
        names: role of the list of classes.
        shapes: role of the shapes' files.
        lists: by split the role of the list of its shapes, ``CLASS_NUMBER``.
        others: role of more lists, which are taken as they are.
    """

    kind: Literal["text-clouds"]
    names: str
    shapes: str
    lists: dict[str, str]
    others: str

    def roles(self) -> set[str]:
        return {self.names, self.shapes, self.others, *self.lists.values()}

    def content(self, copy: FoundCopy, table: Table) -> Content:
        listed = copy.only(self.names)
        names = names_in(listed.file, listed.shown)
        known = {member.name.removesuffix(".txt"): member for member in copy.members[self.shapes]}
        splits: dict[str, list[tuple[str, Member]]] = {}
        for split, role in self.lists.items():
            own = copy.only(role)
            splits[split] = [_shape(name, known, own) for name in names_in(own.file, own.shown)]
        rows = {split: self._rows(own, table) for split, own in splits.items()}
        lists = [listed, *(copy.only(role) for role in self.lists.values()), *copy.members[self.others]]
        shapes = {member.name: member for own in splits.values() for _, member in own}
        files = [File(own, _last(own)) for own in lists] + [File(own, name) for name, own in shapes.items()]
        return Content(rows=rows, files=files, classes=names)

    def _rows(self, shapes: Sequence[tuple[str, Member]], table: Table) -> Iterator[Row]:
        label = table.column("class")
        first: tuple[Member, int] | None = None
        for name, member in shapes:
            points = text_cloud(member.file, member.shown)
            first = _check_same_size(member, len(points), first)
            yield Row(member.shown, {label: name}, size=member.file.stat().st_size)


def _shape(name: str, known: dict[str, Member], listed: Member) -> tuple[str, Member]:
    """Return class and file of a shape that a list has."""
    class_name = name.rpartition("_")[0]
    member = known.get(f"{class_name}/{name}")
    if member is None:
        file = shown(f"{class_name}/{name}.txt")
        raise BrokenFileError(f"{listed.shown} has {shown(name)}, but there is no file {file}; get it again")
    return class_name, member


def _check_listed(member: Member, own: Sequence[Member]) -> None:
    """Compare the files of a split with the list that came with them."""
    there = {_last(file) for file in own}
    for name in names_in(member.file, member.shown):
        if name.rpartition("/")[2] not in there:
            raise BrokenFileError(f"{member.shown} has {name}, but there is no such file; get it again")


def _check_same_size(member: Member, points: int, first: tuple[Member, int] | None) -> tuple[Member, int]:
    if first and first[1] != points:
        raise BrokenFileError(f"{member.shown} has {points:,} points a shape, and {first[0].shown} {first[1]:,}")
    return first or (member, points)


def _last(member: Member) -> str:
    return member.name.rpartition("/")[2]
