"""Reader of image folders (one folder per class): list, check, and decode images eagerly or on access."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from nacbench.errors import UserError
from nacbench.formats.reading import read_bytes

if TYPE_CHECKING:
    from PIL.Image import Image

    from nacbench.data.mirror.cache import Arrays

THREADS = 8  # that read files at the same time
SUFFIXES = (".jpeg", ".jpg", ".png", ".webp", ".bmp")


def read_image(
    file: Path | IO[bytes], shape: tuple[int, int, int], name: str | None = None, *, crop: bool = True
) -> np.ndarray:
    """Read an image as uint8 channels×height×width, resized to the shape (bicubic).

    Args:
        file: path, or open binary file.
        shape: channels (1 or 3), height and width.
        name: name of the image in errors; its path by default.
        crop: keep the aspect ratio and crop the centre; otherwise stretch the whole image.

    Raises:
        UserError: if the image is truncated, damaged or of an unknown format.
    """
    from PIL import Image, ImageOps

    channels, height, width = shape
    fit = ImageOps.fit if crop else Image.Image.resize
    with opened_image(file, name or str(file)) as opened:
        image = opened.convert("L" if channels == 1 else "RGB")
        return _channels_first(fit(image, (width, height), Image.Resampling.BICUBIC))


def read_exact_image(cell: Any, shape: tuple[int, int, int], where: str) -> np.ndarray:
    """Read the image in a cell of a Parquet file as uint8 channels×height×width, which must have that size.

    Args:
        cell: see `image_bytes`.
        shape: channels (1 or 3), height and width.
        where: place of the cell in errors.

    Raises:
        UserError: if the image is damaged, or has another size.
    """
    channels, height, width = shape
    with opened_image(io.BytesIO(image_bytes(cell, where)), where) as opened:
        if opened.size != (width, height):
            raise UserError(f"{where}: the image has {opened.width}×{opened.height} pixels, not {width}×{height}")
        return _channels_first(opened.convert("L" if channels == 1 else "RGB"))


@contextmanager
def opened_image(file: Path | IO[bytes], name: str) -> Iterator[Image]:
    """Yield an open image; turn errors of decoding in the block into one line.

    Raises:
        UserError: if the image is truncated, damaged or of an unknown format; names it.
    """
    from PIL import Image

    try:
        with Image.open(file) as opened:
            yield opened
    except UserError:
        raise
    except Exception as error:  # besides OSError, Pillow's decoders raise whatever the format's code does
        raise UserError(f"image {name} cannot be read: {error}; delete it and fetch or copy it again") from error


def _channels_first(image: Image) -> np.ndarray:
    grid = np.asarray(image, dtype=np.uint8)
    return grid[None] if grid.ndim == 2 else np.ascontiguousarray(grid.transpose(2, 0, 1))


class ImageFiles:
    """Image files as a lazy array uint8 N×channels×height×width: images are decoded when they are indexed.

    Args:
        folder: base of the relative paths.
        names: N relative paths as bytes, which NumPy stores without pickle.
        digests: SHA-256 of each file's content, uint8 N×32.
        shape: channels, height and width to fit every image to.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, folder: Path, names: np.ndarray, digests: np.ndarray, shape: tuple[int, int, int]) -> None:
        self.folder = folder
        self.names = names
        self.digests = digests
        self.image_shape = shape

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        chosen = zip(self.names[indices], self.digests[indices], strict=True)
        images = [self._read(name, digest) for name, digest in chosen]
        return np.stack(images) if images else np.empty((0, *self.image_shape), dtype=np.uint8)

    def _read(self, name: bytes, digest: np.ndarray) -> np.ndarray:
        path = self.folder / os.fsdecode(name)
        content = read_bytes(path)
        # The fingerprint covers the digests: other content would be scored under the fingerprint of what was listed
        if hashlib.sha256(content).digest() != digest.tobytes():
            raise UserError(f"image {path} has changed since the run began; start it again")
        return self._decode(content, path)

    def _decode(self, content: bytes, path: Path) -> np.ndarray:
        return read_image(io.BytesIO(content), self.image_shape, str(path))


def class_folders(folder: Path) -> list[Path]:
    """Return the class folders in a folder, sorted by name.

    Raises:
        UserError: if there are none.
    """
    found = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if not found:
        raise UserError(f"{folder} has no folders; it should have one for each class, with the class's images inside")
    return found


def image_names(folder: Path, classes: Sequence[Path]) -> tuple[np.ndarray, np.ndarray]:
    """List the images of class folders: relative paths (bytes, sorted by class and name) and class numbers.

    Raises:
        UserError: if a class has no images.
    """
    names: list[bytes] = []
    labels: list[int] = []
    for label, place in enumerate(classes):
        own = sorted(path for path in place.rglob("*") if path.suffix.lower() in SUFFIXES and not _hidden(path, place))
        if not own:
            raise UserError(f"{place} holds no images; delete {folder} and fetch it again, or remove that folder")
        names += [os.fsencode(path.relative_to(folder)) for path in own]
        labels += [label] * len(own)
    return np.array(names), np.array(labels, dtype=np.int16)


