"""Images with three lists: name, class and split of each by a number, as CUB-200-2011 has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Literal

from nacbench.data.mirror.door.found import Content, File, FoundCopy, Member
from nacbench.data.mirror.door.readers.base import Reader, Table
from nacbench.data.mirror.door.readers.label_lists import lines_of
from nacbench.errors import BrokenFileError, shown

SPLITS: Mapping[str, str] = {"1": "train", "0": "test"}  # by what the list of splits says


class ListedImages(Reader):
    """Lists and images are taken as they are, if they agree: each image that is listed must be there.

    Attributes:
        images, names, labels, training: roles of the images, and of the lists of their names, numbers of classes, and
            whether they are for training (1) or testing (0).
    """

    kind: Literal["listed-images"]
    images: str = "images"
    names: str = "names"
    labels: str = "labels"
    training: str = "training"

    def roles(self) -> set[str]:
        return {self.images, self.names, self.labels, self.training}

    def content(self, copy: FoundCopy, table: Table) -> Content:
        names, labels, training = (_read(copy.only(role)) for role in (self.names, self.labels, self.training))
        there = {member.name.partition("/")[2]: member for member in copy.members[self.images]}
        listed = copy.only(self.names).shown
        classes = {str(number) for number in range(1, 1 + (table.classes if isinstance(table.classes, int) else 0))}
        for number, name in names.items():
            if name not in there:
                raise BrokenFileError(f"{listed} lists {shown(name)}, which is not there; get the copy again")
            if labels.get(number) not in classes or training.get(number) not in SPLITS:
                raise BrokenFileError(
                    f"{listed}: image {number} has the class {labels.get(number)} and the split "
                    f"{training.get(number)}, not one of {len(classes)} classes and 0 or 1; get the lists again"
                )
        _check_folders(names, labels, copy.only(self.labels))
        taken = [there[name] for name in names.values()]
        lists = [member for role, own in copy.members.items() if role != self.images for member in own]
        found = Counter(SPLITS[training[number]] for number in names)
        counts = {split: found[split] for split in SPLITS.values() if found[split]}
        files = [File(member, member.name) for member in (*lists, *taken)]
        return Content(files=files, counts=counts, classes=sorted({labels[number] for number in names}))


def _check_folders(names: Mapping[str, str], labels: Mapping[str, str], member: Member) -> None:
    """Raise a BrokenFileError if images of one folder have two classes: folders are classes, too."""
    known: dict[str, str] = {}
    for number, name in names.items():
        folder = name.partition("/")[0]
        if known.setdefault(folder, labels[number]) != labels[number]:
            raise BrokenFileError(
                f"{member.shown}: image {number} has the class {labels[number]}, and others in its folder {folder} "
                f"have {known[folder]}; get the file again"
            )


def _read(member: Member) -> dict[str, str]:
    """Return the second column of a list by the first.

    Raises:
        BrokenFileError: if a line has other than two columns, or a number is there twice.
    """
    found: dict[str, str] = {}
    for _, where, line in lines_of(member, as_it_is=True):
        cells = line.split()
        if len(cells) != 2 or cells[0] in found:
            raise BrokenFileError(f"{where}: {shown(line)} is not '<number> <value>' of another number; get it again")
        found[cells[0]] = cells[1]
    return found
