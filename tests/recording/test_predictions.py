"""Predictions beside a record: exact comparison, and removal of logits."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from nacbench.contracts.task import Evaluation
from nacbench.errors import BrokenFileError
from nacbench.filesystem.files import digest_of
from nacbench.recording.predictions import compare_predictions, leave_logits_out
from nacbench.recording.read_record import read_record
from nacbench.running.scoring import write_predictions
from tests.made import made_record, write_run

ROWS = 40


def columns(seed: int = 0, logits: bool = True) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    found = {
        "index": np.arange(ROWS, dtype=np.int32),
        "label": rng.integers(0, 3, ROWS, dtype=np.int32),
        "prediction": rng.integers(0, 3, ROWS, dtype=np.int32),
        "nll": rng.random(ROWS, dtype=np.float32),
    }
    return {**found, "logits": rng.normal(size=(ROWS, 3)).astype(np.float16)} if logits else found


def write(path: Path, **splits: dict[str, np.ndarray]) -> Path:
    write_predictions(path, {name: Evaluation(metrics={}, predictions=values) for name, values in splits.items()})
    return path


def with_predictions(store: Path, **splits: dict[str, np.ndarray]) -> Path:
    """Write a run's folder whose record has the SHA-256 of its predictions."""
    folder = write_run(store, made_record())
    path = write(folder / "predictions.parquet", **splits)
    content = json.loads((folder / "record.json").read_text())
    content["files"] = {"predictions.parquet": hashlib.sha256(path.read_bytes()).hexdigest()}
    (folder / "record.json").write_text(json.dumps(content))
    return folder


def test_removing_logits_keeps_the_other_columns_and_updates_the_digest(tmp_path: Path) -> None:
    folder = with_predictions(tmp_path, validation=columns(1), test=columns(2))
    path, before = folder / "predictions.parquet", json.loads((folder / "record.json").read_text())
    whole = pd.read_parquet(path)
    size = path.stat().st_size
    leave_logits_out(folder)
    pd.testing.assert_frame_equal(pd.read_parquet(path), whole.drop(columns="logits"))
    assert path.stat().st_size < size
    record = read_record(folder / "record.json")
    assert record.files == {"predictions.parquet": digest_of(path)} != before["files"]
    after = json.loads((folder / "record.json").read_text())
    assert {**after, "files": None} == {**before, "files": None}
    about = json.loads(pq.read_schema(path).metadata[b"nacbench.left_out"])
    assert about == {"columns": ["logits"], "sha256": before["files"]["predictions.parquet"]}
    written = path.read_bytes()
    leave_logits_out(folder)
    assert path.read_bytes() == written


