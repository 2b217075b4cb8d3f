"""Distributions of a data set, as data: the forms in which its makers and others give it away, and how each is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, Field, model_validator

from nacbench.data.mirror.door.readers import AnyReader
from nacbench.data.mirror.door.readers.base import Strict, Table
from nacbench.errors import BrokenFileError
from nacbench.formats.reading import checked, read_text
from nacbench.formats.yaml_text import parse_yaml

FOLDER = Path(__file__).with_name("distributions")
ALL = "all"


def _relative(pattern: str) -> str:
    if pattern.startswith("/") or ".." in pattern.split("/") or not pattern:
        raise ValueError("not a path inside a copy")
    if pattern.split("/")[-1] == "**":
        raise ValueError("a pattern ends with the name of a file or of a folder, whose files are all taken")
    return pattern


Pattern = Annotated[str, AfterValidator(_relative)]
Patterns = Annotated[list[Pattern], Field(min_length=1)]


class Distribution(BaseModel):
    """A form of a data set.

    Attributes:
        name: in one word.
        title: for readers: which form, whose, and where labels come from.
        source: where it comes from, as a URL or in words; empty if it comes from many places.
        needs: patterns of the files of each role, which must be there, relative to one folder at any depth; the first
            pattern counts that matches something.
        may: the same for files that may be there.
        beside: the same for files that must be there, but anywhere.
        classes: by role, the number of the part of a file's path that is one of the data set's classes, whose names are
            known; a folder with another class is another data set.
        never: patterns of files that no copy has, relative to the same folder: one that has them is something else.
        gives: parts of the data set that it has, so that copies of other parts add up; by default the whole.
        hints: names; of several folders that fit, one is taken whose path has such a name, if there is one.
        several: take all folders that fit, not only the first.
        reader: reads it.
    """

    model_config = Strict

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    title: str
    source: str = ""
    needs: dict[str, Pattern | Patterns]
    may: dict[str, Pattern | Patterns] = {}
    beside: dict[str, Pattern | Patterns] = {}
    classes: dict[str, int] = {}
    never: list[Pattern] = []
    gives: list[str] = [ALL]
    hints: list[str] = []
    several: bool = False
    reader: AnyReader

    @model_validator(mode="after")
    def _roles_are_known(self) -> Self:
        strangers = {*self.reader.roles(), *self.classes} - {*self.needs, *self.may, *self.beside}
        if strangers:
            raise ValueError(f"its reader speaks of files of the role {min(strangers)!r}, which has no pattern")
        return self

    def patterns(self, roles: Mapping[str, str | list[str]]) -> dict[str, Sequence[str]]:
        """Return ``needs``, ``may`` or ``beside`` with a list of patterns for each role."""
        return {role: [own] if isinstance(own, str) else own for role, own in roles.items()}


class DataSet(BaseModel):
    """A data set and the forms in which it comes.

    Attributes:
        title: for readers.
        table: the form in which the mirror has it, if it is Parquet.
        distributions: in the order in which they are tried.
        described: whether they have the form of the mirror itself, which otherwise is added, and taken as it is.
        parts: patterns of the files of each part in the mirror; of several, each is another form of the part. By
            default each needed pattern of the data files is a part.
    """

    model_config = Strict

    title: str
    table: Table = Table()
    distributions: list[Distribution] = []
    described: bool = False
    parts: dict[str, Pattern | Patterns] = {}

    @model_validator(mode="after")
    def _classes_are_known(self) -> Self:
        asking = [own.name for own in self.distributions if own.classes]
        if asking and self.table.class_names is None:
            raise ValueError(f"distribution {asking[0]!r} asks for the data set's classes, whose names are not known")
        return self

    @model_validator(mode="after")
    def _parts_are_known(self) -> Self:
        strangers = {part for own in self.distributions for part in own.gives} - {ALL, *self.parts}
        if self.parts and strangers:
            raise ValueError(
                f"a distribution gives the part {min(strangers)!r}, of which there are no patterns in parts"
            )
        return self

    def patterns_of(self, part: str) -> Sequence[str]:
        """Return the patterns of a part's files in the mirror."""
        own = self.parts[part]
        return [own] if isinstance(own, str) else own

    def is_whole(self, parts: set[str]) -> bool:
        """Return whether these parts are all that the distributions give."""
        known = {part for own in self.distributions for part in own.gives} - {ALL}
        return ALL in parts or (bool(known) and known <= parts)


@cache
def data_set(name: str) -> DataSet:
    """Return a data set by the name of its file in ``distributions``, or by the path of a plug-in's own YAML file.

    Raises:
        BrokenFileError: if the file is not as `DataSet` describes it.
    """
    return read_data_set(Path(name) if name.endswith(".yaml") else FOLDER / f"{name}.yaml")


def read_data_set(file: Path) -> DataSet:
    """Return the data set that a YAML file describes; raises as `data_set`, and UserError if it cannot be read."""
    found = checked(parse_yaml(read_text(file), file), DataSet, file)
    names = [own.name for own in found.distributions]
    if len(set(names)) < len(names):
        raise BrokenFileError(f"{file} has two distributions of one name")
    return found


def data_set_names() -> list[str]:
    """Return the names of all data sets of the suite whose forms are described."""
    return sorted(file.stem for file in FOLDER.glob("*.yaml") if file.stem != "hub")
