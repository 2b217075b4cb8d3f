"""What all readers share."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from nacbench.data.mirror.door.found import Content, FoundCopy

Column = Literal["image", "class", "text"]
Sides = Annotated[list[Annotated[int, Field(gt=0)]], Field(min_length=2, max_length=2)]  # width and height in pixels
Strict = ConfigDict(strict=True, extra="forbid", frozen=True)


class Table(BaseModel):
    """The form in which the mirror has a data set of rows.

    Attributes:
        splits: pattern of the Parquet files of each split.
        folders: instead of Parquet files the folder of each split, with a folder for each class; "" is the top.
        columns: what each column holds: an image, the name of a class, or text.
        classes: names of the classes in their order, or only how many there are; None if it has no classes.
        size: width and height of every image in pixels; None if they differ.
        synonyms: other names of classes.
        full: published number of examples of each split.
    """

    model_config = Strict

    splits: dict[str, str] = {}
    folders: dict[str, str] = {}
    columns: dict[str, Column] = {}
    classes: list[str] | Annotated[int, Field(gt=0)] | None = None
    size: Sides | None = None
    synonyms: dict[str, str] = {}
    full: dict[str, Annotated[int, Field(gt=0)]] = {}

    @property
    def class_names(self) -> Sequence[str] | None:
        """The names of the classes in their order, if they are known before a copy is read."""
        return self.classes if isinstance(self.classes, list) else None

    def target(self, split: str) -> str:
        """Return the path in the mirror of the file or folder that a split is written to."""
        if self.folders:
            return self.folders[split]
        return self.splits.get(split, "").replace("*", "00000-of-00001")

    def column(self, kind: Column) -> str:
        """Return the name of the first column of a kind, which there must be."""
        return next(name for name, own in self.columns.items() if own == kind)


class Reader(BaseModel, ABC):
    """Base class of all readers; its fields are the parameters that a distribution gives."""

    model_config = Strict

    @abstractmethod
    def content(self, copy: FoundCopy, table: Table) -> Content:
        """Return what is taken from a copy; rows are read while they are iterated over.

        Raises:
            UserError: if a file is damaged; also while rows are read. The message names file and line or row.
        """

    def roles(self) -> set[str]:
        """Return the roles of files that the parameters speak of; the distribution must have them."""
        return set()


def by_number(name: str) -> list[tuple[int, str]]:
    """Return a key by which names are sorted with the numbers in them as numbers: ``2_x`` comes before ``10_x``."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name) if part]
