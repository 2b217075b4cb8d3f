"""Rows of the index as Arrow tables, which files and other processes are given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, get_type_hints

from nacbench.recording.row import Run

if TYPE_CHECKING:
    import pyarrow as pa


def table_of(runs: Sequence[Run]) -> pa.Table:
    """Return rows as a table with a column a field.

    Raises:
        UnicodeEncodeError: for a folder whose name is not UTF-8.
    """
    import pyarrow as pa

    kinds = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    schema = pa.schema([(name, kinds[kind]) for name, kind in get_type_hints(Run).items() if name in Run._fields])
    columns = zip(*runs, strict=True) if runs else ([] for _ in Run._fields)
    arrays = [pa.array(column, type=kind) for column, kind in zip(columns, schema.types, strict=True)]
    return pa.table(arrays, schema)


def rows_of(table: pa.Table) -> Iterable[Run]:
    """Return the rows of a table that `table_of` made; columns may be dictionaries."""
    columns = [_values(table.column(name)) for name in Run._fields]
    return map(Run._make, zip(*columns, strict=True))


def text_columns() -> Iterator[str]:
    """Yield the names of columns with text."""
    return (name for name, kind in get_type_hints(Run).items() if kind is str)


def _values(column: Any) -> list[Any]:
    """Return a column as Python values; equal texts share one object, which saves time and memory."""
    import pyarrow as pa

    column = column.combine_chunks()
    if not isinstance(column, pa.DictionaryArray):
        values: list[Any] = column.to_pylist()
        return values
    texts = column.dictionary.to_pylist()
    return [texts[index] for index in column.indices.to_numpy(zero_copy_only=False).tolist()]
