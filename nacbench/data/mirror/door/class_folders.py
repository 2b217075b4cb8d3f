"""Image files in a folder for each class: the form in which the mirror has large data sets of photographs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from nacbench.data.mirror.door.found import File, Member, Row
from nacbench.data.mirror.door.readers.base import Table
from nacbench.data.mirror.door.written import Checked
from nacbench.errors import BrokenFileError, shown

SAFE = re.compile(r"[^./\\\0][^/\\\0]{0,199}")  # a name from a list or a table must not lead out of the folder


def write_images(rows: Iterable[Checked], folder: str, table: Table, made: Path) -> tuple[int, list[File]]:
    """Write images that have no file of their own yet, and find out where the files of the others go.

    Args:
        rows: checked rows, whose images are taken as they are.
        folder: of the split; "" for the top.
        table: form of the data set.
        made: where files are written.

    Returns:
        The number of rows, and the files that are still to be put into their places.

    Raises:
        BrokenFileError: if the name of a class or an image is no name of a file, or two images have one name.
    """
    count = 0
    files = []
    image, label = table.column("image"), table.column("class")
    for row, values in rows:
        count += 1
        name = table.synonyms.get(str(row.values[label]), str(row.values[label]))
        target = "/".join(filter(None, [folder, _safe(name, row), _safe(row.name, row)]))
        if row.file is not None:
            files.append(File(Member(row.file.name, row.file.file, row.where), target))
            continue
        place = made / target
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            with place.open("xb") as stream:
                stream.write(values[image]["bytes"])
        except FileExistsError:
            raise BrokenFileError(f"{row.where} and another image would both be {target}; remove one") from None
    return count, files


def _safe(name: str, row: Row) -> str:
    if not SAFE.fullmatch(name):
        raise BrokenFileError(f"{row.where}: {shown(name)} is no name of a class or an image; get the file again")
    return name
