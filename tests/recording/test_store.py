"""The store: which runs are finished, broken records, and setting runs aside."""

from pathlib import Path

import pytest

from nacbench.errors import BrokenFileError, UserError
from nacbench.recording.index import read_runs
from nacbench.recording.store import finished, read_state, run_folder, set_aside
from tests.made import made_record, write_run


def test_a_run_that_is_set_aside_is_kept_but_not_read(tmp_path: Path) -> None:
    for number in (1, 2):
        folder = write_run(tmp_path, made_record())
        set_aside(folder)
        assert not folder.exists()
        assert (folder.parent / ".replaced" / f"{folder.name}-{number}" / "record.json").exists()
    assert read_runs(tmp_path).runs == []
    set_aside(folder)  # no folder: no error


def test_an_unfinished_run_has_no_record(tmp_path: Path) -> None:
    assert finished(run_folder(tmp_path, "digits", "nac", "abc")) is None


def test_a_broken_record_and_a_newer_record_give_different_errors(tmp_path: Path) -> None:
    path = write_run(tmp_path, made_record()) / "record.json"
    newer = path.read_text().replace('"schema_version": 3', '"schema_version": 4')
    path.write_text("{")
    with pytest.raises(BrokenFileError, match="is not JSON"):
        finished(path.parent)
    path.write_text(newer)
    with pytest.raises(UserError, match="schema 4, from a newer nacbench") as caught:
        finished(path.parent)
    assert not isinstance(caught.value, BrokenFileError)


@pytest.mark.parametrize("content", ["", "{", "[1]", "[" * 100_000, '{"identity": {}}', None])
def test_a_broken_state_file_is_none(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "state.json").write_text(content)
    assert read_state(tmp_path) is None
