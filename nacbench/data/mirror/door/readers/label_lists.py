"""Lists of the classes of images: text with a line for each image, and what the numbers in it stand for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field

from nacbench.data.mirror.door.damage import whole_text
from nacbench.data.mirror.door.found import FoundCopy, Member
from nacbench.data.mirror.door.readers.base import Strict
from nacbench.errors import BrokenFileError, shown

Column = Annotated[int, Field(ge=0)]
MARK = "\ufeff"
NUMBER = re.compile(r"\d+")
LARGEST_MAT = 2**24  # bytes; the devkit's has 0.1 MB


class ClassNumbers(BaseModel):
    """A file that says which class a number stands for: text with a line for each class, or the devkit's ``meta.mat``.

    Attributes:
        role: of the file.
        number: column with the number; None: lines are counted from ``first``.
        name: column with the name.
        first: number of the first line.
    """

    model_config = Strict

    role: str
    number: Column | None = None
    name: Column = 0
    first: int = 0

    def names(self, copy: FoundCopy) -> dict[str, str]:
        """Return names of classes by their numbers as text.

        Raises:
            BrokenFileError: if the file is damaged.
        """
        member = copy.only(self.role)
        if member.name.endswith(".mat"):
            return devkit_names(member)
        found = {}
        for place, where, line in lines_of(member):
            cells = line.split()
            if len(cells) <= max(self.name, self.number or 0):
                raise BrokenFileError(f"{where}: {shown(line)} has {len(cells)} columns, too few; get the file again")
            number = str(place - 1 + self.first) if self.number is None else cells[self.number]
            found[number] = cells[self.name]
        return found


class LabelList(BaseModel):
    """A text file with a line for each image.

    Attributes:
        role: of the file.
        file: column with the image's file name, whose folders and suffix do not count; None: line N is for the image
            with the number N in its name, the last one there.
        label: column with the class.
        separator: between columns; None for white space.
        header: lines before the first.
        starts: only lines that start so count.
        match: regular expression of the class in its column; the first match counts.
        classes: what the classes stand for, if they are numbers.
    """

    model_config = Strict

    role: str
    file: Column | None = 0
    label: Column = 1
    separator: str | None = None
    header: int = 0
    starts: str = ""
    match: str = r"(?s).+"
    classes: ClassNumbers | None = None

    def roles(self) -> set[str]:
        """Return the roles of files that are read."""
        return {self.role, *([self.classes.role] if self.classes else [])}

    def labels(self, copy: FoundCopy) -> dict[str, str]:
        """Return the class by what `key` returns for an image.

        Raises:
            BrokenFileError: if a line has too few columns or no class, or an image has two classes.
        """
        names = self.classes.names(copy) if self.classes else None
        found: dict[str, str] = {}
        for place, where, line in lines_of(copy.only(self.role)):
            if place <= self.header or not line.startswith(self.starts):
                continue
            cells = line.split(self.separator)
            if len(cells) <= max(self.file or 0, self.label):
                raise BrokenFileError(f"{where}: {shown(line)} has {len(cells)} columns, too few; get the file again")
            key = str(place - self.header) if self.file is None else stem(cells[self.file].strip())
            label = self._label(cells[self.label].strip(), names, where)
            if found.setdefault(key, label) != label:
                raise BrokenFileError(f"{where}: {shown(key)} has another class above; get the file again")
        return found

    def key(self, name: str) -> str:
        """Return what an image is called in `labels`, by its file's name."""
        if self.file is not None:
            return stem(name)
        numbers = NUMBER.findall(stem(name))
        return str(int(numbers[-1])) if numbers else ""

    def _label(self, cell: str, names: Mapping[str, str] | None, where: str) -> str:
        match = re.search(self.match, cell)
        if match is None:
            raise BrokenFileError(f"{where}: {shown(cell)} has no name of a class; get the file again")
        if names is None:
            return match[0]
        if match[0] not in names:
            assert self.classes is not None
            raise BrokenFileError(f"{where}: {shown(match[0])} is not the number of one of the {len(names)} classes")
        return names[match[0]]


def lines_of(member: Member, *, as_it_is: bool = False) -> Iterator[tuple[int, str, str]]:
    """Yield number (from 1), place for messages, and text of each line that is not blank.

    Args:
        member: the file. The mark of byte order with which editors of Windows begin a file is no part of its text …
        as_it_is: … but refused in a file that goes into the mirror, as tasks would take it for part of the first word.

    Raises:
        BrokenFileError: if the file is damaged, or has a mark that is refused.
    """
    text = whole_text(member.file, member.shown)
    if as_it_is and text.startswith(MARK):
        raise BrokenFileError(f"{member.shown} begins with a mark of byte order; save it as UTF-8 without it")
    for number, line in enumerate(text.removeprefix(MARK).splitlines(), 1):
        if line.strip():
            yield number, f"{member.shown}, line {number}", line


def stem(path: str) -> str:
    """Return a file's name without its folders and suffix."""
    name = path.rpartition("/")[2]
    return name.rpartition(".")[0] or name


def devkit_names(member: Member) -> dict[str, str]:
    """Return the WordNet ids of ImageNet's classes by their ILSVRC2012_ID, as text, from the devkit's ``meta.mat``.

    Raises:
        BrokenFileError: if the file is not a MATLAB file with that table.
    """
    from scipy.io import loadmat

    if member.file.stat().st_size > LARGEST_MAT:
        raise BrokenFileError(
            f"{member.shown} has more than {LARGEST_MAT:,} bytes, and is not the devkit's; get it again"
        )
    try:
        synsets = loadmat(str(member.file), squeeze_me=True, variable_names=["synsets"])["synsets"]
        return dict(_leaf(entry) for entry in synsets if int(entry["num_children"]) == 0)
    except Exception as error:  # scipy raises whatever the damaged part of a file makes of it
        reason = f"{type(error).__name__}: {error}"
        raise BrokenFileError(f"{member.shown} has no table of synsets ({reason}); get the devkit again") from None


def _leaf(entry: Any) -> tuple[str, str]:
    """Return number and WordNet id of a synset; those with children are no classes."""
    return str(int(entry["ILSVRC2012_ID"])), str(entry["WNID"])
