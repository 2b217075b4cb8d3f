"""The one decoder of image files: every mode that Pillow opens becomes 8-bit grey or RGB, and damage is one line."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from nacbench.data.mirror.door.damage import FORMATS
from nacbench.data.unreadable import WAY_OUT, UnreadableError
from nacbench.errors import shown

if TYPE_CHECKING:
    from PIL.Image import Image

DEEP = ("PNG", "PPM")  # formats whose mode "I" is 16-bit grey
ORIENTATION = 0x0112  # the EXIF tag


def decoded(content: bytes, where: str, channels: int) -> Image:
    """Decode the content of an image file to 8-bit grey (``L``) or ``RGB``.

    - Palettes are looked up. 16-bit grey is scaled to 8 bits (65535 becomes 255).
    - Transparency is dropped, not laid on a background, as in torchvision's ImageFolder and the library datasets: the
      published numbers of these data sets are of such pixels.
    - Photographs are turned as their EXIF orientation says, as in the library datasets.
    - Of several frames, the first one is taken.

    Args:
        content: of the file.
        where: file, or file and row, for errors.
        channels: 1 for grey, 3 for colour.

    Raises:
        UnreadableError: if it is truncated, damaged, of an unknown format, or its pixels have no stated range.
    """
    return _decoded(content, where, channels, draft=False)


def plain(image: Image, channels: int) -> Image:
    """Return an image that Pillow has opened or made as `decoded` would: 8-bit, upright, without transparency.

    Raises:
        ValueError: if its pixels have no stated range.
        OSError: if its file is damaged.
    """
    return _in_mode(_upright(image), image.format, channels)


def check_image(content: bytes, where: str) -> None:
    """Check that the content of an image file can be decoded; JPEGs in an eighth of their size, which is faster.

    Raises:
        UnreadableError: as `decoded`.
    """
    _decoded(content, where, 1, draft=True)


def _decoded(content: bytes, where: str, channels: int, *, draft: bool) -> Image:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if draft:
                image.draft("L", (image.width // 8, image.height // 8))
            image.load()
            _check_end(image.format, content)
            return plain(image, channels)
    except UnidentifiedImageError:
        begin = shown(content[:24]) if content else "it is empty"
        reason = f"not an image file of a known format ({begin})"
    except Exception as error:  # besides OSError, Pillow's decoders raise whatever the format's code does
        reason = str(error) or type(error).__name__
    raise UnreadableError(f"image {where} cannot be read: {reason}; {WAY_OUT}")


def _check_end(kind: str | None, content: bytes) -> None:
    """Raise a ValueError if a file lacks its end: Pillow decodes some of these without an error."""
    if kind in ("JPEG", "MPO") and content.rfind(b"\xff\xd9") < content.rfind(b"\xff\xda"):
        raise ValueError("it is cut short: a JPEG without its end marker")
    if kind == "PNG" and b"IEND" not in content:
        raise ValueError("it is cut short: a PNG without its last chunk, IEND")


def _upright(image: Image) -> Image:
    from PIL import Image

    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    try:
        turn = turns.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # broken metadata of a good picture: the library parses it unchecked
        turn = None
    return image if turn is None else image.transpose(turn)


def _in_mode(image: Image, kind: str | None, channels: int) -> Image:
    """Return an image of any mode as ``L`` or ``RGB``."""
    if image.mode.startswith("I;16") or (image.mode == "I" and kind in DEEP):
        image = _from_16_bits(image)
    elif image.mode in ("I", "F"):
        raise ValueError(f"its pixels are 32-bit numbers (mode {image.mode}), of which nothing says what is white")
    elif image.mode in ("P", "PA"):
        image = image.convert("RGBA")  # not at once to RGB, of which Pillow warns if there are transparent colours
    elif image.mode not in ("1", "L", "LA", "RGB", "RGBA"):
        image = image.convert("RGB")  # Pillow has no direct way from CMYK and others to grey
    return image.convert("L" if channels == 1 else "RGB")


def _from_16_bits(image: Image) -> Image:
    from PIL import Image

    grey = np.asarray(image).astype(np.uint32)
    return Image.fromarray(((grey * 255 + 32767) // 65535).astype(np.uint8))
