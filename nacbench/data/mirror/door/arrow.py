"""Arrow files as the library datasets keeps them in its cache and writes them to disk, read like Parquet files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.errors import BrokenFileError, UserError

if TYPE_CHECKING:
    import pyarrow as pa

FILE = b"ARROW1"  # the start of a file; streams, which the library writes, have no mark


class ArrowFile:
    """A stream or file of record batches, which stays on disk.

    Args:
        path: the file.

    Raises:
        OSError: if it cannot be opened; as pyarrow's own errors.
    """

    def __init__(self, path: Path) -> None:
        import pyarrow as pa

        with pa.memory_map(str(path)) as source:
            reader = pa.ipc.open_file(source) if source.read(len(FILE)) == FILE else self._stream(source)
            self._table: pa.Table = reader.read_all()  # of which only the offsets are in memory
        self.schema_arrow: pa.Schema = self._table.schema
        self.num_rows: int = self._table.num_rows

    @staticmethod
    def _stream(source: pa.MemoryMappedFile) -> pa.RecordBatchStreamReader:
        import pyarrow as pa

        source.seek(0)
        return pa.ipc.open_stream(source)

    def iter_batches(self, size: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the rows of some columns, ``size`` at a time at most."""
        yield from self._table.select(list(columns)).to_batches(max_chunksize=size)


@contextmanager
def opened_arrow(path: Path, way_out: str) -> Iterator[ArrowFile]:
    """Yield an open Arrow file; as `nacbench.formats.parquet.opened_parquet`."""
    import pyarrow as pa

    try:
        yield ArrowFile(path)
    except UserError:
        raise
    except (pa.ArrowException, OSError, ValueError, KeyError, OverflowError) as error:
        first_line = (str(error) or type(error).__name__).splitlines()[0]
        raise BrokenFileError(f"{path} cannot be read as Arrow: {first_line}; {way_out}") from error
