"""Reader of image folders (one folder per class): list, check, and decode images eagerly or on access."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nacbench.data.class_order import class_order
from nacbench.data.images.checked_files import checked_digests
from nacbench.data.images.decoder import decoded
from nacbench.data.images.reading import Shape, channels_first, fitted, read_image
from nacbench.data.unreadable import left_out, read_all, skip_stamp
from nacbench.errors import UserError
from nacbench.formats.reading import read_bytes

if TYPE_CHECKING:
    from nacbench.data.mirror.cache import Arrays

BACK = "put its former content back, and the same command goes on with the run"
SUFFIXES = (".jpeg", ".jpg", ".png", ".webp", ".bmp")


class ImageFiles:
    """Image files as a lazy array uint8 N×channels×height×width: images are decoded when they are indexed.

    Args:
        folder: base of the relative paths.
        names: N relative paths as bytes, which NumPy stores without pickle.
        digests: SHA-256 of each file's content, uint8 N×32.
        shape: channels, height and width to fit every image to.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, folder: Path, names: np.ndarray, digests: np.ndarray, shape: Shape) -> None:
        self.folder = folder
        self.names = names
        self.digests = digests
        self.image_shape = shape

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        images = [self._decode(content, path) for content, path in self._contents(indices)]
        return np.stack(images) if images else np.empty((0, *self.image_shape), dtype=np.uint8)

    def whole(self, indices: np.ndarray) -> list[np.ndarray]:
        """Return images in the sizes of their files, each uint8 channels×height×width."""
        channels = self.image_shape[0]
        return [channels_first(decoded(content, str(path), channels)) for content, path in self._contents(indices)]

    def _contents(self, indices: np.ndarray) -> Iterator[tuple[bytes, Path]]:
        """Yield the content of image files, which must be as it was when they were listed, and their paths."""
        for name, digest in zip(self.names[indices], self.digests[indices], strict=True):
            path = self.folder / os.fsdecode(name)
            try:
                content = read_bytes(path)
            except UserError as error:
                raise UserError(f"{error}; {BACK}") from None
            # The fingerprint covers the digests: other content would be scored under the fingerprint of what was listed
            if hashlib.sha256(content).digest() != digest.tobytes():
                raise UserError(f"image {path} has changed since the run began; {BACK}")
            yield content, path

    def _decode(self, content: bytes, path: Path) -> np.ndarray:
        return fitted(content, self.image_shape, str(path))


def class_folders(folder: Path) -> list[Path]:
    """Return the class folders in a folder, in the order of their names.

    Raises:
        UserError: if there are none.
    """
    found = [path.name for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    if not found:
        raise UserError(f"{folder} has no folders; it should have one for each class, with the class's images inside")
    return [folder / name for name in class_order(found)]


def image_names(folder: Path, classes: Sequence[Path]) -> tuple[np.ndarray, np.ndarray]:
    """List the images of class folders: relative paths (bytes, sorted by class and name) and class numbers.

    Raises:
        UserError: if a class has no images.
    """
    names: list[bytes] = []
    labels: list[int] = []
    for label, place in enumerate(classes):
        own = sorted(path for path in place.rglob("*") if _is_image(path, place))
        if not own:
            raise UserError(f"{place} holds no images; delete {folder} and fetch it again, or remove that folder")
        names += [os.fsencode(path.relative_to(folder)) for path in own]
        labels += [label] * len(own)
    return np.array(names), np.array(labels, dtype=np.int16)


def _is_image(path: Path, place: Path) -> bool:
    """Whether a path in a folder is that of an image, by its suffix, which neither it nor a folder on the way hides."""
    return path.suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in path.relative_to(place).parts)


def folder_arrays(name: str, folder: Path, splits: dict[str, str], shape: Shape) -> Arrays:
    """Return the splits of a data set with folders ``<split>/<class>/``; images are decoded on access.

    Every file is read and checked once for its digest, which the fingerprint covers: so that a broken one is found
    before a training. An image is compared with its digest again when it is decoded.

    Args:
        name: of the data set, in the cache.
        folder: of the data set.
        splits: name of each split → name of its folder.
        shape: channels, height and width to fit the images to.

    Raises:
        UserError: if a split's folder is missing, its classes differ from the first split's, or an image is broken.
    """
    from nacbench.data.mirror.cache import Arrays, cached_arrays

    def listing() -> dict[str, np.ndarray]:
        places = _places(folder, splits)
        known = next(iter(places.values()))
        arrays = {"class_names": np.array([place.name.encode() for place in known])}
        listed = {split: image_names(folder, classes) for split, classes in places.items()}
        digests, kept = checked_digests(name, folder, np.concatenate([names for names, _ in listed.values()]))
        first = 0
        for split, (names, labels) in listed.items():
            part = slice(first, first + len(names))
            good = kept[part]
            arrays |= {f"{split}_names": names[good], f"{split}_labels": labels[good]}
            arrays |= {f"{split}_digests": digests[part][good]} | left_out(split, good)
            first += len(names)
        return arrays

    listed = cached_arrays(f"{name}-listing", f"{splits!r}{skip_stamp()}", listing, folder)
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


def class_images(name: str, folder: Path, classes: Sequence[str], shape: Shape) -> Arrays:
    """Return the images of some classes: ``images`` (uint8 N×C×H×W), ``labels`` and ``class_names``.

    ``pictures`` is the number of images of all classes in the folder.

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
        paths = [folder / os.fsdecode(own) for own in names]
        images, kept = read_all(partial(read_image, shape=shape, crop=False), paths, len(paths), shape, name)
        arrays = {"images": images, "labels": labels[kept], "class_names": np.array([c.encode() for c in classes])}
        pictures = sum(1 for path in folder.rglob("*") if _is_image(path, folder))
        return arrays | {"pictures": np.array(pictures)} | left_out("", kept)

    return cached_arrays(f"{name}-stretched", f"{shape} {list(classes)}{skip_stamp()}", decode, folder)
