"""Predictions of a run (Parquet): comparison with those of a repeated run, and removal of logits to save space."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nacbench.errors import BrokenFileError, UserError
from nacbench.filesystem.files import digest_of, whole_file, write_json
from nacbench.formats.parquet import opened_parquet
from nacbench.formats.reading import parse_json, read_bytes
from nacbench.recording.record import RECORD
from nacbench.recording.store import PREDICTIONS, damage

if TYPE_CHECKING:
    import numpy as np

LOGITS = "logits"  # N×classes: most of the file's size, and no table, figure or test needs them
LEFT_OUT = b"nacbench.left_out"  # metadata key: removed columns, and the SHA-256 of the complete file


@dataclass(frozen=True)
class Agreement:
    """Result of comparing two files of predictions.

    Attributes:
        state: ``same`` or ``differ``; ``absent`` if a file is missing and no digest stands in for it; ``damaged`` if
            the first file is not the one in the record.
        rows: number of differing rows by column, for columns that differ.
        note: how the files were compared, or what is missing.
    """

    state: Literal["same", "differ", "damaged", "absent"]
    rows: Mapping[str, int] = field(default_factory=dict)
    note: str = ""


def compare_predictions(first: Path, digest: str | None, second: Path) -> Agreement:
    """Compare predictions exactly, column by column.

    Values are compared rather than bytes, since another version of the Parquet writer encodes the same values
    differently. If the first file is missing or has no logits, the complete file's SHA-256 can still prove equality.

    Args:
        first: predictions beside a record; may be missing, or without logits.
        digest: SHA-256 of that file according to the record.
        second: predictions of the repeated run.
    """

    if not second.exists():
        return Agreement("absent", note="there are no new ones")
    again = digest_of(second)
    if not first.exists():
        same = digest == again
        return Agreement("same", note="by their SHA-256") if same else Agreement("absent", note="not kept")
    if problem := damage(first, digest):
        return Agreement("damaged", note=problem)
    try:
        with opened_parquet(first) as parquet:
            old = parquet.read()
    except UserError as error:
        return Agreement("damaged", note=str(error))
    with opened_parquet(second) as parquet:
        new = parquet.read()
    left_out = _left_out(old.schema.metadata)
    if left_out.get("sha256") == again:
        return Agreement("same", note="by the whole file's SHA-256")
    rows = _differing_rows(old, new)
    note = "logits were left out" if left_out.get("columns") else ""
    return Agreement("differ" if rows else "same", rows, note)


def leave_logits_out(folder: Path) -> None:
    """Rewrite a run's predictions without logits and with strong compression, and update their SHA-256 in the record.

    The file's metadata name the removed columns and the SHA-256 of the complete file.

    Raises:
        BrokenFileError: if the predictions are not a Parquet file.
    """

    path = folder / PREDICTIONS
    if not path.exists():
        return
    with opened_parquet(path) as parquet:
        names = parquet.schema_arrow.names
        table = parquet.read(columns=[name for name in names if name != LOGITS])
    if LEFT_OUT in (table.schema.metadata or {}):  # already without logits
        return
    about = {"columns": [name for name in names if name == LOGITS], "sha256": digest_of(path)}
    metadata = {**(table.schema.metadata or {}), LEFT_OUT: json.dumps(about).encode()}
    with whole_file(path) as aside:
        _write_small(table.replace_schema_metadata(metadata), aside)
    _renew_digest(folder / RECORD, digest_of(path))


def _write_small(table: Any, path: Path) -> None:
    """Write a table with encodings that halve the size of Parquet's defaults.

    BYTE_STREAM_SPLIT groups the bytes of floats by position, and delta encoding suits the increasing ``index``.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    encodings = {field.name: "BYTE_STREAM_SPLIT" for field in table.schema if pa.types.is_floating(field.type)}
    encodings |= {name: "DELTA_BINARY_PACKED" for name in ("index",) if name in table.column_names}
    others = [name for name in table.column_names if name not in encodings]
    pq.write_table(
        table, path, compression="zstd", compression_level=19, use_dictionary=others, column_encoding=encodings
    )


def _renew_digest(record: Path, digest: str) -> None:
    """Replace the digest of the predictions in a record, if it has one, and leave the rest unchanged."""
    # On the JSON rather than by RunRecord: a record of schema 1 must not be upgraded on disk by this
    content = parse_json(read_bytes(record), record)
    if PREDICTIONS in content.get("files", {}):
        content["files"][PREDICTIONS] = digest
        write_json(record, content)


def _left_out(metadata: Mapping[bytes, bytes] | None) -> dict[str, Any]:
    """Return what `leave_logits_out` noted in a file's metadata; empty for a complete file."""
    try:
        about = parse_json((metadata or {})[LEFT_OUT], "the metadata")
    except (KeyError, BrokenFileError):
        return {}
    return about if isinstance(about, dict) else {}


def _differing_rows(old: Any, new: Any) -> dict[str, int]:
    """Return the number of differing rows by column of the old table, for columns that differ."""
    if len(old) != len(new):
        return dict.fromkeys(old.column_names, max(len(old), len(new)))
    found = {}
    for name in old.column_names:
        if name not in new.column_names:
            found[name] = len(old)
        elif count := _count_differing(column_values(old.column(name)), column_values(new.column(name))):
            found[name] = count
    return found


def _count_differing(first: np.ndarray, second: np.ndarray) -> int:
    """Return the number of rows in which two columns differ. NaN, which stands for null, equals NaN."""
    import numpy as np

    if first.shape != second.shape:
        return len(first)
    differs = first != second
    if first.dtype.kind == second.dtype.kind == "f":
        differs &= ~(np.isnan(first) & np.isnan(second))
    return int(differs.reshape(len(first), -1).any(axis=1).sum())


def column_values(column: Any) -> np.ndarray:
    """Return a column as an array of shape N, or N×width for lists of one length.

    Lists are converted to float64, which represents float16 and float32 exactly, so that null can be NaN.
    """
    import numpy as np
    import pyarrow as pa

    combined = column.combine_chunks()
    if pa.types.is_dictionary(combined.type):
        combined = combined.dictionary_decode()
    if pa.types.is_fixed_size_list(combined.type):
        lists = np.full((len(combined), combined.type.list_size), np.nan)  # null: the split has no such column
        there = combined.is_valid().to_numpy(zero_copy_only=False)
        lists[there] = combined.flatten().to_numpy(zero_copy_only=False).reshape(-1, combined.type.list_size)
        return lists
    values: np.ndarray = combined.to_numpy(zero_copy_only=False)
    return values
