"""Readers of the published corrupted images as they are: the arrays of CIFAR-10-C, and the folders of ImageNet-C.

Both are listed once, with a digest of every file that the fingerprint covers, and compared with it when they are read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from nacbench.data.images.checked_files import checked_digests
from nacbench.data.images.corruptions.portions import SEVERITIES
from nacbench.data.images.image_files import ImageFiles, class_folders, image_names
from nacbench.data.images.reading import exact
from nacbench.data.live import Split
from nacbench.data.mirror.cache import cached_arrays
from nacbench.errors import UserError
from nacbench.formats.reading import open_regular

if TYPE_CHECKING:
    from nacbench.data.mirror.cache import Arrays


class CorruptedFiles(Protocol):
    """Published corrupted images, listed and not yet read.

    Attributes:
        fingerprint: of the files' content.
        paired: whether it is known which clean image a corrupted one was made from.
    """

    fingerprint: str
    paired: bool

    def split(self, name: str, severity: int, chosen: np.ndarray) -> Split:
        """Return some of the images under a corruption at a severity, with their labels.

        Args:
            name: of the corruption.
            severity: 1 to 5.
            chosen: places of the wanted images in the test set; only their number counts where it is not known which
                image was made from which, and the images are then evenly spaced.
        """


class CorruptedArrays:
    """Files ``<corruption>.npy``, uint8 5·N×H×W×3 with severity 1 first, and ``labels.npy``, uint8 5·N.

    Args:
        title: of the data set, in errors.
        folder: of the files.
        names: corruptions that it must have.
        shape: channels, height and width of an image.
        labels: of the N test images, in their order.

    Raises:
        UserError: if a file is missing, or the labels are not those of the test images.
    """

    paired = True

    def __init__(
        self, title: str, folder: Path, names: Sequence[str], shape: tuple[int, int, int], labels: np.ndarray
    ) -> None:
        self._title = title
        self._folder = folder
        self._shape = shape
        self._labels = labels
        files = [*(_file(name) for name in names), "labels.npy"]

        def listing() -> dict[str, np.ndarray]:
            return {"digests": np.array([_digest(folder / file).encode() for file in files])}

        listed = cached_arrays(f"{title}-files".lower(), repr(files), listing, folder)
        self.fingerprint = listed.fingerprint
        self._digests = dict(zip(files, listed.arrays["digests"].tolist(), strict=True))
        self._check_labels()

    def split(self, name: str, severity: int, chosen: np.ndarray) -> Split:
        """See `CorruptedFiles.split`.

        Raises:
            UserError: if the file has changed since it was listed, or does not hold such images.
        """
        channels, height, width = self._shape
        count = len(self._labels)
        images = self._read(_file(name), (len(SEVERITIES) * count, height, width, channels))
        own = images[(severity - 1) * count : severity * count]
        return Split({"images": own.transpose(0, 3, 1, 2)}, self._labels, chosen)

    def _check_labels(self) -> None:
        count = len(self._labels)
        found = self._read("labels.npy", (len(SEVERITIES) * count,)).reshape(len(SEVERITIES), count)
        for severity, own in zip(SEVERITIES, found, strict=True):
            for place in np.flatnonzero(own != self._labels)[:1]:
                raise UserError(
                    f"{self._folder / 'labels.npy'}: at severity {severity} image {place} has label {own[place]}, and "
                    f"{self._labels[place]} in the test set; {self._title} is in the published order of the test "
                    "images: import the test set in that order, or use task.data=made"
                )

    def _read(self, file: str, shape: tuple[int, ...]) -> np.ndarray:
        path = self._folder / file
        found = _opened(path, self._digests[file].decode())
        if found.dtype != np.uint8 or found.shape != shape:
            sides = ["×".join(map(str, own)) for own in (found.shape, shape)]
            raise UserError(
                f"{path} holds {found.dtype} {sides[0]}; it must be uint8 {sides[1]}, five severities of the "
                f"{len(self._labels)} test images: import {self._title} again, or the complete test set"
            )
        return found


class CorruptedFolders:
    """Folders ``<corruption>/<severity>/<class>/`` of images, which are decoded on access.

    Args:
        title: of the data set, in errors.
        folder: of the corruptions' folders.
        names: corruptions that it must have.
        shape: channels, height and width of an image.
        classes: names of the classes by label; images of classes without test images are left out.
        labels: of the test images, in any order.

    Raises:
        UserError: if a folder is missing, or has other numbers of images by class than the test images.
    """

    paired = False

    def __init__(
        self,
        title: str,
        folder: Path,
        names: Sequence[str],
        shape: tuple[int, int, int],
        classes: Sequence[str],
        labels: np.ndarray,
    ) -> None:
        self._title = title
        self._folder = folder
        self._shape = shape
        counts = np.bincount(labels, minlength=len(classes)).tolist()
        self._wanted = {number: count for number, count in enumerate(counts) if count}
        self._classes = classes
        self._parts = {(name, severity): self._listed(name, severity) for name in names for severity in SEVERITIES}
        together = "".join(own.fingerprint for own in self._parts.values())
        self.fingerprint = hashlib.sha256(together.encode()).hexdigest()[:16]

    def split(self, name: str, severity: int, chosen: np.ndarray) -> Split:
        """See `CorruptedFiles.split`; an image that is damaged, or has changed since it was listed, is an error when it
        is decoded."""
        own = self._parts[name, severity].arrays
        images = ExactFiles(self._place(name, severity), own["names"], own["digests"], self._shape)
        return Split({"images": images}, own["labels"]).spread(len(chosen))  # type: ignore[dict-item]

    def _place(self, name: str, severity: int) -> Path:
        return self._folder / name.replace("-", "_") / str(severity)

    def _listed(self, name: str, severity: int) -> Arrays:
        place = self._place(name, severity)
        wanted = {self._classes[number]: number for number in self._wanted}

        def listing() -> dict[str, np.ndarray]:
            there = {path.name: path for path in class_folders(place)}
            for lacking in (own for own in wanted if own not in there):
                raise UserError(f"{place} has no folder {lacking}, which is a class of the test images")
            names, classes = image_names(place, [there[own] for own in wanted])
            labels = np.array([*wanted.values()], dtype=np.int16)[classes]
            digests, good = checked_digests(f"{self._title}-{name}-{severity}".lower(), place, names)
            return {"names": names[good], "labels": labels[good], "digests": digests[good]}

        listed = cached_arrays(f"{self._title}-{name}-{severity}".lower(), repr(wanted), listing, place)
        found = np.bincount(listed.arrays["labels"], minlength=len(self._classes))
        for number, count in self._wanted.items():
            if found[number] != count:
                raise UserError(
                    f"{place / self._classes[number]} holds {found[number]} images; the test set has {count} of this "
                    f"class: import {self._title} again, or the complete test set"
                )
        return listed


class ExactFiles(ImageFiles):
    """Image files that must have the size that is wanted: a published image is not to be resized."""

    def _decode(self, content: bytes, path: Path) -> np.ndarray:
        return exact(content, self.image_shape, str(path))


def _file(name: str) -> str:
    return f"{name.replace('-', '_')}.npy"


@lru_cache(maxsize=1)  # the five severities of a corruption are read one after the other
def _opened(file: Path, digest: str) -> np.ndarray:
    """Open an array that has not changed since it was listed as a memory map; NumPy unpickles nothing."""
    if _digest(file) != digest:
        raise UserError(f"{file} has changed since the run began; start it again")
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, OverflowError) as error:
        raise UserError(f"{file} is not an array of NumPy: {error}; import it again") from None
    if not isinstance(array, np.ndarray):
        raise UserError(f"{file} is an archive, not an array of NumPy; import it again")
    return array


def _digest(file: Path) -> str:
    """Return the SHA-256 of a file's content.

    Raises:
        UserError: if it cannot be read.
    """
    with open_regular(file) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
