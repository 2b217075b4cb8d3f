"""Open Parquet files that others may have written; whatever is wrong with one is a line that names it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.errors import BrokenFileError, UserError
from nacbench.formats.reading import open_regular

if TYPE_CHECKING:
    import pyarrow.parquet as pq

POINTER = b"version https://git-lfs"


@contextmanager
def opened_parquet(path: Path, way_out: str = "") -> Iterator[pq.ParquetFile]:
    """Yield an open Parquet file; only reading belongs in the block, as all its errors are taken for the file's.

    Args:
        path: the file.
        way_out: what to do if it is broken, for the message.

    Raises:
        BrokenFileError: if it is not a whole Parquet file, or not a regular file; also for errors in the block.
        UserError: if it cannot be opened. A missing file counts as this.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with open_regular(path) as stream:  # a pipe would never end
        if stream.read(len(POINTER)) == POINTER:
            raise BrokenFileError(f"{path} is a pointer of git-lfs, not the data; get the data with: git lfs pull")
    try:
        with pq.ParquetFile(path) as parquet:
            yield parquet
    except UserError:
        raise
    except (pa.ArrowException, OSError, ValueError, KeyError, OverflowError) as error:
        first_line = (str(error) or type(error).__name__).splitlines()[0]
        end = f"; {way_out}" if way_out else ""
        raise BrokenFileError(f"{path} cannot be read as Parquet: {first_line}{end}") from error
