"""Images that have no file format of their own, only pixels: rows of an array."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from nacbench.data.mirror.door.found import Member, Row
from nacbench.data.mirror.door.readers.base import Table
from nacbench.errors import BrokenFileError

CHANNELS = (1, 3, 4)  # grey, colour, colour with transparency
PIXELS = "whole numbers of 0 to 255 in rows, columns and channels"
TAKE = "take a copy with image files or with such numbers"


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


def pixels_of(content: list[Any], where: str) -> np.ndarray:
    """Return the pixels of an image that a table has as lists of numbers.

    Channels may come last or first. Fractions and other ranges are refused: nothing says which number is white.

    Args:
        content: numbers of 0 to 255.
        where: its place, for messages.

    Returns:
        uint8 height×width, or height×width×3 or 4.

    Raises:
        BrokenFileError: if it is no such image.
    """
    array = _array(content)
    if array is None or array.dtype.kind not in "iuf" or array.ndim not in (2, 3) or not array.size:
        found = "lists of different lengths" if array is None else f"{array.dtype} of shape {_sides(array.shape)}"
        raise BrokenFileError(f"{where}: its image is {found}, not {PIXELS}; {TAKE}")
    low, high = array.min(), array.max()
    # not "any number outside": NaN compares as false. An image of 0.0 and 1.0 alone is one of the range from 0 to 1
    fits = low >= 0 and high <= 255 and (array.dtype.kind != "f" or (high > 1 and (array == np.floor(array)).all()))
    if not fits:
        raise BrokenFileError(f"{where}: its image has {array.dtype} of {low:g} to {high:g}, not {PIXELS}; {TAKE}")
    if array.ndim == 3 and array.shape[-1] not in CHANNELS:
        if array.shape[0] not in CHANNELS:
            raise BrokenFileError(f"{where}: its image has the shape {_sides(array.shape)}, not {PIXELS}; {TAKE}")
        array = array.transpose(1, 2, 0)
    grey = array.ndim == 3 and array.shape[-1] == 1
    return np.ascontiguousarray(array[..., 0] if grey else array).astype(np.uint8)


def _array(content: list[Any]) -> np.ndarray | None:
    try:
        return np.asarray(content)
    except ValueError:  # lists of different lengths
        return None


def _sides(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))


def label_of(number: int, names: Sequence[str], where: str) -> str:
    """Return the name of a class by its number.

    Raises:
        BrokenFileError: if there is no such class.
    """
    if not 0 <= number < len(names):
        raise BrokenFileError(f"{where}: label {number} is not one of {len(names)} classes; get the file again")
    return names[number]
