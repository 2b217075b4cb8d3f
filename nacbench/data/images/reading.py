"""Read images as arrays of one size, from files and from cells of Parquet files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nacbench.data.images.decoder import decoded
from nacbench.data.unreadable import WAY_OUT, UnreadableError
from nacbench.errors import UserError
from nacbench.formats.reading import read_bytes

if TYPE_CHECKING:
    from PIL.Image import Image

Shape = tuple[int, int, int]  # channels (1 or 3), height and width


def read_image(path: Path, shape: Shape, *, crop: bool = True) -> np.ndarray:
    """Read an image file as `fitted` does.

    Raises:
        UnreadableError: also if the file cannot be opened.
    """
    return fitted(file_content(path), shape, str(path), crop=crop)


def fitted(content: bytes, shape: Shape, where: str, *, crop: bool = True) -> np.ndarray:
    """Return the image in the content of a file as uint8 channels×height×width, resized to the shape (bicubic).

    Args:
        content: of the file.
        shape: channels (1 or 3), height and width.
        where: file, or file and row, for errors.
        crop: keep the aspect ratio and crop the centre; otherwise stretch the whole image.

    Raises:
        UnreadableError: see `nacbench.data.images.decoder.decoded`.
    """
    return resized(decoded(content, where, shape[0]), shape, crop=crop)


def resized(image: Image, shape: Shape, *, crop: bool = True) -> np.ndarray:
    """Return an image of mode ``L`` or ``RGB`` as `fitted` does."""
    from PIL import Image, ImageOps

    _, height, width = shape
    fit = ImageOps.fit if crop else Image.Image.resize
    return channels_first(fit(image, (width, height), Image.Resampling.BICUBIC))


def exact(content: bytes, shape: Shape, where: str) -> np.ndarray:
    """Return the image in the content of a file as uint8 channels×height×width, which must have that size.

    Raises:
        UnreadableError: if it has another size, or is damaged.
    """
    image = decoded(content, where, shape[0])
    try:
        return of_size(image, shape)
    except ValueError as error:
        raise UnreadableError(f"{where}: {error}; {WAY_OUT}") from None


def of_size(image: Image, shape: Shape) -> np.ndarray:
    """Return an image of mode ``L`` or ``RGB`` as `exact` does.

    Raises:
        ValueError: if it has another size.
    """
    _, height, width = shape
    if image.size != (width, height):
        raise ValueError(f"the image has {image.width}×{image.height} pixels, not {width}×{height}")
    return channels_first(image)


def channels_first(image: Image) -> np.ndarray:
    """Return an image of mode ``L`` or ``RGB`` as uint8 channels×height×width."""
    grid = np.asarray(image, dtype=np.uint8)
    return grid[None] if grid.ndim == 2 else np.ascontiguousarray(grid.transpose(2, 0, 1))


def file_content(path: Path) -> bytes:
    """Return the content of an image file.

    Raises:
        UnreadableError: if it cannot be read.
    """
    try:
        return read_bytes(path)
    except UserError as error:
        reason = str(error).removeprefix(f"cannot read {path}: ")
        raise UnreadableError(f"image {path} cannot be read: {reason}; {WAY_OUT}") from None


def image_bytes(image: Any, where: str) -> bytes:
    """Return the encoded image in a cell of a Parquet file: bytes, or ``{"bytes": …, "path": …}``.

    Raises:
        UnreadableError: if the cell has no bytes.
    """
    content = image.get("bytes") if isinstance(image, Mapping) else image
    if not isinstance(content, bytes):
        raise UnreadableError(f"{where}: the image is {image!r:.60}, not the bytes of an image file; {WAY_OUT}")
    return content
