"""Python batches of CIFAR-10 and CIFAR-100, by an unpickler that knows arrays, lists, dicts and strings only."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

from nacbench.data.mirror.door.found import Content, FoundCopy, Member, Row
from nacbench.data.mirror.door.readers.base import Reader, Sides, Table
from nacbench.data.mirror.door.readers.pixels import label_of, pixel_rows
from nacbench.errors import BrokenFileError, shown
from nacbench.formats.reading import read_bytes

LARGEST = 2**28  # bytes; CIFAR-100's training file has 155 MB
MAKERS = ("numpy.core.multiarray", "numpy._core.multiarray")  # modules of the function that makes an array in a pickle

NUMERIC = ("numpy.core.numeric", "numpy._core.numeric")


class PickledBatches(Reader):
    """Batches are dictionaries with ``data`` (uint8 N×3,072) and lists of labels.

    Attributes:
        splits: by split the roles of its batches, in order.
        labels: key of the labels.
        meta: role of the file with the names of the classes.
        names: key of these names.
        size: width and height of the images.
    """

    kind: Literal["pickled-batches"]
    splits: dict[str, list[str]]
    labels: str
    meta: str
    names: str
    size: Sides = [32, 32]

    def roles(self) -> set[str]:
        return {self.meta, *(role for roles in self.splits.values() for role in roles)}

    def content(self, copy: FoundCopy, table: Table) -> Content:
        meta = copy.only(self.meta)
        names = _list_of(_read(meta), self.names, str, meta)
        rows = {
            split: (row for role in roles for member in copy.members[role] for row in self._rows(member, names, table))
            for split, roles in self.splits.items()
        }
        return Content(rows=rows, classes=table.class_names or names)

    def _rows(self, member: Member, names: Sequence[str], table: Table) -> Iterator[Row]:
        batch = _read(member)
        data = batch.get("data")
        labels = _list_of(batch, self.labels, int, member)
        width, height = self.size
        bytes_each = 3 * height * width
        if not isinstance(data, np.ndarray) or data.shape != (len(labels), bytes_each):
            raise BrokenFileError(
                f"{member.shown}: its data is not an array of {len(labels):,}×{bytes_each:,} bytes; get it again"
            )
        files = batch.get("filenames")
        known = [str(name) for name in files] if isinstance(files, list) and len(files) == len(labels) else None
        found = (label_of(label, names, f"{member.shown}, image {number}") for number, label in enumerate(labels))
        yield from pixel_rows(member, data.reshape(-1, 3, height, width), found, known, table)


def _list_of(content: dict[str, Any], key: str, kind: type, member: Member) -> list[Any]:
    values = content.get(key)
    if not isinstance(values, list) or not all(type(value) is kind for value in values):
        raise BrokenFileError(f"{member.shown} has no list {key!r} of type {kind.__name__}; get it again")
    return values


def _read(member: Member) -> dict[str, Any]:
    """Return the dictionary in a pickle of Python 2 or 3, with arrays and text.

    Raises:
        BrokenFileError: if it is none, is damaged, or has anything but arrays, lists, dictionaries, text and numbers.
    """
    content = read_bytes(member.file, largest=LARGEST)
    try:
        found = _Unpickler(io.BytesIO(content), encoding="latin1").load()
        plain = {_text(key): _plain(own) for key, own in found.items()} if type(found) is dict else None
    except BrokenFileError as error:
        raise BrokenFileError(f"{member.shown} {error}") from None
    except Exception as error:  # a damaged pickle raises whatever the operation does that it asks for
        raise BrokenFileError(f"{member.shown} is not a whole pickle: {type(error).__name__}; get it again") from None
    if plain is None:
        raise BrokenFileError(f"{member.shown} has no dictionary; it is no batch of these data")
    return plain


class _Dtype:
    """Stands for ``numpy.dtype``."""

    def __init__(self, code: Any, *_: Any) -> None:
        self.code = code

    def __setstate__(self, state: Any) -> None:
        """Ignore the byte order: single bytes have none."""


class _Array:
    """Stands for ``numpy.ndarray``; numpy's own method would believe what the file says of memory."""

    state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def array(self) -> np.ndarray:
        """Return the array, which must be of uint8, in the order of C or Fortran."""
        _, shape, dtype, fortran, data = self.state
        if not isinstance(dtype, _Dtype) or dtype.code not in ("u1", "|u1", "uint8"):
            raise BrokenFileError("has an array that is not of bytes; get it again")
        content = data.encode("latin1") if isinstance(data, str) else bytes(data)
        return np.frombuffer(content, np.uint8).reshape(shape, order="F" if fortran else "C")


def _new_array(*_: Any) -> _Array:
    return _Array()


def _from_buffer(data: Any, dtype: Any, shape: Any, order: Any, *_: Any) -> _Array:
    """Stand for the function by which numpy makes an array of a newer pickle."""
    found = _Array()
    found.state = None, shape, dtype, order == "F", data
    return found


def _latin1(text: Any, *_: Any) -> bytes:
    """Stand for ``_codecs.encode``, by which Python 3 writes bytes into old pickles."""
    return str(text).encode("latin1")


class _Unpickler(pickle._Unpickler):
    """Finds our own stand-ins for what arrays and bytes are made of, and refuses any other name.

    It is the one written in Python: the one in C makes a list as long as any number of an object in the file says.
    """

    dispatch = dict(pickle._Unpickler.dispatch)

    def load_counted_bytes(self) -> None:
        """Read a bytearray; the library's own method makes one as long as the file says before it reads."""
        size = int.from_bytes(self.read(8), "little")  # type: ignore[attr-defined]
        self.append(self.read(min(size, LARGEST)))  # type: ignore[attr-defined]

    dispatch[pickle.BYTEARRAY8[0]] = load_counted_bytes  # type: ignore[assignment]

    def find_class(self, module: str, name: str) -> Any:
        known = {
            **{(maker, "_reconstruct"): _new_array for maker in MAKERS},
            **{(maker, "_frombuffer"): _from_buffer for maker in NUMERIC},
            ("numpy", "ndarray"): _Array,
            ("numpy", "dtype"): _Dtype,
            ("_codecs", "encode"): _latin1,
        }
        if (module, name) not in known:
            raise BrokenFileError(
                f"is a pickle with {shown(f'{module}.{name}')}; one with anything but arrays, lists, dictionaries and "
                "text is not read, as it could run a program"
            )
        return known[module, name]


def _plain(value: Any) -> Any:
    """Return a list with text as text, and an array as such; what is inside other things stays as it is."""
    if isinstance(value, list):
        return [_text(own) for own in value]
    return value.array() if isinstance(value, _Array) else value


def _text(value: Any) -> Any:
    return value.decode("latin1") if isinstance(value, bytes) else value