def test_predictions_without_logits_are_compressed_once(tmp_path: Path) -> None:
    folder = with_predictions(tmp_path / "a", test={**columns(logits=False), "nll": np.zeros(ROWS, np.float32)})
    path = folder / "predictions.parquet"
    whole, first = pd.read_parquet(path), digest_of(path)
    leave_logits_out(folder)
    pd.testing.assert_frame_equal(pd.read_parquet(path), whole)
    assert read_record(folder / "record.json").files == {"predictions.parquet": digest_of(path)}
    assert compare_predictions(path, None, write(tmp_path / "again.parquet", test=columns(logits=False))).rows == {
        "nll": ROWS
    }
    about = json.loads((pq.read_schema(path).metadata or {})[b"nacbench.left_out"])
    assert about == {"columns": [], "sha256": first}
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    leave_logits_out(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_predictions_without_logits_are_much_smaller(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    nll = rng.exponential(size=20_000).astype(np.float16).astype(np.float32)
    values = {"index": np.arange(20_000, dtype=np.int32), "nll": nll}
    folder = with_predictions(tmp_path, test=values)
    path = folder / "predictions.parquet"
    size = path.stat().st_size
    leave_logits_out(folder)
    assert path.stat().st_size < 0.7 * size
    assert np.array_equal(pd.read_parquet(path)["nll"], nll)


def test_a_record_without_a_digest_gets_none(tmp_path: Path) -> None:
    bare = write_run(tmp_path / "b", made_record(), curve=False)
    leave_logits_out(bare)
    write(bare / "predictions.parquet", test=columns())
    leave_logits_out(bare)
    assert "logits" not in pq.read_schema(bare / "predictions.parquet").names
    assert read_record(bare / "record.json").files == {}


def test_predictions_that_are_not_parquet_are_named(tmp_path: Path) -> None:
    folder = write_run(tmp_path, made_record())
    (folder / "predictions.parquet").write_text("no")
    with pytest.raises(BrokenFileError, match=r"predictions\.parquet cannot be read as Parquet"):
        leave_logits_out(folder)


def changed(values: dict[str, np.ndarray], name: str, row: Any, to: Any) -> dict[str, np.ndarray]:
    copy = {key: value.copy() for key, value in values.items()}
    copy[name][row] = to
    return copy


def test_equal_predictions_agree_even_if_the_bytes_differ(tmp_path: Path) -> None:
    first = write(tmp_path / "a.parquet", validation=columns(1, logits=False), test=columns(2))
    second = tmp_path / "b.parquet"
    pq.write_table(pq.read_table(first), second, compression="none", row_group_size=7)
    assert digest_of(first) != digest_of(second)
    assert compare_predictions(first, digest_of(first), second).state == "same"


def test_differing_rows_are_counted_by_column(tmp_path: Path) -> None:
    values = columns()
    first = write(tmp_path / "a.parquet", validation=columns(1, logits=False), test=values)
    other = changed(values, "nll", slice(0, 3), np.nextafter(values["nll"][:3], np.float32(2)))
    second = write(
        tmp_path / "b.parquet", validation=columns(1, logits=False), test=changed(other, "logits", (9, 2), 1)
    )
    found = compare_predictions(first, None, second)
    assert (found.state, found.rows) == ("differ", {"nll": 3, "logits": 1})
    shorter = write(tmp_path / "c.parquet", test=values)
    assert compare_predictions(first, None, shorter).rows["label"] == 2 * ROWS
    without = write(tmp_path / "d.parquet", validation=columns(1, logits=False), test=columns(logits=False))
    assert compare_predictions(first, None, without).rows["logits"] == 2 * ROWS


def test_a_file_without_logits_is_compared_by_other_columns_or_by_digest(tmp_path: Path) -> None:
    folder = with_predictions(tmp_path, test=columns())
    leave_logits_out(folder)
    small = folder / "predictions.parquet"
    same = write(tmp_path / "same.parquet", test=columns())
    assert compare_predictions(small, None, same).note == "by the whole file's SHA-256"
    other = write(tmp_path / "other.parquet", test=changed(columns(), "logits", 0, 9))
    found = compare_predictions(small, None, other)
    assert (found.state, found.note) == ("same", "logits were left out")
    wrong = write(tmp_path / "wrong.parquet", test=changed(columns(), "prediction", 0, 7))
    assert compare_predictions(small, None, wrong).rows == {"prediction": 1}


def test_a_missing_file_is_compared_by_its_digest(tmp_path: Path) -> None:
    new = write(tmp_path / "new.parquet", test=columns())
    gone = tmp_path / "gone.parquet"
    assert compare_predictions(gone, digest_of(new), new).state == "same"
    assert compare_predictions(gone, "0" * 64, new).state == "absent"
    assert compare_predictions(gone, None, new).state == "absent"
    assert compare_predictions(new, None, gone).state == "absent"


def test_a_file_with_another_digest_than_the_record_s_is_damaged(tmp_path: Path) -> None:
    new = write(tmp_path / "new.parquet", test=columns())
    old = write(tmp_path / "old.parquet", test=columns())
    found = compare_predictions(old, "0" * 64, new)
    assert (found.state, found.rows) == ("damaged", {})
    assert found.note == f"{old} is damaged or changed: its SHA-256 is not the one in the record"
    old.write_text("no")
    for digest in (None, digest_of(old)):
        found = compare_predictions(old, digest, new)
        assert found.state == "damaged"
        assert found.note.startswith(f"{old} cannot be read as Parquet: ")
    old.unlink()
    old.mkdir()
    found = compare_predictions(old, None, new)
    assert (found.state, found.note) == ("damaged", f"{old} is a folder, not a file")
