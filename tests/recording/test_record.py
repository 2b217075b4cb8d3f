"""Records: what is read back is what was written, and what is not a record is named."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from nacbench.errors import UserError
from nacbench.recording.record import RunRecord, read_failure, read_record, schema
from tests.conftest import REPOSITORY
from tests.made import made_failure, made_record, write_failure, write_run


def test_a_record_is_read_back_as_written(tmp_path: Path) -> None:
    record = made_record()
    assert read_record(write_run(tmp_path, record) / "record.json") == record


def test_a_failure_is_read_back_as_written(tmp_path: Path) -> None:
    failure = made_failure(status="failed", traceback="Traceback …")
    assert read_failure(write_failure(tmp_path, failure) / "failure.json") == failure


@pytest.mark.parametrize(
    "change",
    [
        {"surprise": 1},
        {"schema_version": 2},
        {"metrics": {"test": {"accuracy": float("nan")}}},
        {"attempts": "many"},
    ],
)
def test_what_the_schema_does_not_know_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RunRecord.model_validate({**made_record().model_dump(), **change})


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b'{"schema_version": 1, "run_id": "a', "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b'{"accuracy": 0.9}', "is not a RunRecord of schema 1: run_id"),
        (b"[]", "is not a RunRecord of schema 1"),
        (b'{"schema_version": 1}', "is not a RunRecord of schema 1: run_id: field required$"),
        (b"", "is not JSON"),
    ],
)
def test_a_half_or_foreign_file_is_named(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=complaint) as caught:
        read_record(path)
    assert str(path) in str(caught.value)


def test_the_committed_schema_is_the_code_s() -> None:
    """Mend it with: nacbench schema > docs/record.schema.json"""
    assert json.loads((REPOSITORY / "docs" / "record.schema.json").read_text()) == schema()
