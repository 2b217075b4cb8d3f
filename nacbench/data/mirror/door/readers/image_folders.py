"""Folders of image files, with labels from the names of folders or from a list of file names and classes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel

from nacbench.data.mirror.door.found import Content, FoundCopy, Member, Row
from nacbench.data.mirror.door.readers.base import Reader, Strict, Table
from nacbench.data.mirror.door.readers.label_lists import LabelList
from nacbench.errors import BrokenFileError
from nacbench.formats.reading import read_bytes


class SplitOfImages(BaseModel):
    """Where the labels of a split come from: give one of the two.

    Attributes:
        folder: number of the part of an image's path that is its class.
        list: the list that has the classes.
    """

    model_config = Strict

    folder: int | None = None
    list: LabelList | None = None


class ImageFolders(Reader):
    """Image files become rows, sorted by class and name. Files of two roles that are called after splits are read.

    Attributes:
        splits: by split, which is also the role of its images, where labels come from.
    """

    kind: Literal["image-folders"]
    splits: dict[str, SplitOfImages]

    def roles(self) -> set[str]:
        return {*self.splits, *(role for own in self.splits.values() if own.list for role in own.list.roles())}

    def content(self, copy: FoundCopy, table: Table) -> Content:
        labelled = {split: self._labelled(copy, split) for split in self.splits}
        classes = table.class_names or sorted({label for own in labelled.values() for label, _ in own})
        rows = {split: self._rows(own, table) for split, own in labelled.items()}
        return Content(rows=rows, classes=classes)

    def _labelled(self, copy: FoundCopy, split: str) -> list[tuple[str, Member]]:
        """Return class and file of each image, sorted by class and name."""
        source = self.splits[split]
        members = copy.members[split]
        if source.list is None:
            assert source.folder is not None, f"{split} has no source of labels"
            pairs = [(member.part(source.folder), member) for member in members]
        else:
            labels = source.list.labels(copy)
            for member in members:
                if source.list.key(member.name) not in labels:
                    listed = copy.only(source.list.role).shown
                    raise BrokenFileError(f"{member.shown} is not in {listed}, so its class is not known; remove it")
            pairs = [(labels[source.list.key(member.name)], member) for member in members]
        return sorted(pairs, key=lambda pair: (pair[0], pair[1].name.rpartition("/")[2]))

    def _rows(self, labelled: list[tuple[str, Member]], table: Table) -> Iterator[Row]:
        image, label = table.column("image"), table.column("class")
        for name, member in labelled:
            content = read_bytes(member.file)
            values: dict[str, bytes | str] = {image: content, label: name}
            yield Row(member.shown, values, member.name.rpartition("/")[2], len(content), member)
