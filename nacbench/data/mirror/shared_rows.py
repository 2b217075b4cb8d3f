"""An array whose rows the processes of this machine fill side by side, without sending them to each other."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class RowWriter:
    """Write rows of an array from any process of this machine.

    Attributes:
        path: of the array's memory, as a file.
        shape: of a row.
        dtype: of its elements.
    """

    path: str
    shape: tuple[int, ...]
    dtype: np.dtype

    def write(self, number: int, row: np.ndarray) -> None:
        """Write a row.

        Raises:
            ValueError: if it has another shape or type than the rows of the array.
        """
        if row.shape != self.shape or row.dtype != self.dtype:
            raise ValueError(f"row {number} is {row.dtype} {row.shape}, not {self.dtype} {self.shape}")
        content = memoryview(row.tobytes())
        place = os.open(self.path, os.O_WRONLY)
        try:
            written = 0
            while written < row.nbytes:  # one call writes at most 2 GiB
                written += os.pwrite(place, content[written:], number * row.nbytes + written)
        finally:
            os.close(place)


@contextmanager
def shared_rows(shape: tuple[int, ...], dtype: np.dtype) -> Iterator[tuple[np.ndarray, RowWriter | None]]:
    """Give an array of zeros and, in the block, a way for other processes to write its rows.

    The array is in anonymous memory (Linux' ``memfd_create``), not in ``/dev/shm``, which is often small in containers,
    and not in a file on a disk. Where a system has no such memory the writer is None: rows must be sent then.

    Args:
        shape: of the array, rows first; without a 0.
        dtype: of its elements.
    """
    import numpy as np

    if not hasattr(os, "memfd_create"):
        yield np.zeros(shape, dtype), None
        return
    size = prod(shape) * dtype.itemsize
    place = os.memfd_create("nacbench-rows")
    try:
        os.ftruncate(place, size)
        # the mapping, and with it the memory, lives as long as the array: longer than the open file
        array = np.frombuffer(mmap.mmap(place, size), dtype).reshape(shape)
        path = f"/proc/{os.getpid()}/fd/{place}"
        yield array, RowWriter(path, shape[1:], dtype) if os.access(path, os.W_OK) else None
    finally:
        os.close(place)
