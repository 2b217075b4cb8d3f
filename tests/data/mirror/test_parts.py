"""Parts of a data set that are imported together or one after another, copied or linked to."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nacbench.data.mirror.data_files import LocalFiles
from nacbench.errors import BrokenFileError, UserError
from tests.data.copies.colours import jpeg, pixels, write_files
from tests.data.mirror.archives import files_of, tarred, zipped

pytestmark = pytest.mark.usefixtures("cache")

FORMS = """
title: Photographs
distributions:
  - name: train
    title: training photographs, in folders by class
    needs: {train: "train/*/*.jpeg"}
    gives: [train]
    reader: {kind: files-as-they-are}
  - name: flat
    title: validation photographs in one folder, with a list that may lie elsewhere
    needs: {val: "val_*.jpeg"}
    beside: {labels: labels.txt}
    gives: [val]
    reader: {kind: files-as-they-are, into: {val: val, labels: lists}}
  - name: notes
    title: notes of the photographers
    needs: {notes: "notes_*/*.txt"}
    gives: [notes]
    several: true
    reader: {kind: files-as-they-are, into: {notes: notes}}
"""
TRAIN = {f"train/{name}/{number}.JPEG": jpeg(pixels(number, 0, 8)) for name in "ab" for number in range(2)}
VAL = {f"val_{number}.JPEG": jpeg(pixels(number, 1, 8)) for number in range(3)}
LABELS = {"labels.txt": b"0 1 0\n"}
WHOLE = {
    **TRAIN,
    **{f"val/{name}": content for name, content in VAL.items()},
    **{f"lists/{name}": content for name, content in LABELS.items()},
}


@pytest.fixture
def photos(tmp_path: Path) -> LocalFiles:
    """A data set of two parts that are needed and one that is not."""
    file = tmp_path / "photos.yaml"
    file.write_text(FORMS)
    needs = ("train/*/*", "val/*", "lists/labels.txt")
    return LocalFiles(name="photos", needs=needs, forms=str(file), how="ask", url="https://made.up")


def test_parts_given_at_once_add_up(photos: LocalFiles, root: Path, tmp_path: Path) -> None:
    write_files(tmp_path / "labels", LABELS)
    (tmp_path / "train.tar").write_bytes(tarred({f"x/{name}": own for name, own in TRAIN.items()}, ""))
    (tmp_path / "val.zip").write_bytes(zipped(VAL))
    lines: list[str] = []
    photos.bring(root, *(tmp_path / name for name in ("train.tar", "val.zip", "labels")), say=lines.append)
    assert files_of(root / "photos") == WHOLE
    assert lines == [
        f"recognised: training photographs, in folders by class ({tmp_path}/train.tar/x)",
        f"recognised: validation photographs in one folder, with a list that may lie elsewhere ({tmp_path}/val.zip)",
    ]
    assert "8 files checked: checksums match" in photos.verify(root)


def test_parts_given_one_after_another_add_up(photos: LocalFiles, root: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    photos.bring(root, write_files(tmp_path / "one", TRAIN), say=lines.append)
    assert lines[-1].startswith("still missing: photos is not in")
    assert "(0 files match val/*)" in lines[-1]
    photos.bring(root, write_files(tmp_path / "two", {**VAL, **LABELS}), say=lines.append)
    assert photos.missing(root) is None
    assert files_of(root / "photos") == WHOLE
    assert "8 files checked: checksums match" in photos.verify(root)
    notes = {f"notes_{name}/{name}.txt": name.encode() for name in "xy"}
    photos.bring(root, write_files(tmp_path / "three", notes), say=lines.append)
    assert files_of(root / "photos").keys() - WHOLE == {"notes/x.txt", "notes/y.txt"}


def test_a_path_with_nothing_to_take_is_named(photos: LocalFiles, root: Path, tmp_path: Path) -> None:
    write_files(tmp_path / "other", {"read me.txt": b"nothing"})
    lines: list[str] = []
    photos.bring(root, write_files(tmp_path / "one", TRAIN), tmp_path / "other", say=lines.append)
    assert lines[1] == f"nothing was taken from {tmp_path}/other"


def test_what_is_there_is_not_imported_again(photos: LocalFiles, root: Path, tmp_path: Path) -> None:
    mine = write_files(tmp_path / "one", TRAIN)
    photos.bring(root, mine)
    with pytest.raises(UserError, match="photos has data in it already; remove it first"):
        photos.bring(root, mine)


def test_a_list_that_lies_nowhere_is_missed(photos: LocalFiles, root: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"it lacks labels.txt; the nearest form .*validation photographs"):
        photos.bring(root, write_files(tmp_path / "mine", VAL))
    assert not root.exists()


@pytest.mark.parametrize("linked", [False, True])
def test_large_folders_are_linked_to(linked: bool, photos: LocalFiles, root: Path, tmp_path: Path) -> None:
    mine = write_files(tmp_path / "mine", {**TRAIN, **VAL, **LABELS})
    replace(photos).bring(root, mine, link=linked)
    assert files_of(root / "photos") == WHOLE
    same = (root / "photos/val/val_0.JPEG").stat().st_ino == (mine / "val_0.JPEG").stat().st_ino
    assert same  # such data is linked to where the file system allows hard links, asked for or not


def test_links_lead_to_another_file_system(
    photos: LocalFiles, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("os.link", refuse)
    mine = write_files(tmp_path / "mine", {**TRAIN, **VAL, **LABELS})
    photos.bring(root, mine, link=True)
    file = root / "photos/val/val_0.JPEG"
    assert file.is_symlink()
    assert file.resolve() == mine / "val_0.JPEG"
    assert "8 files checked: checksums match" in photos.verify(root)


def test_a_truncated_image_is_named_with_its_path_in_the_archive(
    photos: LocalFiles, root: Path, tmp_path: Path
) -> None:
    image = jpeg(np.zeros((64, 64, 3), np.uint8))
    (tmp_path / "mine.zip").write_bytes(zipped({**VAL, **LABELS, "val_7.JPEG": image[:-300]}))
    with pytest.raises(
        BrokenFileError, match=f"{tmp_path}/mine.zip/val_7.JPEG cannot be read as an image.*(?i:truncated)"
    ):
        photos.bring(root, tmp_path / "mine.zip")
    assert not root.exists()


def test_bytes_after_the_end_of_an_image_do_not_matter(photos: LocalFiles, root: Path, tmp_path: Path) -> None:
    longer = {name: content + bytes(100) for name, content in VAL.items()}
    photos.bring(root, write_files(tmp_path / "mine", {**longer, **LABELS}))
    assert files_of(root / "photos").keys() == {
        "val/val_0.JPEG",
        "val/val_1.JPEG",
        "val/val_2.JPEG",
        "lists/labels.txt",
    }
