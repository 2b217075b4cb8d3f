"""Reader of Omniglot's background sets: a Parquet file, or the original folders (Lake et al. 2015)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nacbench.data.images.decoder import decoded
from nacbench.data.images.reading import channels_first, file_content, image_bytes
from nacbench.data.mirror.cache import Arrays, cached_arrays
from nacbench.data.mirror.parquet import read_rows
from nacbench.data.unreadable import left_out, read_all, skip_stamp
from nacbench.errors import UserError, shown

if TYPE_CHECKING:
    from PIL.Image import Image

PARQUET = "images_background_small.parquet"
SMALL = "images_background_small*"
LARGE = "images_background"
EVALUATION = "images_evaluation"
COLUMNS: Mapping[str, type] = {"alphabet": str, "character": str, "drawer": int}
SIDE = 28
Drawings = dict[tuple[str, str], dict[int, np.ndarray]]  # by alphabet and character, then by drawer
# Alphabet, character and drawer of a drawing, and its file, or its cell with the place of that
Source = tuple[tuple[str, str, int], Path | tuple[str, Any]]
DRAWERS = 20  # of each character, one drawing by each
TRAIN_DRAWERS = 16  # two others are for validation, two for test


def read_omniglot(folder: Path) -> Arrays:
    """Return characters as uint8 images N×1×28×28 with bright ink, split by alphabet.

    Alphabets are sorted by name. The first ones are for training: ``train_…``, ``validation_…`` and ``test_…`` have
    different drawers of the same characters. One eighth of the alphabets (``search_…``) and the last quarter
    (``novel_…``) are held out for low-shot adaptation.

    The small background sets are read or, where there are none, the large one. Beside that the evaluation set, if it is
    there, takes the place of the last quarter.

    Raises:
        UserError: if there are fewer than four alphabets, or an image is broken.
    """
    return cached_arrays("omniglot", skip_stamp(), lambda: _decode(folder), folder)


def _decode(folder: Path) -> Mapping[str, np.ndarray]:
    small = (folder / PARQUET).exists() or next(folder.glob(SMALL), None) is not None
    found = _sources(folder, SMALL if small else LARGE)
    alphabets = sorted({alphabet for (alphabet, _, _), _ in found})
    if len(alphabets) < 4:
        raise UserError(
            f"{folder} has {len(alphabets)} alphabets; at least 4 are needed to hold some out: import the others, too"
        )
    if not small:
        found += _sources(folder, EVALUATION)
    drawings, kept = _read(folder, found)
    held_out = sorted({alphabet for alphabet, _ in drawings} - {*alphabets})
    last = 0 if held_out else max(1, len(alphabets) // 4)
    search = max(1, len(alphabets) // 8)
    known = len(alphabets) - last
    parts = {
        "": alphabets[: known - search],
        "search": alphabets[known - search : known],
        "novel": held_out or alphabets[known:],
    }
    arrays: dict[str, np.ndarray] = {}
    for part, names in parts.items():
        characters = [key for key in sorted(drawings) if key[0] in names]
        if part:
            arrays |= _stacked(part, [list(drawings[key].values()) for key in characters])
        else:
            arrays |= _training(characters, drawings)
    return arrays | left_out("", kept)


def _read(folder: Path, found: list[Source]) -> tuple[Drawings, np.ndarray]:
    """Return drawings, and which of those that were found can be read.

    Raises:
        UserError: if there are two of one character by one drawer.
    """
    images, kept = read_all(_read_drawing, [source for _, source in found], len(found), (1, SIDE, SIDE), "Omniglot")
    drawings: Drawings = {}
    keys = [key for (key, _), own in zip(found, kept, strict=True) if own]
    for (alphabet, character, drawer), image in zip(keys, images, strict=True):
        if not 1 <= drawer <= DRAWERS:
            raise UserError(f"{folder} has a drawing of {alphabet}, {character} by drawer {drawer}, not 1 to {DRAWERS}")
        known = drawings.setdefault((alphabet, character), {}).setdefault(drawer, image)
        if not np.array_equal(known, image):  # the two small sets share alphabets, with the same drawings
            raise UserError(f"{folder} has two drawings of {alphabet}, {character} by drawer {drawer}; remove one")
    return drawings, kept


def _training(
    characters: list[tuple[str, str]], drawings: Mapping[tuple[str, str], Mapping[int, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Return the training alphabets' characters, split by drawer into train, validation and test."""
    arrays = {"class_names": np.array([f"{alphabet}/{name}".encode() for alphabet, name in characters])}
    for split, chosen in (
        ("train", range(1, TRAIN_DRAWERS + 1)),
        ("validation", range(TRAIN_DRAWERS + 1, TRAIN_DRAWERS + 3)),
        ("test", range(TRAIN_DRAWERS + 3, TRAIN_DRAWERS + 5)),
    ):
        arrays |= _stacked(split, [[drawings[key][d] for d in chosen if d in drawings[key]] for key in characters])
    return arrays


def _stacked(split: str, images: list[list[np.ndarray]]) -> dict[str, np.ndarray]:
    labels = np.repeat(np.arange(len(images)), [len(own) for own in images]).astype(np.int16)
    return {f"{split}_images": np.stack([image for own in images for image in own]), f"{split}_labels": labels}


def _sources(folder: Path, sets: str) -> list[Source]:
    """Return alphabet, character and drawer (from 1) of every drawing with its file or cell, sorted by the former."""
    file = folder / PARQUET
    if sets == SMALL and file.exists():
        return sorted(_cells(file), key=lambda drawing: drawing[0])
    return [
        ((place.parent.name, place.name, drawer), path)
        for place in sorted(folder.glob(f"{sets}/*/character*"))
        for drawer, path in sorted((_drawer(path), path) for path in place.glob("[!.]*.png"))
    ]


def _cells(file: Path) -> Iterator[Source]:
    for number, row in enumerate(read_rows(file, [*COLUMNS, "image"])):
        wrong = [key for key, kind in COLUMNS.items() if not isinstance(row[key], kind)]
        if wrong:
            kind = COLUMNS[wrong[0]].__name__
            raise UserError(f"{file}, row {number}: {wrong[0]} is {shown(row[wrong[0]])}, not of type {kind}")
        key = (row["alphabet"], row["character"], row["drawer"])
        yield key, (f"{file}, row {number} ({row['alphabet']} {row['character']} {row['drawer']})", row["image"])


def _drawer(path: Path) -> int:
    """Return the drawer's number in the name of an original file, ``<character>_<drawer>.png``."""
    number = path.stem.rpartition("_")[2]
    if not re.fullmatch(r"[0-9]{1,4}", number):
        raise UserError(f"{path}: the name does not end with the drawer's number, as 0001_01.png does; remove it")
    return int(number)


def _read_drawing(source: Path | tuple[str, Any]) -> np.ndarray:
    """Return the drawing in a file or cell, with bright ink."""
    if isinstance(source, Path):
        where, content = str(source), file_content(source)
    else:
        where, cell = source
        content = image_bytes(cell, where)
    return bright_ink(decoded(content, where, 1))


def bright_ink(image: Image) -> np.ndarray:
    """Return a grey drawing of any size, black on white as the originals, as uint8 1×28×28 with bright ink."""
    from PIL import Image

    return 255 - channels_first(image.resize((SIDE, SIDE), Image.Resampling.BOX))
