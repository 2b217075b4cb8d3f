"""Reader of image folders (one folder per class): list, check, and decode images eagerly or on access."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from nacbench.errors import UserError

if TYPE_CHECKING:
    from nacbench.data.mirror.cache import Arrays

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
    try:
        with Image.open(file) as opened:
            image = opened.convert("L" if channels == 1 else "RGB")
            fit = ImageOps.fit if crop else Image.Image.resize
            fitted = fit(image, (width, height), Image.Resampling.BICUBIC)
    # Besides OSError, Pillow raises SyntaxError (broken PNG chunks) and ValueError for damaged files
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(
            f"image {name or file} cannot be read: {error}; delete it and fetch or copy it again"
        ) from error
    grid = np.asarray(fitted, dtype=np.uint8)
    return grid[None] if channels == 1 else np.ascontiguousarray(grid.transpose(2, 0, 1))


class ImageFiles:
    """Image files as a lazy array uint8 N×channels×height×width: images are decoded when they are indexed.

    Args:
        folder: base of the relative paths.
        names: N relative paths as bytes, which NumPy stores without pickle.
        shape: channels, height and width to fit every image to.
        crop: see `read_image`.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, folder: Path, names: np.ndarray, shape: tuple[int, int, int], *, crop: bool = True) -> None:
        self.folder = folder
        self.names = names
        self.image_shape = shape
        self.crop = crop

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        paths = [self.folder / name.decode() for name in self.names[indices]]
        images = [read_image(path, self.image_shape, crop=self.crop) for path in paths]
        return np.stack(images) if images else np.empty((0, *self.image_shape), dtype=np.uint8)


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
        names += [str(path.relative_to(folder)).encode() for path in own]
        labels += [label] * len(own)
    return np.array(names), np.array(labels, dtype=np.int16)


def _hidden(path: Path, place: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(place).parts)


def folder_arrays(name: str, folder: Path, splits: dict[str, str], shape: tuple[int, int, int]) -> Arrays:
    """Return the splits of a data set with folders ``<split>/<class>/``; images are decoded on access.

    Args:
        name: of the data set, in the cache.
        folder: of the data set.
        splits: name of each split → name of its folder.
        shape: channels, height and width to fit the images to.

    Raises:
        UserError: if a split's folder is missing, or its classes differ from the first split's.
    """
    from nacbench.data.mirror.cache import Arrays, cached_arrays, stamp_of

    places = {split: class_folders(folder / sub) for split, sub in splits.items()}
    first, *others = places.items()
    known = [place.name for place in first[1]]
    for split, classes in others:
        differing = sorted(set(known) ^ {place.name for place in classes})
        if differing:
            raise UserError(
                f"{folder / splits[split]} and {folder / splits[first[0]]} have different classes, "
                f"for example {differing[0]}; every split needs a folder for every class"
            )

    def listing() -> dict[str, np.ndarray]:
        arrays = {"class_names": np.array([class_name.encode() for class_name in known])}
        for split, classes in places.items():
            names, labels = image_names(folder, classes)
            sizes = np.array([(folder / file.decode()).stat().st_size for file in names])
            arrays |= {f"{split}_names": names, f"{split}_labels": labels, f"{split}_sizes": sizes}
        return arrays

    stamp = stamp_of(place for classes in places.values() for place in classes)
    listed = cached_arrays(f"{name}-listing", stamp, listing)
    arrays = dict(listed.arrays)
    for split in splits:
        arrays[f"{split}_images"] = ImageFiles(folder, arrays.pop(f"{split}_names"), shape)  # type: ignore[assignment]
    return Arrays(arrays, listed.fingerprint)


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
    from nacbench.data.mirror.cache import cached_arrays, stamp_of

    places = [folder / class_name for class_name in classes]
    for place in places:
        if not place.is_dir():
            raise UserError(f"{folder} has no folder {place.name}; delete it and fetch the data set again")

    def decode() -> dict[str, np.ndarray]:
        names, labels = image_names(folder, places)
        images = ImageFiles(folder, names, shape, crop=False)[np.arange(len(names))]
        return {"images": images, "labels": labels, "class_names": np.array([c.encode() for c in classes])}

    return cached_arrays(f"{name}-{shape[1]}-stretched", stamp_of(places), decode)


def image_bytes(image: Any, where: str) -> bytes:
    """Return the encoded image in a cell of a hub's Parquet file: bytes, or ``{"bytes": …, "path": …}``.

    Raises:
        UserError: if the cell has no bytes.
    """
    content = image.get("bytes") if isinstance(image, Mapping) else image
    if not isinstance(content, bytes):
        raise UserError(f"{where}: the image is {image!r:.60}, not the bytes of an image file")
    return content
