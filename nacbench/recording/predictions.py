"""The predictions beside a record: compared with others column by column, and made smaller by their logits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nacbench.errors import BrokenFileError
from nacbench.files import digest_of, whole_file, write_json
from nacbench.recording.record import RECORD
from nacbench.recording.store import PREDICTIONS, damage

if TYPE_CHECKING:
    import numpy as np

LOGITS = "logits"  # N×classes: nearly all of the file, and no table, figure or test needs them
LEFT_OUT = b"nacbench.left_out"  # in the file's metadata: which columns, and the SHA-256 of the file that had them


@dataclass(frozen=True)
class Agreement:
    """How two files of predictions agree.

    Attributes:
        state: ``absent`` where the first was not kept, and nothing else tells what was in it; ``damaged`` where it is
            there, but not as it was recorded.
        rows: of each column that differs, the number of rows in which it does.
        note: what a reader must know of the comparison.
    """

    state: Literal["same", "differ", "damaged", "absent"]
    rows: Mapping[str, int] = field(default_factory=dict)
    note: str = ""


def compare_predictions(first: Path, digest: str | None, second: Path) -> Agreement:
    """Compare predictions bit for bit, column by column.

    Args:
        first: the file of a record; it may be missing, or without its logits.
        digest: the SHA-256 that the record has of it.
        second: the file of the same run, computed again.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not second.exists():
        return Agreement("absent", note="there are no new ones")
    again = digest_of(second)
    if not first.exists():
        same = digest == again
        return Agreement("same", note="by their SHA-256") if same else Agreement("absent", note="not kept")
    if problem := damage(first, digest):
        return Agreement("damaged", note=problem)
    try:
        old = pq.read_table(first)
    except (OSError, pa.ArrowException):
        return Agreement("damaged", note=f"{first} cannot be read as Parquet")
    new = pq.read_table(second)
    left_out = _left_out(old.schema.metadata)
    if left_out.get("sha256") == again:
        return Agreement("same", note="by the whole file's SHA-256")
    rows = _differing_rows(old, new)
    note = "logits were left out" if left_out.get("columns") else ""
    return Agreement("differ" if rows else "same", rows, note)


def leave_logits_out(folder: Path) -> None:
    """Rewrite the predictions of a run's folder without their logits and packed as small as Parquet can, and their
    SHA-256 in its record with them.

    The file's metadata say what is missing, and the SHA-256 of the file as it was.

    Raises:
        BrokenFileError: if the predictions are not Parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / PREDICTIONS
    if not path.exists():
        return
    try:
        names = pq.read_schema(path).names
        table = pq.read_table(path, columns=[name for name in names if name != LOGITS])
    except pa.ArrowException as error:
        raise BrokenFileError(f"{path} is not a whole Parquet file: {error}") from None
    if LEFT_OUT in (table.schema.metadata or {}):  # done already
        return
    about = {"columns": [name for name in names if name == LOGITS], "sha256": digest_of(path)}
    metadata = {**(table.schema.metadata or {}), LEFT_OUT: json.dumps(about).encode()}
    with whole_file(path) as aside:
        _write_small(table.replace_schema_metadata(metadata), aside)
    _renew_digest(folder / RECORD, digest_of(path))


def _write_small(table: Any, path: Path) -> None:
    """Floats byte by byte, numbers of examples by their differences: half of what Parquet takes by itself."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    encodings = {field.name: "BYTE_STREAM_SPLIT" for field in table.schema if pa.types.is_floating(field.type)}
    encodings |= {name: "DELTA_BINARY_PACKED" for name in ("index",) if name in table.column_names}
    others = [name for name in table.column_names if name not in encodings]
    pq.write_table(
        table, path, compression="zstd", compression_level=19, use_dictionary=others, column_encoding=encodings
    )


def _renew_digest(record: Path, digest: str) -> None:
    """All else in the record stays as it was written; one that has no digest of the file gets none."""
    content = json.loads(record.read_text(encoding="utf-8"))
    if PREDICTIONS in content.get("files", {}):
        content["files"][PREDICTIONS] = digest
        write_json(record, content)


def _left_out(metadata: Mapping[bytes, bytes] | None) -> dict[str, Any]:
    """What `leave_logits_out` wrote of a file; empty for a whole one."""
    try:
        about = json.loads((metadata or {})[LEFT_OUT])
    except (KeyError, ValueError):
        return {}
    return about if isinstance(about, dict) else {}


def _differing_rows(old: Any, new: Any) -> dict[str, int]:
    """For each column of the old table that the new one does not have alike, the number of rows that differ."""
    if len(old) != len(new):
        return dict.fromkeys(old.column_names, max(len(old), len(new)))
    found = {}
    for name in old.column_names:
        if name not in new.column_names:
            found[name] = len(old)
        elif count := _unlike(_values(old.column(name)), _values(new.column(name))):
            found[name] = count
    return found


def _unlike(first: np.ndarray, second: np.ndarray) -> int:
    """Rows in which two columns differ; NaN, which stands for null, is like NaN."""
    import numpy as np

    if first.shape != second.shape:
        return len(first)
    unlike = first != second
    if first.dtype.kind == second.dtype.kind == "f":
        unlike &= ~(np.isnan(first) & np.isnan(second))
    return int(unlike.reshape(len(first), -1).any(axis=1).sum())


def _values(column: Any) -> np.ndarray:
    """A column as an array: N, or N×width (as float64, which holds them all) for lists of one length."""
    import numpy as np
    import pyarrow as pa

    combined = column.combine_chunks()
    if pa.types.is_dictionary(combined.type):
        combined = combined.dictionary_decode()
    if pa.types.is_fixed_size_list(combined.type):
        lists = np.full((len(combined), combined.type.list_size), np.nan)  # of a split that has none: null
        there = combined.is_valid().to_numpy(zero_copy_only=False)
        lists[there] = combined.flatten().to_numpy(zero_copy_only=False).reshape(-1, combined.type.list_size)
        return lists
    values: np.ndarray = combined.to_numpy(zero_copy_only=False)
    return values
