"""The published corrupted images as they are: the arrays of CIFAR-10-C, and the folders of ImageNet-C."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from nacbench.data.mirror.door.found import Content, File, FoundCopy, Member, Row
from nacbench.data.mirror.door.readers.base import Reader, Table
from nacbench.errors import BrokenFileError
from nacbench.formats.reading import open_regular, read_bytes

SEVERITIES = 5
Size = Annotated[int, Field(gt=0)]


class CorruptedArrays(Reader):
    """A NumPy file for each corruption, uint8 5·N×height×width×3 with severity 1 first, and one of labels, uint8 5·N.

    Attributes:
        split: name of the N test images.
        labels: role of the file of labels.
        shape: height, width and channels.
    """

    kind: Literal["corrupted-arrays"]
    split: str = "test"
    labels: str = "labels"
    shape: Annotated[list[Size], Field(min_length=3, max_length=3)]

    def roles(self) -> set[str]:
        return {self.labels}

    def content(self, copy: FoundCopy, table: Table) -> Content:
        labels = self._labels(copy.only(self.labels), table)
        files = []
        for role, members in copy.members.items():
            for member in members:
                if role != self.labels:
                    _opened(member, (len(labels), *self.shape))
                files.append(File(member, member.part(-1)))
        classes = [str(number) for number in np.unique(labels)]
        return Content(files=files, counts={self.split: len(labels) // SEVERITIES}, classes=classes)

    def _labels(self, member: Member, table: Table) -> np.ndarray:
        labels = _opened(member, None)
        if labels.ndim != 1 or not len(labels) or len(labels) % SEVERITIES:
            raise BrokenFileError(f"{member.shown} has the shape {labels.shape}, not 5·N labels; get it again")
        if isinstance(table.classes, int) and labels.max() >= table.classes:
            place = int(labels.argmax())
            raise BrokenFileError(
                f"{member.shown}: label {labels[place]} at place {place} is not one of {table.classes} classes; get it "
                "again"
            )
        return labels


def _opened(member: Member, shape: tuple[int, ...] | None) -> np.ndarray:
    """Return an array of bytes that is read where it is used; nothing is unpickled.

    Raises:
        BrokenFileError: if it is none, is cut short, or has another shape.
    """
    try:
        array = np.lib.format.open_memmap(member.file, mode="r")
    except (OSError, ValueError, EOFError, OverflowError) as error:
        raise BrokenFileError(f"{member.shown} {_damage(member)}: {error}; get it again") from None
    wrong = shape is not None and array.shape != shape
    if array.dtype != np.uint8 or wrong:
        wanted = f"uint8 {_sides(shape)}, as its labels say" if shape else "uint8"
        raise BrokenFileError(f"{member.shown} holds {array.dtype} {_sides(array.shape)}, not {wanted}; get it again")
    return array


def _damage(member: Member) -> str:
    with open_regular(member.file) as stream:
        whole = stream.read(len(np.lib.format.MAGIC_PREFIX)) == np.lib.format.MAGIC_PREFIX
    return "is cut short, or is damaged" if whole else "is not an array of NumPy"


def _sides(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))


class CorruptedFolders(Reader):
    """Folders ``<corruption>/<severity>/<class>`` of images, which keep their places. A corruption is a role.

    Every image is read to be checked.
    """

    kind: Literal["corrupted-folders"]

    def content(self, copy: FoundCopy, table: Table) -> Content:
        members = [member for own in copy.members.values() for member in own]
        files = [File(member, "/".join(member.name.split("/")[-4:])) for member in members]
        rows = {role: _rows(own, table) for role, own in copy.members.items()}
        return Content(rows=rows, files=files, classes=sorted({member.part(-2) for member in members}))


def _rows(members: Sequence[Member], table: Table) -> Iterator[Row]:
    image, label = table.column("image"), table.column("class")
    for member in members:
        content = read_bytes(member.file)
        yield Row(member.shown, {image: content, label: member.part(-2)}, member.part(-1), len(content))
