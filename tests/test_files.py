"""Files and folders that appear whole or not at all."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from nacbench.files import fill_folder, whole_file, write_bytes, write_json, write_text


def names(folder: Path) -> list[str]:
    """Everything in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


def test_a_written_file_is_there_with_its_folders_and_nothing_else(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "note.txt", "two × three\n")
    assert (tmp_path / "a" / "b" / "note.txt").read_text(encoding="utf-8") == "two × three\n"
    assert names(tmp_path / "a" / "b") == ["note.txt"]


def test_writing_again_replaces_the_content(tmp_path: Path) -> None:
    write_bytes(tmp_path / "weights", b"a long first version")
    write_bytes(tmp_path / "weights", b"second")
    assert (tmp_path / "weights").read_bytes() == b"second"


def test_a_failure_while_writing_leaves_the_old_file_and_no_temporary(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text("old")
    with pytest.raises(OSError, match="disk full"), whole_file(path) as aside:
        aside.write_text("half of the n")
        raise OSError("disk full")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["record.json"]


def test_a_failure_while_renaming_leaves_the_old_file_and_no_temporary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(source: Path, target: Path) -> None:
        raise OSError("no rename today")

    path = tmp_path / "record.json"
    path.write_text("old")
    monkeypatch.setattr("nacbench.files.os.replace", fail)
    with pytest.raises(OSError, match="no rename today"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["record.json"]


def test_readers_see_the_old_file_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("old")
    with whole_file(path) as aside:
        aside.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_with_first_wins_the_second_writer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_text(path, "first", first_wins=True)
    with pytest.raises(FileExistsError):
        write_text(path, "second", first_wins=True)
    assert path.read_text() == "first"
    assert names(tmp_path) == ["record.json"]


def test_json_is_written_whole_and_reads_back(tmp_path: Path) -> None:
    content = {"accuracy": 0.9375, "notes": ["a", None], "nested": {"seed": 0}}
    write_json(tmp_path / "record.json", content)
    text = (tmp_path / "record.json").read_text()
    assert json.loads(text) == content
    assert text.endswith("}\n")


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_json_refuses_numbers_that_it_cannot_hold(tmp_path: Path, number: float) -> None:
    path = tmp_path / "record.json"
    path.write_text("old")
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, {"metrics": {"nll": number}})
    assert path.read_text() == "old"
    assert names(tmp_path) == ["record.json"]


def filler(content: str) -> Callable[[Path], None]:
    """Fills a folder with two files, one of them in a folder inside."""

    def fill(folder: Path) -> None:
        (folder / "deep").mkdir()
        (folder / "top.txt").write_text(content)
        (folder / "deep" / "leaf.txt").write_text(content)

    return fill


def test_a_filled_folder_is_there_with_all_of_its_content(tmp_path: Path) -> None:
    fill_folder(tmp_path / "x" / "data", filler("hello"))
    assert (tmp_path / "x" / "data" / "deep" / "leaf.txt").read_text() == "hello"
    assert names(tmp_path / "x") == ["data"]


def test_a_folder_is_not_there_while_it_is_being_filled(tmp_path: Path) -> None:
    folder = tmp_path / "data"

    def fill(aside: Path) -> None:
        (aside / "file").write_text("content")
        assert not folder.exists()

    fill_folder(folder, fill)
    assert names(folder) == ["file"]


def test_a_failure_while_filling_leaves_nothing(tmp_path: Path) -> None:
    def fill(aside: Path) -> None:
        filler("half")(aside)
        raise RuntimeError("lost the network")

    with pytest.raises(RuntimeError, match="lost the network"):
        fill_folder(tmp_path / "data", fill)
    assert names(tmp_path) == []


def test_the_loser_of_a_race_leaves_the_winners_content(tmp_path: Path) -> None:
    folder = tmp_path / "data"

    def fill_slowly(aside: Path) -> None:
        fill_folder(folder, filler("winner"))
        filler("loser")(aside)

    fill_folder(folder, fill_slowly)
    assert (folder / "top.txt").read_text() == (folder / "deep" / "leaf.txt").read_text() == "winner"
    assert names(tmp_path) == ["data"]


def test_a_file_in_the_folders_place_is_an_error_and_stays(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("precious")
    with pytest.raises(OSError, match="data"):
        fill_folder(tmp_path / "data", filler("new"))
    assert (tmp_path / "data").read_text() == "precious"
    assert names(tmp_path) == ["data"]
