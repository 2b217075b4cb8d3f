"""Write the rows of a copy as Parquet in the hub's form, and check each on the way: image, label, text."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacbench.data.mirror.door.damage import check_image, check_size
from nacbench.data.mirror.door.found import Row
from nacbench.data.mirror.door.readers.base import Column, Table
from nacbench.data.mirror.parallel import portions
from nacbench.errors import BrokenFileError, shown

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

ROWS = 1000  # of a row group
Checked = tuple[Row, dict[str, Any]]  # a row, and its values by column as Parquet has them


class Checker:
    """Checks rows one after another, and counts them.

    Args:
        table: form of the data set.
        classes: names of its classes, in their order; None: those that occur.

    Attributes:
        seen: names of the classes that occurred.
    """

    def __init__(self, table: Table, classes: Sequence[str] | None) -> None:
        self._table = table
        self._any = classes is None
        self._numbers = {name: number for number, name in enumerate(classes or ())}
        self.seen: set[str] = set()

    def checked(self, rows: Iterable[Row], split: str, done: Callable[[int], None]) -> Iterator[Checked]:
        """Yield each row, and what the hub stores of it: images as bytes and path, classes as numbers.

        Raises:
            UserError: if an image is damaged, a class is unknown, or there are more rows than the data set has.
        """
        most = self._table.full.get(split)
        for count, row in enumerate(rows, 1):
            if most and count > most:
                raise BrokenFileError(
                    f"{row.where}: this is example {count:,} of split {split}, and the data set has {most:,}; "
                    "remove what does not belong to it"
                )
            yield row, {name: self._value(name, kind, row) for name, kind in self._table.columns.items()}
            done(row.size)

    def _value(self, name: str, kind: Column, row: Row) -> Any:
        value = row.values[name]
        if kind == "image":
            return {"bytes": self._image(value, row.where), "path": row.name or None}
        if kind == "text":
            return value
        known = self._table.synonyms.get(str(value), str(value))
        if self._any:
            self._numbers.setdefault(known, len(self._numbers))
        number = self._numbers.get(known)
        if number is None:
            raise BrokenFileError(
                f"{row.where}: its class {shown(value)} is not one of the data set's {len(self._numbers)}, such as "
                f"{shown(next(iter(self._numbers), ''))}"
            )
        self.seen.add(known)
        return number

    def _image(self, value: Any, where: str) -> bytes:
        if isinstance(value, bytes):
            check_image(value, where, self._table.size)
            return value
        check_size(value.shape[1::-1], where, self._table.size)
        return _png(value, where)


def write_split(file: Path, rows: Iterable[Checked], table: Table, classes: Sequence[str]) -> int:
    """Write checked rows as a Parquet file with the hub's metadata; return how many there were.

    Args:
        file: the file, whose folder is made.
        rows: as `Checker.checked` yields them.
        table: form of the data set.
        classes: names of its classes.

    Raises:
        OSError: from the file system.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    file.parent.mkdir(parents=True, exist_ok=True)
    schema = _schema(table, classes)
    count = 0
    with pq.ParquetWriter(file, schema) as writer:
        for group in portions((values for _, values in rows), ROWS):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
            count += len(group)
    return count


def _schema(table: Table, classes: Sequence[str]) -> pa.Schema:
    import pyarrow as pa

    types = {
        "image": pa.struct({"bytes": pa.binary(), "path": pa.string()}),
        "class": pa.int64(),
        "text": pa.string(),
    }
    features: dict[Column, dict[str, Any]] = {
        "image": {"_type": "Image"},
        "class": {"_type": "ClassLabel", "names": list(classes)},
        "text": {"_type": "Value", "dtype": "string"},
    }
    info = {"info": {"features": {name: features[kind] for name, kind in table.columns.items()}}}
    fields = [pa.field(name, types[kind]) for name, kind in table.columns.items()]
    return pa.schema(fields, metadata={"huggingface": json.dumps(info)})


def _png(pixels: Any, where: str) -> bytes:
    from PIL import Image

    array: np.ndarray = pixels
    try:
        image = Image.fromarray(array)
    except (TypeError, ValueError, AttributeError) as error:
        raise BrokenFileError(f"{where}: its pixels are no image: {error}; get the file again") from None
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)  # a higher level takes several times as long, and saves little
    return stream.getvalue()
