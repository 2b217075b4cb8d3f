"""Binary batches of CIFAR-10 and CIFAR-100: bytes of labels, then of pixels, for each image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from nacbench.data.mirror.door.damage import whole_text
from nacbench.data.mirror.door.found import Content, FoundCopy, Member, Row
from nacbench.data.mirror.door.readers.base import Reader, Sides, Table
from nacbench.data.mirror.door.readers.pixels import label_of, pixel_rows
from nacbench.errors import BrokenFileError
from nacbench.formats.reading import read_bytes

LARGEST = 2**28  # bytes; CIFAR-100's training file has 154 MB


class BinaryBatches(Reader):
    """Each image is ``labels`` bytes of labels and 3×height×width bytes of pixels.

    Attributes:
        splits: by split the roles of its batches, in order.
        labels: bytes of labels before each image.
        label: which of them is the label.
        names: role of the text file with the name of a class in each line.
        size: width and height of the images.
    """

    kind: Literal["binary-batches"]
    splits: dict[str, list[str]]
    labels: Annotated[int, Field(ge=1, le=8)] = 1
    label: Annotated[int, Field(ge=0, le=7)] = 0
    names: str
    size: Sides = [32, 32]

    def roles(self) -> set[str]:
        return {self.names, *(role for roles in self.splits.values() for role in roles)}

    def content(self, copy: FoundCopy, table: Table) -> Content:
        listed = copy.only(self.names)
        names = whole_text(listed.file, listed.shown).split()
        rows = {
            split: (row for role in roles for member in copy.members[role] for row in self._rows(member, names, table))
            for split, roles in self.splits.items()
        }
        return Content(rows=rows, classes=table.class_names or names)

    def _rows(self, member: Member, names: Sequence[str], table: Table) -> Iterator[Row]:
        width, height = self.size
        record = self.labels + 3 * height * width
        content = read_bytes(member.file, largest=LARGEST)
        if not content or len(content) % record:
            raise BrokenFileError(
                f"{member.shown} has {len(content):,} bytes, not a whole number of images of {record:,}; get it again"
            )
        batch = np.frombuffer(content, np.uint8).reshape(-1, record)
        labels = (
            label_of(int(value), names, f"{member.shown}, image {number}")
            for number, value in enumerate(batch[:, self.label])
        )
        yield from pixel_rows(member, batch[:, self.labels :].reshape(-1, 3, height, width), labels, None, table)
