"""An archive of images for each class, named after it, as ImageNet's training images come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Literal

from nacbench.data.mirror.found import Content, FoundCopy, Member, Row
from nacbench.data.mirror.readers.base import Reader, Table
from nacbench.data.mirror.readers.label_lists import stem
from nacbench.data.mirror.tree import is_junk
from nacbench.data.mirror.unpack import open_archive
from nacbench.errors import UserError


class ImageTars(Reader):
    """Images are read from archives that are not unpacked. The role of an archive is its split."""

    kind: Literal["image-tars"]

    def content(self, copy: FoundCopy, table: Table) -> Content:
        rows = {split: _rows(members, table) for split, members in copy.members.items()}
        classes = {stem(member.name) for members in copy.members.values() for member in members}
        return Content(rows=rows, classes=table.class_names or sorted(classes))


def _rows(members: Sequence[Member], table: Table) -> Iterator[Row]:
    image, label = table.column("image"), table.column("class")
    for member in members:
        try:
            with closing(open_archive(member.file)) as archive:
                for name, content in archive.contents():
                    file = name.rpartition("/")[2]
                    if not is_junk(file):
                        where = f"{member.shown}/{name}"
                        yield Row(where, {image: content, label: stem(member.name)}, file, len(content))
        except UserError as error:
            raise type(error)(str(error).replace(str(member.file), member.shown)) from None
