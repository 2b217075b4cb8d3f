"""Read Parquet and Arrow files row by row, whoever wrote them; what is wrong is one line that names file and column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from nacbench.data.mirror.door.arrow import ArrowFile, opened_arrow
from nacbench.data.mirror.door.damage import damage_at_start
from nacbench.errors import BrokenFileError
from nacbench.formats.parquet import opened_parquet
from nacbench.formats.reading import checked, parse_json

if TYPE_CHECKING:
    import datasets
    import pyarrow as pa
    import pyarrow.parquet as pq

ROWS = 1000  # that are in memory at a time
AGAIN = "delete it and fetch or copy it again"


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


@contextmanager
def opened_table(file: Path, shown: str | None = None) -> Iterator[pq.ParquetFile | ArrowFile]:
    """Yield an open Parquet or Arrow file; see `nacbench.formats.parquet.opened_parquet`.

    Args:
        file: the file.
        shown: its path as the user knows it, for messages; by default as it is.
    """
    wrong = damage_at_start(file)
    if wrong:
        raise BrokenFileError(f"{shown or file} {wrong}")
    opened = opened_arrow if file.suffix == ".arrow" else opened_parquet
    try:
        with opened(file, "get it again" if shown else AGAIN) as table:
            yield table
    except BrokenFileError as error:
        raise BrokenFileError(str(error).replace(str(file), shown or str(file))) from error


def _rows_in(table: pq.ParquetFile | ArrowFile) -> int:
    return table.num_rows if isinstance(table, ArrowFile) else int(table.metadata.num_rows)


def read_rows(file: Path, columns: Sequence[str], shown: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield each row of a Parquet file, as a dictionary of some columns.

    Args:
        file: the file.
        columns: their names.
        shown: the file's path as the user knows it, for messages; by default as it is.

    Raises:
        BrokenFileError: if it is no Parquet file, is damaged or empty, or lacks a column.
    """
    name = shown or str(file)
    with opened_table(file, shown) as parquet:
        names = parquet.schema_arrow.names
        for column in columns:
            if names.count(column) != 1:
                raise BrokenFileError(
                    f"{name} has {'two columns' if column in names else 'no column'} {column!r}; it has: "
                    f"{', '.join(names)}"
                )
        if not _rows_in(parquet):
            raise BrokenFileError(f"{name} has no rows; fetch or copy it again")
        for batch in parquet.iter_batches(ROWS, columns=list(dict.fromkeys(columns))):
            yield from _dataset(batch, name).to_list()


def count_rows(file: Path, shown: str | None = None) -> int:
    """Return the number of rows in a Parquet file; arguments and errors are those of `read_rows`."""
    with opened_table(file, shown) as parquet:
        return _rows_in(parquet)


def column_names(file: Path, shown: str | None = None) -> list[str]:
    """Return the names of a file's columns; arguments and errors are those of `read_rows`."""
    with opened_table(file, shown) as parquet:
        return list(parquet.schema_arrow.names)


def class_names(file: Path, column: str, shown: str | None = None) -> list[str] | None:
    """Return the class names of a column in the hub's metadata; None if the file has none, as others write it.

    Raises:
        BrokenFileError: if it is no Parquet file, or its metadata is not as the hub writes it.
    """
    with opened_table(file, shown) as parquet:
        content = (parquet.schema_arrow.metadata or {}).get(b"huggingface", b"{}")
    where = f"the hub's metadata in {shown or file}"
    features = checked(parse_json(content, where), HubMetadata, where).info.features
    feature = features.get(column)
    if not isinstance(feature, dict):  # the hub writes lists for columns of several values
        return None
    names = checked(feature, Column, f"{where}, column {column!r},").names
    if names and len(set(names)) < len(names):
        raise BrokenFileError(f"{where} has a class twice in column {column!r}")
    return names


def _dataset(batch: pa.RecordBatch, file: str) -> datasets.Dataset:
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
def _understood(file: str) -> Iterator[None]:
    """Turn whatever the library raises for metadata that the hub did not write so into one line."""
    try:
        yield
    except Exception as error:  # KeyError, TypeError, AttributeError and more: the library uses metadata unchecked
        reason = f"{type(error).__name__}: {error}"
        raise BrokenFileError(f"the hub's metadata in {file} cannot be understood ({reason}); {AGAIN}") from error
