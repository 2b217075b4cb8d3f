"""Files that users bring: copied or shared whole, or refused with what they lack."""

from pathlib import Path

import numpy as np
import pytest

from nacbench.errors import UserError
from tests.data.copies.cifar import png
from tests.data.mirror.archives import (
    JUNK,
    LOCAL,
    MESHES,
    Site,
    files_of,
    remove,
    served,
    shapes,
    tarred,
    user_folder,
    zipped,
)

PICTURE = png(np.zeros((2, 2, 3), np.uint8))

pytestmark = pytest.mark.usefixtures("cache")


@pytest.mark.parametrize("inside", [".", "Shapes", "shapes"])
def test_a_folder_is_imported_and_not_changed(inside: str, site: Site, root: Path, tmp_path: Path) -> None:
    data_files = served(site, b"")
    mine = user_folder(tmp_path / "mine" / inside, {**shapes(), ".DS_Store": b"junk", ".git/config": b"junk"})
    data_files.bring(root, tmp_path / "mine")
    assert files_of(data_files.place(root)) == shapes()
    assert len(files_of(mine)) == len(shapes()) + 2
    brought = data_files.place(root) / "a/train/a_0.off"
    assert brought.stat().st_ino != (mine / "a/train/a_0.off").stat().st_ino
    assert "8 files checked: checksums match (taken when they were imported from" in data_files.verify(root)


def test_an_archive_is_imported(site: Site, root: Path, tmp_path: Path) -> None:
    content = zipped(MESHES)
    data_files = served(site, content)
    (tmp_path / "mine.zip").write_bytes(content)
    data_files.bring(root, tmp_path / "mine.zip")
    assert files_of(data_files.place(root)) == shapes()
    assert (tmp_path / "mine.zip").exists()
    assert "that its makers publish" in data_files.verify(root)


def test_an_archive_of_others_is_taken_by_its_content(site: Site, root: Path, tmp_path: Path) -> None:
    data_files = served(site, zipped(MESHES))
    (tmp_path / "mine.zip").write_bytes(zipped(MESHES | JUNK))
    data_files.bring(root, tmp_path / "mine.zip")
    assert files_of(data_files.place(root)) == shapes()
    assert "mine.zip, which is not the archive that their makers publish" in data_files.verify(root)


def test_only_a_download_is_trusted_on_first_use(site: Site, root: Path, tmp_path: Path) -> None:
    data_files = served(site, zipped(MESHES | JUNK), known=False)
    (tmp_path / "mine.zip").write_bytes(zipped(MESHES))
    data_files.bring(root, tmp_path / "mine.zip")
    remove(data_files.place(root))
    data_files.fetch(root)
    assert files_of(data_files.place(root)) == shapes()


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({}, r"it lacks \*/train/\*\.off"),
        ({"a/train/a.off": b"x"}, r"it lacks \*/test/\*\.off"),
        ({"Shapes/a/train/a.off": b"x"}, r"in its folder Shapes, .* it lacks \*/test/\*\.off"),
    ],
)
def test_a_folder_that_lacks_something_is_refused(
    files: dict[str, bytes], complaint: str, site: Site, root: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    data_files = served(site, b"")
    with pytest.raises(UserError, match=complaint) as caught:
        data_files.bring(root, user_folder(mine, files))
    assert str(mine) in str(caught.value)
    assert not root.exists()


def test_import_needs_an_existing_path_and_an_empty_place(site: Site, root: Path, tmp_path: Path) -> None:
    data_files = served(site, b"")
    with pytest.raises(UserError, match=r"no such file or folder: .*/nowhere"):
        data_files.bring(root, tmp_path / "nowhere")
    data_files.bring(root, user_folder(tmp_path / "mine", shapes()))
    with pytest.raises(UserError, match=f"{data_files.place(root)} has data in it already; remove it first"):
        data_files.bring(root, tmp_path / "mine")


def test_local_files_are_never_fetched_but_say_how_to_get_them(root: Path) -> None:
    with pytest.raises(UserError) as caught:
        LOCAL.fetch(root)
    for text in (LOCAL.missing(root), str(caught.value)):
        assert text is not None
        for part in ("photos", "ask the makers", "https://made.up", "by request", "nacbench data import TASK"):
            assert part in text
        assert str(LOCAL.place(root)) in text


def test_local_files_are_hard_links_if_possible(root: Path, tmp_path: Path) -> None:
    mine = user_folder(tmp_path / "mine", {"list.txt": b"1", "images/a/1.png": PICTURE})
    (mine / "images" / "a" / "2.png").symlink_to(mine / "images" / "a" / "1.png")
    LOCAL.bring(root, mine)
    assert (LOCAL.place(root) / "list.txt").stat().st_ino == (mine / "list.txt").stat().st_ino
    assert not (LOCAL.place(root) / "images/a/2.png").is_symlink()
    assert "3 files checked" in LOCAL.verify(root)


def test_local_files_are_imported_from_an_archive(root: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.tgz").write_bytes(tarred({"photos/list.txt": b"1", "photos/images/a/1.png": PICTURE}))
    LOCAL.bring(root, tmp_path / "mine.tgz")
    assert files_of(LOCAL.place(root)) == {"list.txt": b"1", "images/a/1.png": PICTURE}


@pytest.mark.parametrize("target", ["nowhere", "."])
def test_broken_and_circular_links_are_refused(target: str, root: Path, tmp_path: Path) -> None:
    mine = user_folder(tmp_path / "mine", {"list.txt": b"1", "images/a/1.png": PICTURE})
    (mine / "images" / "link").symlink_to(mine / "images" / target)
    with pytest.raises(UserError, match="images/link"):
        LOCAL.bring(root, mine)
    assert not root.exists()
