"""Read arrays from HDF5 files that others may have written; whatever is wrong with one is a line that names it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacbench.errors import BrokenFileError, UserError
from nacbench.formats.reading import open_regular

if TYPE_CHECKING:
    import numpy as np

LARGEST = 2**32  # bytes of an array; a compressed file may declare any size


def read_hdf5(path: Path, shapes: dict[str, tuple[int | None, ...]], way_out: str = "") -> dict[str, np.ndarray]:
    """Return arrays of numbers from a file, in the type that they are stored in.

    Args:
        path: the file.
        shapes: the shape of each array by its name; None for any number. A last dimension of 1 may be missing.
        way_out: what to do if it is broken, for the message.

    Raises:
        BrokenFileError: if it is no whole HDF5 file, lacks an array, or has one of another shape or of no numbers, or
            one whose content lies in another file.
        UserError: if it cannot be opened, or the library h5py is missing.
    """
    try:
        import h5py
    except ModuleNotFoundError:
        raise UserError(f"{path} is an HDF5 file; to read it, install h5py: pip install 'nacbench[hdf5]'") from None
    end = f"; {way_out}" if way_out else ""
    with open_regular(path) as stream:
        try:
            with h5py.File(stream, "r") as file:
                return {name: _array(file, name, shape) for name, shape in shapes.items()}
        except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
            reason = (str(error) or type(error).__name__).splitlines()[0].strip("'\"")
            raise BrokenFileError(f"{path} cannot be read as HDF5: {reason}{end}") from error


def _array(file: Any, name: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """Return an array; raises ValueError, KeyError or what the library raises."""
    import h5py

    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise KeyError(f"it has no array {name!r} of its own; it has: {', '.join(sorted(file)) or 'nothing'}")
    found = file[name]
    if not isinstance(found, h5py.Dataset) or found.dtype.kind not in "biuf":
        raise ValueError(f"its {name!r} is no array of numbers")
    if found.external or found.is_virtual:  # a path in the file, which would be read from this machine
        raise ValueError(f"its {name!r} lies in another file")
    fits = [shape, shape[:-1]] if shape[-1] == 1 else [shape]
    if not any(_is_like(found.shape, own) for own in fits):
        wanted = "×".join("any" if size is None else str(size) for size in shape)
        raise ValueError(f"its {name!r} has the shape {'×'.join(map(str, found.shape))}, not {wanted}")
    if math.prod(found.shape) * found.dtype.itemsize > LARGEST:
        raise ValueError(f"its {name!r} has more than {LARGEST:,} bytes")
    array: np.ndarray = found[()]
    return array


def _is_like(found: tuple[int, ...], shape: tuple[int | None, ...]) -> bool:
    return len(found) == len(shape) and all(own in (None, size) for size, own in zip(found, shape, strict=True))
