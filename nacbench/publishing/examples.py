"""Write the first decoded examples of each split to a Parquet file, for readers of Croissant metadata."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nacbench.data.array_task import ArrayTask
from nacbench.errors import UserError
from nacbench.filesystem.files import whole_file
from nacbench.publishing.data_facts import Facts

KINDS = {
    "bool": "sc:Boolean",
    "uint8": "cr:UInt8",
    "int8": "cr:Int8",
    "int16": "cr:Int16",
    "int32": "cr:Int32",
    "int64": "cr:Int64",
    "float32": "cr:Float32",
    "float64": "cr:Float64",
}


@dataclass(frozen=True)
class Column:
    """A column of examples.

    Attributes:
        name: of the column.
        kind: Croissant's data type of a value.
        shape: of an example, whose values are in one list; empty for one value.
        about: what it is.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    about: str


def write_examples(facts: Facts, data_root: Path, count: int, path: Path) -> list[Column]:
    """Write the first examples of each split of a task on arrays; return the columns.

    Args:
        facts: what is known of the data.
        data_root: mirror of data sets.
        count: examples of each split at most.
        path: the file.

    Raises:
        UserError: if the data is not here, the task has no arrays, or examples have shapes of their own.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    task = facts.trained
    if facts.missing is not None:
        raise UserError(f"--examples: {facts.missing}")
    if task is not facts.task or not isinstance(task, ArrayTask):
        raise UserError(f"--examples: task {facts.name!r} has no examples of its own; name the task that trains")
    parts: dict[str, list[Any]] = {}
    names: list[str] = []
    for split, whole in task.splits(task.arrays(data_root).arrays).items():
        positions = np.arange(min(count, len(whole)))
        names += [split] * len(positions)
        inputs, labels = whole.take(positions)
        for name, values in {**inputs, "label": labels}.items():
            if isinstance(values, list):
                raise UserError(f"--examples: examples of task {facts.name!r} have shapes of their own; leave it out")
            parts.setdefault(name, []).append(values.numpy())
    arrays = {name: np.concatenate(values) for name, values in parts.items()}
    columns = [
        Column("split", "sc:Text", (), "name of the split"),
        *(_column(name, own) for name, own in arrays.items()),
    ]
    table = pa.table({"split": names, **{name: _listed(own) for name, own in arrays.items()}})
    with whole_file(path) as aside:
        pq.write_table(table, aside, compression="zstd")
    return columns


def _column(name: str, values: Any) -> Column:
    kind = KINDS.get(str(values.dtype))
    if kind is None:
        raise UserError(f"--examples: {name} is of type {values.dtype}, which Croissant does not have")
    about = "index of the class, or values to predict" if name == "label" else f"input {name!r} of the task"
    return Column(name, kind, tuple(values.shape[1:]), about)


def _listed(values: Any) -> Any:
    import numpy as np
    import pyarrow as pa

    flat = pa.array(np.ascontiguousarray(values).reshape(-1))
    width: Sequence[int] = values.shape[1:]
    return pa.FixedSizeListArray.from_arrays(flat, int(np.prod(width))) if len(width) else flat
