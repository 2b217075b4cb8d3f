"""Read Parquet files row by row, whoever wrote them; what is wrong is one line that names file and column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from nacbench.errors import BrokenFileError
from nacbench.formats.reading import checked, parse_json

if TYPE_CHECKING:
    import datasets
    import pyarrow as pa
    import pyarrow.parquet as pq

ROWS = 1000  # that are in memory at a time
AGAIN = "delete it and fetch or copy it again"
POINTER = b"version https://git-lfs"


class Column(BaseModel):
    """What the hub knows of a column: the names of its classes, if it has any."""

    model_config = ConfigDict(strict=True, extra="ignore")

    names: list[str] | None = None


class HubInfo(BaseModel):
    """The part ``info`` of the hub's metadata."""

    model_config = ConfigDict(strict=True, extra="ignore")

    features: dict[str, Any] = {}


class HubMetadata(BaseModel):
    """The hub's metadata in the footer of a Parquet file, under the key ``huggingface``."""

    model_config = ConfigDict(strict=True, extra="ignore")

    info: HubInfo = HubInfo()


def read_rows(file: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield each row of a Parquet file, as a dictionary of some columns.

    Raises:
        BrokenFileError: if it is no Parquet file, is damaged or empty, or lacks a column.
    """
    with _opened(file) as parquet:
        names = parquet.schema_arrow.names
        for column in columns:
            if names.count(column) != 1:
                raise BrokenFileError(
                    f"{file} has {'two columns' if column in names else 'no column'} {column!r}; it has: "
                    f"{', '.join(names)}"
                )
        if not parquet.metadata.num_rows:
            raise BrokenFileError(f"{file} has no rows; fetch or copy it again")
        for batch in parquet.iter_batches(ROWS, columns=list(columns)):
            yield from _dataset(batch, file).to_list()


def count_rows(file: Path) -> int:
    """Return the number of rows in a Parquet file; raises as `read_rows`."""
    with _opened(file) as parquet:
        return int(parquet.metadata.num_rows)


def class_names(file: Path, column: str) -> list[str] | None:
    """Return the class names of a column in the hub's metadata; None if the file has none, as others write it.

    Raises:
        BrokenFileError: if it is no Parquet file, or its metadata is not as the hub writes it.
    """
    with _opened(file) as parquet:
        content = (parquet.schema_arrow.metadata or {}).get(b"huggingface", b"{}")
    where = f"the hub's metadata in {file}"
    features = checked(parse_json(content, where), HubMetadata, where).info.features
    feature = features.get(column)
    if not isinstance(feature, dict):  # the hub writes lists for columns of several values
        return None
    names = checked(feature, Column, f"{where}, column {column!r},").names
    if names and len(set(names)) < len(names):
        raise BrokenFileError(f"{where} has a class twice in column {column!r}")
    return names


def _dataset(batch: pa.RecordBatch, file: Path) -> datasets.Dataset:
    """Return rows as the hub means them, with images as they are stored: encoded, and not decoded yet."""
    import datasets
    import pyarrow as pa

    with _understood(file):
        rows = datasets.Dataset(datasets.table.InMemoryTable(pa.Table.from_batches([batch])))
        for column, feature in rows.features.items():
            if isinstance(feature, datasets.Image):
                rows = rows.cast_column(column, datasets.Image(decode=False))
    return rows


@contextmanager
def _understood(file: Path) -> Iterator[None]:
    """Turn whatever the library raises for metadata that the hub did not write so into one line."""
    try:
        yield
    except Exception as error:  # KeyError, TypeError, AttributeError and more: the library uses metadata unchecked
        reason = f"{type(error).__name__}: {error}"
        raise BrokenFileError(f"the hub's metadata in {file} cannot be understood ({reason}); {AGAIN}") from error


@contextmanager
def _opened(file: Path) -> Iterator[pq.ParquetFile]:
    """Yield an open Parquet file; turn errors of the library in the block into one line."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as parquet:
            yield parquet
    except (pa.ArrowException, OSError, OverflowError, UnicodeDecodeError) as error:
        if file.is_file() and _is_pointer(file):
            raise BrokenFileError(
                f"{file} is a pointer of git-lfs, not the data; get the data with: git lfs pull"
            ) from None
        first_line = str(error).partition("\n")[0]
        raise BrokenFileError(f"{file} cannot be read: {first_line}; {AGAIN}") from error


def _is_pointer(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(len(POINTER)) == POINTER
