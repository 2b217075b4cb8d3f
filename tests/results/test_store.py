"""The folder of runs."""

from pathlib import Path

import pytest

from nacbench.errors import BrokenFileError, UserError
from nacbench.results.store import finished, read_state, read_store, run_folder, set_aside
from tests.made import made_failure, made_record, write_failure, write_run


def test_all_records_and_failures_of_several_folders_are_read(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 1)):
        write_run(tmp_path / name, made_record(seed=seed))
    write_failure(tmp_path / "a", made_failure())
    records, failures, broken = read_store(tmp_path / "a", tmp_path / "b")
    assert [record.seed for record in records] == [0, 1]
    assert [failure.model for failure in failures] == ["vit"]
    assert broken == []


def test_a_broken_record_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    write_run(tmp_path, made_record(seed=0))
    bad = write_run(tmp_path, made_record(seed=1)) / "record.json"
    bad.write_text("{")
    records, _, broken = read_store(tmp_path)
    assert [record.seed for record in records] == [0]
    assert broken == [f"{bad} is not JSON"]


def test_folders_whose_names_start_with_a_dot_are_not_read(tmp_path: Path) -> None:
    write_run(tmp_path / ".hidden", made_record())
    assert read_store(tmp_path) == ([], [], [])


def test_a_folder_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no folder .*nowhere"):
        read_store(tmp_path / "nowhere")


def test_what_is_set_aside_is_kept_but_not_read(tmp_path: Path) -> None:
    for number in (1, 2):
        folder = write_run(tmp_path, made_record())
        set_aside(folder)
        assert not folder.exists()
        assert (folder.parent / ".replaced" / f"{folder.name}-{number}" / "record.json").exists()
    assert read_store(tmp_path) == ([], [], [])
    set_aside(folder)  # nothing there: nothing to do


def test_a_run_that_is_not_finished_has_no_record(tmp_path: Path) -> None:
    assert finished(run_folder(tmp_path, "digits", "nac", "abc")) is None


def test_a_broken_record_is_told_from_one_of_a_newer_version(tmp_path: Path) -> None:
    path = write_run(tmp_path, made_record()) / "record.json"
    newer = path.read_text().replace('"schema_version": 1', '"schema_version": 2')
    path.write_text("{")
    with pytest.raises(BrokenFileError, match="is not JSON"):
        finished(path.parent)
    path.write_text(newer)
    with pytest.raises(UserError, match="schema 2, from a newer nacbench") as caught:
        finished(path.parent)
    assert not isinstance(caught.value, BrokenFileError)


@pytest.mark.parametrize("content", ["", "{", "[1]", None])
def test_a_broken_state_is_an_empty_one(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "state.json").write_text(content)
    assert read_state(tmp_path) == {}