def _hidden(path: Path, place: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(place).parts)


def folder_arrays(name: str, folder: Path, splits: dict[str, str], shape: tuple[int, int, int]) -> Arrays:
    """Return the splits of a data set with folders ``<split>/<class>/``; images are decoded on access.

    The fingerprint covers the content of every file, which is read once for it. An image is compared with it again when
    it is decoded.

    Args:
        name: of the data set, in the cache.
        folder: of the data set.
        splits: name of each split → name of its folder.
        shape: channels, height and width to fit the images to.

    Raises:
        UserError: if a split's folder is missing, or its classes differ from the first split's.
    """
    from nacbench.data.mirror.cache import Arrays, cached_arrays

    def listing() -> dict[str, np.ndarray]:
        places = _places(folder, splits)
        known = next(iter(places.values()))
        arrays = {"class_names": np.array([place.name.encode() for place in known])}
        for split, classes in places.items():
            names, labels = image_names(folder, classes)
            digests = content_digests(folder, names)
            arrays |= {f"{split}_names": names, f"{split}_labels": labels, f"{split}_digests": digests}
        return arrays

    listed = cached_arrays(f"{name}-listing", repr(splits), listing, folder)
    arrays = dict(listed.arrays)
    for split in splits:
        images = ImageFiles(folder, arrays.pop(f"{split}_names"), arrays.pop(f"{split}_digests"), shape)
        arrays[f"{split}_images"] = images  # type: ignore[assignment]
    return Arrays(arrays, listed.fingerprint)


def _places(folder: Path, splits: Mapping[str, str]) -> dict[str, list[Path]]:
    """Return the class folders of each split, which must be the same."""
    places = {split: class_folders(folder / sub) for split, sub in splits.items()}
    (first, known), *others = places.items()
    for split, classes in others:
        differing = sorted({place.name for place in known} ^ {place.name for place in classes})
        if differing:
            raise UserError(
                f"{folder / splits[split]} and {folder / splits[first]} have different classes, "
                f"for example {differing[0]}; every split needs a folder for every class"
            )
    return places


def content_digests(folder: Path, names: np.ndarray) -> np.ndarray:
    """Return the SHA-256 of the content of files, uint8 N×32; it reads every byte of them.

    Raises:
        UserError: if one cannot be read.
    """

    def digests_of(some: Sequence[bytes]) -> bytes:
        return b"".join(hashlib.sha256(read_bytes(folder / os.fsdecode(name))).digest() for name in some)

    with ThreadPoolExecutor(THREADS) as pool:
        parts = pool.map(digests_of, (names[first : first + 100].tolist() for first in range(0, len(names), 100)))
        return np.frombuffer(b"".join(parts), dtype=np.uint8).reshape(len(names), 32)


def class_images(name: str, folder: Path, classes: Sequence[str], shape: tuple[int, int, int]) -> Arrays:
    """Return the images of some classes: ``images`` (uint8 N×C×H×W), ``labels`` and ``class_names``.

    Images are decoded once, then cached; they are stretched to the shape without cropping.

    Args:
        name: of the data set, in the cache.
        folder: has a folder for each class.
        classes: the folders to read.
        shape: channels, height and width of the result.

    Raises:
        UserError: if a class has no folder or no images, or an image is broken.
    """
    from nacbench.data.mirror.cache import cached_arrays

    def decode() -> dict[str, np.ndarray]:
        places = [folder / class_name for class_name in classes]
        lacking = [place.name for place in places if not place.is_dir()]
        if lacking:
            raise UserError(f"{folder} has no folder {lacking[0]}; delete it and fetch the data set again")
        names, labels = image_names(folder, places)
        images = np.stack([read_image(folder / os.fsdecode(own), shape, crop=False) for own in names])
        return {"images": images, "labels": labels, "class_names": np.array([c.encode() for c in classes])}

    return cached_arrays(f"{name}-stretched", f"{shape} {list(classes)}", decode, folder)


def image_bytes(image: Any, where: str) -> bytes:
    """Return the encoded image in a cell of a hub's Parquet file: bytes, or ``{"bytes": …, "path": …}``.

    Raises:
        UserError: if the cell has no bytes.
    """
    content = image.get("bytes") if isinstance(image, Mapping) else image
    if not isinstance(content, bytes):
        raise UserError(f"{where}: the image is {image!r:.60}, not the bytes of an image file")
    return content
