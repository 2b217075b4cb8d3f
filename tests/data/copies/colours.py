"""A colour for each class, and images that have it."""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image


def colour(number: int) -> tuple[int, int, int]:
    """The colour of a class; those of the first 216 classes differ by at least 40 in a channel."""
    return 40 * (number % 6) + 20, 40 * (number // 6 % 6) + 20, 40 * (number // 36 % 6) + 20


def pixels(number: int, seed: int, side: int) -> np.ndarray:
    """An image of a class, uint8 side×side×3: its colour, with little noise."""
    noise = np.random.default_rng((number, seed)).integers(-8, 9, (side, side, 3))
    return (np.array(colour(number)) + noise).astype(np.uint8)


def class_of(image: np.ndarray) -> int:
    """The class of an image (3×side×side), by its colour."""
    red, green, blue = (round((float(channel.mean()) - 20) / 40) for channel in image)
    return red + 6 * green + 36 * blue


def jpeg(image: np.ndarray) -> bytes:
    """An image as JPEG; two dimensions are grey."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def write_files(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files by their paths in a folder; return the folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder
