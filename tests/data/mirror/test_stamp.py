"""The stamp of a folder: it changes with any file in it, and with nothing else."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from nacbench.data.mirror.manifest import MANIFEST
from nacbench.data.mirror.stamp import stamp_of
from nacbench.errors import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set with a file at the top, some deeper, and one that is reached by a link."""
    place = tmp_path / "set"
    for name in ("list.txt", "a/1.png", "a/deep/er/2.png", ".hidden/3.png", "b/.4.png"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text("content")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/5.png").write_text("content")
    (place / "linked").symlink_to(tmp_path / "elsewhere")
    (place / "one.png").symlink_to(tmp_path / "elsewhere/5.png")
    return place


FILES = ["list.txt", "a/1.png", "a/deep/er/2.png", ".hidden/3.png", "b/.4.png", "linked/5.png"]


def overwrite(file: Path) -> None:
    """Same size, and the old mtime put back."""
    before = file.stat()
    file.write_text("CONTENT")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def touch(file: Path) -> None:
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))


def rename(file: Path) -> None:
    file.rename(file.with_name("other"))


CHANGES: list[Callable[[Path], object]] = [
    overwrite,
    touch,
    rename,
    Path.unlink,
    lambda file: file.write_text("more of it"),
]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("change", CHANGES, ids=["overwritten", "touched", "renamed", "removed", "longer"])
def test_a_change_of_any_file_changes_the_stamp(folder: Path, name: str, change: Callable[[Path], object]) -> None:
    before = stamp_of(folder)
    assert stamp_of(folder) == before
    change(folder / name)
    assert stamp_of(folder) != before


def test_an_added_file_changes_the_stamp(folder: Path) -> None:
    before = stamp_of(folder)
    (folder / "a/deep/new.png").write_text("content")
    assert stamp_of(folder) != before


def test_a_moved_file_changes_the_stamp(folder: Path) -> None:
    before = stamp_of(folder)
    (folder / "a/1.png").rename(folder / "b/1.png")
    assert stamp_of(folder) != before


def test_the_place_of_the_folder_does_not_count(folder: Path) -> None:
    before = stamp_of(folder)
    assert stamp_of(folder.rename(folder.with_name("moved"))) == before


def test_the_manifest_does_not_count(folder: Path) -> None:
    before = stamp_of(folder)
    (folder / MANIFEST).write_text("{}")
    assert stamp_of(folder) == before


def test_links_are_followed_and_loops_are_not(folder: Path) -> None:
    (folder / "a/loop").symlink_to(folder)
    (folder / "a/deep/itself").symlink_to(folder / "a/deep/itself")
    (folder / "a/lost").symlink_to(folder / "nowhere")
    before = stamp_of(folder)
    (folder / "nowhere").write_text("found")
    assert stamp_of(folder) != before


def test_names_that_are_no_utf_8_count(folder: Path) -> None:
    before = stamp_of(folder)
    (folder / os.fsdecode(b"a/\xff.png")).write_text("content")
    assert stamp_of(folder) != before


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot list .*nowhere: No such file or directory"):
        stamp_of(tmp_path / "nowhere")
