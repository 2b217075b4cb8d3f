"""The store: which runs are finished, broken records, and setting runs aside."""

from pathlib import Path

import pytest

from nacbench.errors import BrokenFileError, UserError
from nacbench.recording.index import read_runs
from nacbench.recording.locate import locate
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


@pytest.mark.parametrize("place", ["", "mine/2026", "linked"])
@pytest.mark.parametrize("below", [".", "digits", "digits/nac"])
def test_a_run_is_found_by_its_id_wherever_it_is_listed(place: str, below: str, tmp_path: Path) -> None:
    """In a folder of stores, a part of one, or behind a link: all of these are read by what lists runs."""
    top = tmp_path / "stores"
    store = (tmp_path / "elsewhere" if place == "linked" else top / place) / "runs"
    folder = write_run(store, made_record())
    if place == "linked":
        top.mkdir()
        (top / "linked").symlink_to(store.parent)
    for named in {top, *([store / below] if place else [])}:
        (run,) = read_runs(named).runs
        assert locate(folder.name[:8], named).samefile(run.folder)


def test_an_id_in_two_folders_of_runs_is_ambiguous(tmp_path: Path) -> None:
    first, second = (write_run(tmp_path / name, made_record()) for name in ("a/runs", "b/runs"))
    with pytest.raises(UserError, match=f"ids of 2 runs start with it: {first}, {second}; give more of the id, or"):
        locate(first.name, tmp_path)


def test_a_folder_that_cannot_be_looked_into_is_named_when_an_id_is_not_found(tmp_path: Path) -> None:
    write_run(tmp_path, made_record())
    (tmp_path / "lost").symlink_to(tmp_path / "gone")
    with pytest.raises(UserError, match=r"no id in .* starts with it; .*/lost is a link that leads nowhere"):
        locate("0" * 8, tmp_path)
