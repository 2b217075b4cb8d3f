"""Records: written and read back unchanged; a file that is not a record is named in an error."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from nacbench.errors import UserError
from nacbench.recording.identity import canonical, run_id_of
from nacbench.recording.read_record import read_failure, read_record
from nacbench.recording.record import RunRecord, schema
from nacbench.recording.store import read_state
from nacbench.registry import TASKS
from nacbench.running.resolve import resolve
from tests.conftest import REPOSITORY
from tests.made import TRAINED, made_failure, made_record, write_failure, write_run


def test_a_record_is_read_back_as_written(tmp_path: Path) -> None:
    record = made_record()
    assert read_record(write_run(tmp_path, record, curve=False) / "record.json") == record


def test_a_failure_is_read_back_as_written(tmp_path: Path) -> None:
    failure = made_failure(status="failed", traceback="Traceback …")
    assert read_failure(write_failure(tmp_path, failure) / "failure.json") == failure


@pytest.mark.parametrize(
    "change",
    [
        {"surprise": 1},
        {"schema_version": 1},
        {"metrics": {"test": {"accuracy": float("nan")}}},
        {"attempts": "many"},
    ],
)
def test_an_unknown_field_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RunRecord.model_validate({**made_record().model_dump(), **change})


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b'{"schema_version": 2, "run_id": "a', "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b'{"accuracy": 0.9}', "is not a record of schema 3: run_id"),
        (b"[]", "is not a record of schema 3"),
        (b'{"schema_version": 3}', "is not a record of schema 3: run_id: field required$"),
        (b"", "is not JSON"),
    ],
)
def test_a_truncated_or_foreign_file_is_named(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=complaint) as caught:
        read_record(path)
    assert str(path) in str(caught.value)


def test_the_committed_schema_equals_that_of_the_code() -> None:
    """To fix a failure, run: nacbench schema > docs/record.schema.json"""
    assert json.loads((REPOSITORY / "docs" / "record.schema.json").read_text()) == schema()


def first_schema(record: RunRecord) -> dict[str, Any]:
    """Return a record in schema 1, with ``source`` in the record, the identity and its configuration."""

    def old(section: dict[str, Any]) -> dict[str, Any]:
        return {"source" if key == "trained_on" else key: value for key, value in section.items()}

    content = old(record.model_dump(mode="json"))
    identity = old(record.identity)
    return {**content, "schema_version": 1, "identity": {**identity, "config": old(identity["config"])}}


def test_a_record_of_schema_1_is_upgraded_when_read(tmp_path: Path) -> None:
    record = made_record(task="digits-c", trained_on="digits")
    old = first_schema(record)
    assert old["source"]["run_id"] == old["identity"]["source"] == TRAINED
    old["run_id"] = run_id_of(old["identity"])  # not that of the identity with the new names
    record = record.model_copy(update={"run_id": old["run_id"]})
    folder = write_run(tmp_path, record)
    (folder / "record.json").write_text(json.dumps(old))
    assert read_record(folder / "record.json") == record
    (folder / "state.json").write_text(json.dumps({"identity": old["identity"]}))
    state = read_state(folder)
    assert state is not None
    assert state.identity == record.identity


def test_a_failure_of_schema_1_is_upgraded_when_read(tmp_path: Path) -> None:
    failure = made_failure(status="skipped")
    path = write_failure(tmp_path, failure) / "failure.json"
    path.write_text(json.dumps({**failure.model_dump(mode="json"), "schema_version": 1}))
    assert read_failure(path) == failure


@pytest.mark.parametrize("name", ["digits-c", "parametric-shapes-pruned"])
def test_a_committed_record_names_the_run_that_trained_its_network(name: str) -> None:
    path = next((REPOSITORY / "results").glob(f"*/{name}/nac/*/record.json"))
    record = read_record(path)
    assert record.trained_on is not None
    assert record.trained_on.run_id == record.identity["trained_on"]
    assert type(resolve(record.identity["config"]).training_task) is TASKS.training(record.trained_on.task)


def test_an_identity_is_digested_as_json_with_sorted_keys() -> None:
    identity = {"b": {"ü\n": [1, 2.5, None, True, "7"], "a": {"z": {}, "y": 1e-7}}, "a": {}, "c": 2**70}
    for depth in range(4):
        assert canonical(identity, depth) == json.dumps(identity, sort_keys=True)
