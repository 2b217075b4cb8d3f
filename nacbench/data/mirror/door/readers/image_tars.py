"""An archive of images for each class, named after it, as ImageNet's training images come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Literal

from nacbench.data.mirror.door.found import Content, FoundCopy, Member, Row
from nacbench.data.mirror.door.readers.base import Reader, Table
from nacbench.data.mirror.door.readers.label_lists import stem
from nacbench.data.mirror.door.tree import is_junk
from nacbench.data.mirror.unpack import open_archive
from nacbench.errors import UserError
from nacbench.formats.reading import read_bytes


class ImageTars(Reader):
    """Images are read from archives that are not unpacked. The role of an archive is its split."""

    kind: Literal["image-tars"]

    def content(self, copy: FoundCopy, table: Table) -> Content:
        rows = {split: _rows(members, table) for split, members in copy.members.items()}
        classes = {_class(member) for members in copy.members.values() for member in members}
        return Content(rows=rows, classes=table.class_names or sorted(classes))


def _rows(members: Sequence[Member], table: Table) -> Iterator[Row]:
    image, label = table.column("image"), table.column("class")
    for member in members:
        for name, content in _images(member):
            file = name.rpartition("/")[2]
            if not is_junk(file):
                values: dict[str, bytes | str] = {image: content, label: _class(member)}
                yield Row(f"{member.shown}{name}", values, file or member.part(-1), len(content))


def _class(member: Member) -> str:
    """Return the class of an archive, or of an image in an archive that was given by itself."""
    return next(stem(part) for part in member.name.split("/") if part.endswith(".tar"))


def _images(member: Member) -> Iterator[tuple[str, bytes]]:
    """Yield path in the archive, after a slash, and content of each image; without a path that of the image itself."""
    if not member.name.endswith(".tar"):
        yield "", read_bytes(member.file)
        return
    try:
        with closing(open_archive(member.file)) as archive:
            yield from ((f"/{name}", content) for name, content in archive.contents())
    except UserError as error:
        raise type(error)(str(error).replace(str(member.file), member.shown)) from None
    if member.unpacked:  # of ImageNet they have 138 GB, and so have the images that are written meanwhile
        member.file.unlink()
