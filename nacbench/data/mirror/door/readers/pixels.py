"""Images that have no file format of their own, only pixels: rows of an array."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from nacbench.data.mirror.door.found import Member, Row
from nacbench.data.mirror.door.readers.base import Table
from nacbench.errors import BrokenFileError


def pixel_rows(
    member: Member, images: np.ndarray, labels: Iterable[str], names: Sequence[str] | None, table: Table
) -> Iterator[Row]:
    """Yield a row for each image.

    Args:
        member: the file.
        images: uint8 N×3×height×width.
        labels: names of classes, N.
        names: of image files, N; None if the data has none.
        table: whose columns are filled.
    """
    image, label = table.column("image"), table.column("class")
    for number, (pixels, own) in enumerate(zip(images.transpose(0, 2, 3, 1), labels, strict=True)):
        where = f"{member.shown}, image {number}"
        yield Row(where, {image: pixels, label: own}, names[number] if names else "", pixels.size)


def label_of(number: int, names: Sequence[str], where: str) -> str:
    """Return the name of a class by its number.

    Raises:
        BrokenFileError: if there is no such class.
    """
    if not 0 <= number < len(names):
        raise BrokenFileError(f"{where}: label {number} is not one of {len(names)} classes; get the file again")
    return names[number]
