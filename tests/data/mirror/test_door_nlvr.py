"""NLVR and NLVR2 as their repository, their makers and the hub have them; pictures show whether sentences are true."""

from pathlib import Path

import pytest

from nacbench.errors import UserError
from nacbench.tasks.nlvr import Nlvr
from nacbench.tasks.nlvr2 import Nlvr2
from tests.data.copies import nlvr, nlvr2
from tests.data.copies.colours import class_of, write_files
from tests.data.mirror.archives import tarred, zipped
from tests.miniatures import make_nlvr

pytestmark = pytest.mark.usefixtures("cache")


def imported(task: type[Nlvr] | type[Nlvr2], root: Path, *paths: Path) -> list[str]:
    """What an import says that must succeed."""
    lines: list[str] = []
    task.files.bring(root, *paths, say=lines.append)
    return lines


def wrong_labels(task: type[Nlvr] | type[Nlvr2], root: Path) -> list[tuple[str, int, int]]:
    """Split, colour and label of the examples whose label is not what their picture shows."""
    arrays = task().arrays(root).arrays
    found = []
    for split in ("train", "validation", "test"):
        images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"].tolist()
        assert set(labels) == {0, 1}
        left = images if task is Nlvr else images[..., : images.shape[-1] // 2]
        for image, label in zip(left, labels, strict=True):
            colour = class_of(image)
            if colour != (nlvr.TRUE if label else nlvr.FALSE):
                found.append((split, colour, label))
            if task is Nlvr2:
                assert class_of(images[0][..., images.shape[-1] // 2 :]) == nlvr2.RIGHT
    return found


@pytest.mark.parametrize("packed", ["folder", "zip", "tgz"])
@pytest.mark.parametrize("top", ["nlvr-master/nlvr/", ""])
def test_nlvr_s_repository_is_taken(top: str, packed: str, root: Path, tmp_path: Path) -> None:
    files = nlvr.repository(top)
    mine = tmp_path / "mine"
    if packed == "folder":
        write_files(mine, files)
    else:
        mine.write_bytes((zipped if packed == "zip" else tarred)(files))
    said = imported(Nlvr, root, mine)
    assert "read: 2 classes, 12 train examples (part: 12 of 12,410 train)" in said
    assert len(said) == 6
    assert wrong_labels(Nlvr, root) == []
    assert Nlvr().shortages(Nlvr().arrays(root).arrays) == [
        "12 of 12,410 train examples",
        "4 of 989 validation examples",
        "4 of 990 test examples",
    ]


def test_nlvr_s_splits_add_up(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    imported(Nlvr, whole, write_files(tmp_path / "mine", nlvr.repository()))
    for split in ("dev", "train", "test"):
        some = {name: own for name, own in nlvr.repository().items() if f"nlvr/{split}/" in name}
        said = imported(Nlvr, parts, write_files(tmp_path / split, some))
        assert ("still missing" in said[-1]) == (split != "test")
    assert Nlvr().fingerprint(whole) == Nlvr().fingerprint(parts)


def test_nlvr_in_the_mirror_s_form_is_taken_again(tmp_path: Path) -> None:
    imported(Nlvr, tmp_path / "first", write_files(tmp_path / "mine", nlvr.repository()))
    imported(Nlvr, tmp_path / "second", tmp_path / "first/nlvr")
    assert Nlvr().fingerprint(tmp_path / "first") == Nlvr().fingerprint(tmp_path / "second")


def test_a_picture_of_nlvr_that_is_missing_is_named_with_its_line(root: Path, tmp_path: Path) -> None:
    files = nlvr.repository()
    del files["nlvr-master/nlvr/dev/images/0/dev-100-0-0.png"]
    with pytest.raises(UserError, match=r"dev/dev\.json, line 4: its picture 'dev-100-0-0\.png' is not there"):
        imported(Nlvr, root, write_files(tmp_path / "mine", files))
    assert list(root.rglob("*")) == []


def test_a_line_of_nlvr_that_is_cut_is_named(root: Path, tmp_path: Path) -> None:
    files = nlvr.repository()
    files["nlvr-master/nlvr/test/test.json"] = files["nlvr-master/nlvr/test/test.json"][:-30]
    with pytest.raises(UserError, match=r"test/test\.json, line 4"):
        imported(Nlvr, root, write_files(tmp_path / "mine", files))
    assert list(root.rglob("*")) == []


def makers(folder: Path, flat: bool = False) -> list[Path]:
    """The repository's folder and the three archives of photographs."""
    paths = [write_files(folder / "repository", nlvr2.texts())]
    for split in nlvr2.SPLITS:
        top = "images/" if split == "train" else ""
        files = {f"{top}{name}": own for name, own in nlvr2.photographs(split, not flat).items()}
        (folder / f"{split}_img.zip").write_bytes(zipped(files))
        paths.append(folder / f"{split}_img.zip")
    return paths


def test_nlvr2_s_texts_and_photographs_add_up(root: Path, tmp_path: Path) -> None:
    texts, *photographs = makers(tmp_path)
    said = imported(Nlvr2, root, texts)
    assert said[1] == (
        "read: 8 train, 5 validation and 5 test examples (part: 8 of 86,373 train, 5 of 6,982 validation, "
        "5 of 6,967 test)"
    )
    assert "still missing" in said[-1]
    for archive in photographs:
        imported(Nlvr2, root, archive)
    assert wrong_labels(Nlvr2, root) == []


def test_all_copies_of_nlvr2_have_one_fingerprint(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    write_files(folder, nlvr2.texts("data/"))
    for split in nlvr2.SPLITS:
        write_files(folder / "images", nlvr2.photographs(split))
    given = {
        "folder": [folder],
        "makers": makers(tmp_path / "makers"),
        "flat": makers(tmp_path / "flat", flat=True),
        "hub": [write_files(tmp_path / "hub", nlvr2.hub())],
        "hub, one column": [write_files(tmp_path / "lists", nlvr2.hub(both=True))],
    }
    prints = {}
    for name, paths in given.items():
        imported(Nlvr2, tmp_path / f"mirror {name}", *paths)
        assert wrong_labels(Nlvr2, tmp_path / f"mirror {name}") == []
        prints[name] = Nlvr2().fingerprint(tmp_path / f"mirror {name}")
    assert len(set(prints.values())) == 1, prints


def test_a_photograph_without_the_other_one_is_named(root: Path, tmp_path: Path) -> None:
    files = nlvr2.photographs("dev")
    del files["dev/dev-101-1-img1.png"]
    with pytest.raises(UserError, match=r"dev/dev-101-1-img0\.png lacks the other photograph of its pair"):
        imported(Nlvr2, root, write_files(tmp_path / "mine", files))
    assert list(root.rglob("*")) == []


def test_a_label_of_nlvr2_that_is_none_is_named(root: Path, tmp_path: Path) -> None:
    files = nlvr2.texts()
    name = "nlvr-master/nlvr2/data/dev.json"
    files[name] = files[name].replace(b'"True"', b'"maybe"', 1)
    with pytest.raises(UserError, match=r"data/dev\.json, line 1: label 'maybe' is neither 'True' nor 'False'"):
        imported(Nlvr2, root, write_files(tmp_path / "mine", files))


def test_the_mirror_s_own_files_are_counted_by_rows(root: Path, tmp_path: Path) -> None:
    make_nlvr(tmp_path / "mine")
    said = imported(Nlvr, root, tmp_path / "mine")
    assert said[1] == "read: 60 validation and 20 test examples (part: 60 of 989 validation, 20 of 990 test)"
