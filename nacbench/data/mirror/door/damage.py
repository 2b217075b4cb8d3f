"""Damage that a file's own bytes show, found at the door: git-lfs pointers, web pages, files that were cut short."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from nacbench.errors import BrokenFileError
from nacbench.formats.parquet import POINTER, opened_parquet
from nacbench.formats.reading import LARGEST, open_regular, read_bytes, read_text

PAGES = (b"<!doctype html", b"<html", b"<?xml")
TEXT_OF_PAGES = (".html", ".htm", ".xml")
START = 512  # bytes that are looked at
TAIL = 64  # bytes at the end of a JPEG in which its end mark is looked for
IMAGES = (".jpeg", ".jpg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
LARGEST_IMAGE = 2**30  # bytes
ROWS = 1000  # that are in memory at a time
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")  # no others: Pillow hands some to outside programs
END_OF_JPEG = b"\xff\xd9"


def damage_at_start(file: Path) -> str | None:
    """Return what is wrong with a file by its first bytes, with the way out, or None."""
    with open_regular(file) as stream:
        start = stream.read(START)
    return damage_in(start, file.suffix.lower())


def damage_in(start: bytes, suffix: str) -> str | None:
    """Return what is wrong with a file that starts with some bytes, with the way out, or None."""
    if start.startswith(POINTER):
        return "is a pointer of git-lfs, not the data; get the data with: git lfs pull"
    if start.lstrip().lower().startswith(PAGES) and suffix not in TEXT_OF_PAGES:
        return (
            "is a web page, not the data: the download asked for a login or had another address; "
            "open its page in a browser and download it there"
        )
    return None


def whole_text(file: Path, where: str, largest: int = LARGEST) -> str:
    """Return the content of a text file; raises as `check_file`, also if it is empty, longer, or not UTF-8.

    Args:
        file: the file.
        where: its path as the user knows it, for messages.
        largest: number of bytes that it may have.
    """
    wrong = damage_at_start(file)
    if wrong:
        raise BrokenFileError(f"{where} {wrong}")
    try:
        content = read_text(file, largest=largest)
    except BrokenFileError as error:
        raise BrokenFileError(str(error).replace(str(file), where)) from error
    if not content.strip():
        raise BrokenFileError(f"{where} is empty; get it again")
    return content


def check_image(content: bytes, where: str, size: Sequence[int] | None = None) -> None:
    """Read an image's header, and look for damage: a PNG has checksums, a JPEG its end mark; others are decoded.

    A JPEG is decoded only if its end is not where it belongs: photographs are many, and damage in their middle is no
    error for its decoder.

    Args:
        content: bytes of the file.
        where: its place, for messages.
        size: width and height in pixels that it must have; None for any.

    Raises:
        BrokenFileError: if it is no image, is cut short, or has another size; the message starts with the place.
    """
    from PIL import Image, UnidentifiedImageError

    wrong = "is empty; copy it again" if not content else damage_in(content[:START], "")
    if wrong:
        raise BrokenFileError(f"{where} {wrong}")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            found = image.size
            if image.format == "PNG":
                image.verify()
            elif image.format != "JPEG" or END_OF_JPEG not in content[-TAIL:]:  # some have other bytes after their end
                image.load()
    except UnidentifiedImageError:
        raise BrokenFileError(f"{where} is damaged, or is no image of a known format; copy it again") from None
    except Exception as error:  # besides OSError, Pillow's decoders raise whatever the format's code does
        raise BrokenFileError(f"{where} cannot be read as an image: {error}; copy it again") from error
    check_size(found, where, size)


def check_size(found: Sequence[int], where: str, size: Sequence[int] | None) -> None:
    """Raise a BrokenFileError if an image's width and height are not those that a data set's images have, if known."""
    if size and tuple(found) != tuple(size):
        raise BrokenFileError(
            f"{where}: the image has {found[0]}×{found[1]} pixels, and the data set's have {size[0]}×{size[1]}; take "
            "a copy that nobody has resized"
        )


def check_file(file: Path, where: str) -> int:
    """Check what a file's name says that it is: an image's header, a Parquet file's content; return its size in bytes.

    Raises:
        BrokenFileError: if it is damaged; the message starts with the place.
    """
    suffix = file.suffix.lower()
    if suffix in IMAGES:
        content = read_bytes(file, largest=LARGEST_IMAGE)
        check_image(content, where)
        return len(content)
    wrong = damage_at_start(file)
    if wrong:
        raise BrokenFileError(f"{where} {wrong}")
    if suffix == ".parquet":
        check_parquet(file, where)
    return file.stat().st_size


def check_parquet(file: Path, where: str) -> None:
    """Read a Parquet file from end to end; raises as `check_file`."""
    try:
        with opened_parquet(file, "get it again") as parquet:
            for _ in parquet.iter_batches(ROWS):
                pass
    except BrokenFileError as error:
        raise BrokenFileError(str(error).replace(str(file), where)) from error
