"""Images that users have, in arrays, in Pillow's images or in files, as 8-bit grey or RGB images of Pillow."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nacbench.data.images.decoder import decoded, plain
from nacbench.data.images.reading import file_content
from nacbench.data.unreadable import WAY_OUT, UnreadableError
from nacbench.errors import UserError, shown

if TYPE_CHECKING:
    from PIL.Image import Image

COLOURS = 3


def picture(raw: Any, channels: int) -> Image:
    """Return one image as the files of data sets are decoded (`nacbench.data.images.decoder.decoded`).

    Args:
        raw: pixels from 0 to 255 (uint8), height×width for grey or height×width×3 for RGB; an image of Pillow; the path
            of an image file, or its content as bytes.
        channels: of the result, 1 for grey (mode ``L``) or 3 for ``RGB``. Colours become grey, and grey is repeated.

    Raises:
        UserError: names what is wrong with the type, the shape or the range of the pixels, or with the file.
    """
    from PIL import Image

    if isinstance(raw, np.ndarray):
        _check_pixels(raw)
        raw = Image.fromarray(np.ascontiguousarray(raw.squeeze(-1) if raw.ndim == 3 and raw.shape[-1] == 1 else raw))
    try:
        if isinstance(raw, str | os.PathLike):
            return decoded(file_content(Path(raw)), str(raw), channels)
        if isinstance(raw, bytes):
            return decoded(raw, "of these bytes", channels)
    except UnreadableError as error:
        raise UserError(str(error).removesuffix(f"; {WAY_OUT}")) from None
    if not isinstance(raw, Image.Image):
        raise UserError(
            f"an image is an array of uint8, height×width or height×width×3, an image of Pillow, a path, or the bytes "
            f"of a file, not {_kind(raw)}"
        )
    try:
        return plain(raw, channels)
    except (ValueError, OSError) as error:
        raise UserError(f"the image cannot be read: {error}") from None


def pictures_of(raw: Any, channels: int) -> Sequence[Any] | None:
    """Return the images of a batch one by one; None if ``raw`` is one image.

    Args:
        raw: a list, or an array N×height×width×3, N×height×width×1 or, for grey images, N×height×width.
        channels: of the task's images. For colour N×height×width is refused by `picture`, as it could as well be one
            image with its channels in front.
    """
    if isinstance(raw, list):
        return raw
    if not isinstance(raw, np.ndarray):
        return None
    if raw.ndim == 4 or (raw.ndim == 3 and channels == 1 and raw.shape[-1] not in (1, COLOURS)):
        return list(raw)
    return None


def _check_pixels(pixels: np.ndarray) -> None:
    sides = "×".join(map(str, pixels.shape))
    if pixels.dtype != np.uint8:
        why = "nothing says which number is white" if pixels.dtype.kind in "fiub" else "these are no pixels"
        raise UserError(
            f"an image is an array of uint8, pixels from 0 (black) to 255 (white), not of {pixels.dtype}: {why}; "
            "convert it, such as (255 * image).round().astype(numpy.uint8) for 0 to 1"
        )
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[-1] not in (1, COLOURS)):
        in_front = pixels.ndim == 3 and pixels.shape[0] == COLOURS
        way_out = "; move the channels to the end with .transpose(1, 2, 0)" if in_front else ""
        raise UserError(f"an image is height×width or height×width×3, not {sides}{way_out}")
    if not pixels.size:
        raise UserError(f"an image of {sides} has no pixels")


def _kind(raw: Any) -> str:
    return f"{type(raw).__name__} {shown(raw)}" if isinstance(raw, int | float) else f"{type(raw).__name__}"
