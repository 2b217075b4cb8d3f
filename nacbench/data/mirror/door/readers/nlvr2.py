"""NLVR2: its JSON lines, its photographs, and tables of both on the hub, as files with its makers' names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from nacbench.data.mirror.door.damage import check_image
from nacbench.data.mirror.door.found import Content, File, FoundCopy, Member
from nacbench.data.mirror.door.readers.base import Reader, Table
from nacbench.data.mirror.door.readers.json_lines import text_objects
from nacbench.data.mirror.door.readers.tables import image_of
from nacbench.data.mirror.parquet import column_names, read_rows
from nacbench.errors import BrokenFileError, shown

NAMES = {"train": "train", "validation": "dev", "test": "test1"}  # by which the makers call the splits
LABELS = {"true": "True", "false": "False", "1": "True", "0": "False", "yes": "True", "no": "False"}
PHOTOGRAPH = re.compile(r"(.+)-img([01])\.png")
SAFE = re.compile(r"[\w.-]{1,200}")


class Nlvr2Texts(Reader):
    """Files of JSON lines are taken as they are. The role of a file is its split."""

    kind: Literal["nlvr2-texts"]

    def content(self, copy: FoundCopy, table: Table) -> Content:
        counts = {}
        files = []
        for split, members in copy.members.items():
            counts[split] = 0
            for member in members:
                files.append(File(member, f"data/{NAMES[split]}.json"))
                for where, line in text_objects(member, ("identifier", "sentence", "label")):
                    counts[split] += 1
                    if line["label"] not in ("True", "False"):
                        raise BrokenFileError(f"{where}: label {shown(line['label'])} is neither 'True' nor 'False'")
            if not counts[split]:
                raise BrokenFileError(f"{members[0].shown} has no examples; get it again")
        return Content(files=files, counts=counts)


class Nlvr2Pictures(Reader):
    """Photographs, two for each example. The role of a file is its split; training ones lie in numbered folders."""

    kind: Literal["nlvr2-pictures"]

    def content(self, copy: FoundCopy, table: Table) -> Content:
        return Content(files=[file for split, own in copy.members.items() for file in _placed(split, own)])


def _placed(split: str, members: Sequence[Member]) -> Iterator[File]:
    """Yield the photographs of a split with their places in the mirror; there must be two of each pair."""
    sides: dict[str, list[Member]] = {}
    for member in members:
        match = PHOTOGRAPH.fullmatch(member.part(-1))
        if match is None:
            raise BrokenFileError(f"{member.shown} is not called …-img0.png or …-img1.png; remove it")
        sides.setdefault(match[1], []).append(member)
        *_, folder, name = ("", *member.name.split("/"))
        yield File(member, "/".join(["images", NAMES[split], *([folder] if folder.isdecimal() else []), name]))
    for pair in sides.values():
        if len(pair) != 2:
            fault = "lacks the other photograph of its pair; get both" if len(pair) == 1 else "is there twice"
            raise BrokenFileError(f"{pair[0].shown} {fault}")


class Nlvr2Tables(Reader):
    """Parquet files of examples with both photographs, which become files. The role of a file is its split.

    Attributes:
        identifier, sentence, label: names that owners of copies give to these columns.
        left, right: the same for the photographs.
        both: the same for a column that has a list of the two.
    """

    kind: Literal["nlvr2-tables"]
    identifier: list[str]
    sentence: list[str]
    label: list[str]
    left: list[str]
    right: list[str]
    both: list[str]

    def content(self, copy: FoundCopy, table: Table) -> Content:
        counts: dict[str, int] = {}
        made = (file for split, members in copy.members.items() for file in self._made(split, members, counts))
        return Content(made=made, counts=counts)

    def _made(self, split: str, members: Sequence[Member], counts: dict[str, int]) -> Iterator[tuple[str, bytes]]:
        """Yield the photographs of each pair once, and at the end the lines of all examples."""
        lines = []
        seen: set[str] = set()
        for member in members:
            columns = self._columns(member)
            for number, row in enumerate(read_rows(member.file, list(columns.values()), member.shown)):
                where = f"{member.shown}, row {number}"
                line = _line({own: row[column] for own, column in columns.items()}, where)
                lines.append(json.dumps(line))
                pair = line["identifier"].rpartition("-")[0]
                if pair in seen:
                    continue
                seen.add(pair)
                for side, image in enumerate(_pair(row, columns, where)):
                    content, _ = image_of(image, where)
                    if not isinstance(content, bytes):
                        raise BrokenFileError(f"{where}: its photograph has no bytes of its own; take another copy")
                    check_image(content, where)
                    yield f"images/{NAMES[split]}/{pair}-img{side}.png", content
        counts[split] = len(lines)
        yield f"data/{NAMES[split]}.json", "".join(f"{line}\n" for line in lines).encode()

    def _columns(self, member: Member) -> dict[str, str]:
        there = column_names(member.file, member.shown)
        names = {own: getattr(self, own) for own in ("identifier", "sentence", "label", "left", "right", "both")}
        found = {own: next((name for name in some if name in there), None) for own, some in names.items()}
        if found["both"]:
            found = {own: name for own, name in found.items() if own not in ("left", "right")}
        else:
            del found["both"]
        for own, name in found.items():
            if name is None:
                raise BrokenFileError(
                    f"{member.shown} has no column of: {', '.join(names[own])}; it has: {', '.join(there)}"
                )
        return {own: name for own, name in found.items() if name}


def _line(row: Mapping[str, Any], where: str) -> dict[str, str]:
    label = LABELS.get(str(row["label"]).strip().lower())
    if label is None:
        raise BrokenFileError(f"{where}: label {shown(row['label'])} is neither true nor false")
    for own in ("identifier", "sentence"):
        if not isinstance(row[own], str):
            raise BrokenFileError(f"{where}: its {own} is {shown(row[own])}, not text; take another copy")
    if not SAFE.fullmatch(row["identifier"]) or "-" not in row["identifier"]:
        raise BrokenFileError(f"{where}: identifier {shown(row['identifier'])} is not split-set-pair-sentence")
    return {"identifier": row["identifier"], "sentence": row["sentence"], "label": label}


def _pair(row: Mapping[str, Any], columns: Mapping[str, str], where: str) -> Sequence[Any]:
    if "both" not in columns:
        return row[columns["left"]], row[columns["right"]]
    images = row[columns["both"]]
    if not isinstance(images, list) or len(images) != 2:
        raise BrokenFileError(f"{where}: it has other than two photographs; take another copy")
    return images
