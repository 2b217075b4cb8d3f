"""Files and folders that appear whole or not at all."""

import errno
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from nacbench.filesystem.files import fill_folder, remove_broken, whole_file, write_bytes, write_json, write_text


def names(folder: Path) -> list[str]:
    """Everything in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


def test_write_creates_folders_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "note.txt", "two × three\n")
    assert (tmp_path / "a" / "b" / "note.txt").read_text(encoding="utf-8") == "two × three\n"
    assert names(tmp_path / "a" / "b") == ["note.txt"]


def test_write_replaces_existing_content(tmp_path: Path) -> None:
    write_bytes(tmp_path / "weights", b"a long first version")
    write_bytes(tmp_path / "weights", b"second")
    assert (tmp_path / "weights").read_bytes() == b"second"


def test_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text("old")
    with pytest.raises(OSError, match="disk full"), whole_file(path) as aside:
        aside.write_text("half of the n")
        raise OSError("disk full")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["record.json"]


def test_failed_rename_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(source: Path, target: Path) -> None:
        raise OSError("no rename today")

    path = tmp_path / "record.json"
    path.write_text("old")
    monkeypatch.setattr("nacbench.filesystem.files.os.replace", fail)
    with pytest.raises(OSError, match="no rename today"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["record.json"]


def test_readers_see_the_old_file_until_the_rename(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("old")
    with whole_file(path) as aside:
        aside.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_first_wins_refuses_the_second_writer(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_text(path, "first", first_wins=True)
    with pytest.raises(FileExistsError):
        write_text(path, "second", first_wins=True)
    assert path.read_text() == "first"
    assert names(tmp_path) == ["record.json"]


@pytest.mark.parametrize("code", ["EPERM", "EOPNOTSUPP", "EMLINK", "EXDEV", "ENOSYS", "EINVAL"])
def test_the_first_wins_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    def no_links(source: Path, target: Path) -> None:
        raise OSError(getattr(errno, code), "no hard links")

    monkeypatch.setattr("nacbench.filesystem.locking.os.link", no_links)
    test_first_wins_refuses_the_second_writer(tmp_path)


def test_a_full_disk_leaves_no_empty_file_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr("nacbench.filesystem.locking.os.link", refuse)
    monkeypatch.setattr("nacbench.filesystem.locking.os.replace", refuse)
    with pytest.raises(OSError, match="no space left"):
        write_text(tmp_path / "record.json", "new", first_wins=True)
    assert names(tmp_path) == []


@pytest.mark.parametrize("code", ["EINVAL", "ENOSYS", "EOPNOTSUPP"])
def test_files_are_written_where_fsync_is_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    def no_fsync(descriptor: int) -> None:
        raise OSError(getattr(errno, code), "no fsync")

    monkeypatch.setattr("nacbench.filesystem.files.os.fsync", no_fsync)
    write_text(tmp_path / "note.txt", "kept")
    assert (tmp_path / "note.txt").read_text() == "kept"


def test_an_error_of_fsync_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(descriptor: int) -> None:
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr("nacbench.filesystem.files.os.fsync", broken)
    with pytest.raises(OSError, match="input/output error"):
        write_text(tmp_path / "note.txt", "lost")
    assert names(tmp_path) == []


def test_json_round_trip(tmp_path: Path) -> None:
    content = {"accuracy": 0.9375, "notes": ["a", None], "nested": {"seed": 0}}
    write_json(tmp_path / "record.json", content)
    text = (tmp_path / "record.json").read_text()
    assert json.loads(text) == content
    assert text.endswith("}\n")


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_json_refuses_nan_and_infinity(tmp_path: Path, number: float) -> None:
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


def test_fill_folder_creates_all_content(tmp_path: Path) -> None:
    fill_folder(tmp_path / "x" / "data", filler("hello"))
    assert (tmp_path / "x" / "data" / "deep" / "leaf.txt").read_text() == "hello"
    assert names(tmp_path / "x") == ["data"]


def test_folder_does_not_exist_while_it_is_filled(tmp_path: Path) -> None:
    folder = tmp_path / "data"

    def fill(aside: Path) -> None:
        (aside / "file").write_text("content")
        assert not folder.exists()

    fill_folder(folder, fill)
    assert names(folder) == ["file"]


def test_failed_fill_leaves_nothing(tmp_path: Path) -> None:
    def fill(aside: Path) -> None:
        filler("half")(aside)
        raise RuntimeError("lost the network")

    with pytest.raises(RuntimeError, match="lost the network"):
        fill_folder(tmp_path / "data", fill)
    assert names(tmp_path) == []


def test_fill_folder_keeps_the_content_of_the_first_writer(tmp_path: Path) -> None:
    folder = tmp_path / "data"

    def fill_slowly(aside: Path) -> None:
        fill_folder(folder, filler("winner"))
        filler("loser")(aside)

    fill_folder(folder, fill_slowly)
    assert (folder / "top.txt").read_text() == (folder / "deep" / "leaf.txt").read_text() == "winner"
    assert names(tmp_path) == ["data"]


def test_fill_folder_refuses_an_existing_file(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("precious")
    with pytest.raises(OSError, match="data"):
        fill_folder(tmp_path / "data", filler("new"))
    assert (tmp_path / "data").read_text() == "precious"
    assert names(tmp_path) == ["data"]


def is_whole(folder: Path) -> bool:
    return (folder / "whole").exists()


def test_a_folder_that_is_intact_is_not_touched_while_others_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kept" / "whole").mkdir(parents=True)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", None)  # not even for a moment
        remove_broken(tmp_path / "kept", is_whole)
        remove_broken(tmp_path / "missing", is_whole)
    assert is_whole(tmp_path / "kept")


def test_a_folder_that_is_broken_is_removed(tmp_path: Path) -> None:
    (tmp_path / "broken" / "half").mkdir(parents=True)
    remove_broken(tmp_path / "broken", is_whole)
    assert list(tmp_path.iterdir()) == []


def test_what_another_process_makes_between_look_and_removal_stays(tmp_path: Path) -> None:
    place = tmp_path / "broken"
    (place / "half").mkdir(parents=True)

    def look(folder: Path) -> bool:
        before = is_whole(folder)
        if folder == place:
            (place / "whole").mkdir()
        return before

    remove_broken(place, look)
    assert list(tmp_path.iterdir()) == [place] and is_whole(place)
