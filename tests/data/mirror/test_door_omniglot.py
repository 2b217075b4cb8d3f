"""Omniglot's zips: each known by its name, added one after the other, and what they are said to be."""

from pathlib import Path

import numpy as np
import pytest

from nacbench.errors import UserError
from nacbench.tasks.omniglot import Omniglot
from tests.data.copies import omniglot
from tests.data.copies.colours import write_files
from tests.data.mirror.archives import tarred, zipped

pytestmark = pytest.mark.usefixtures("cache")

SETS = omniglot.sets()
SMALL = ("images_background_small1", "images_background_small2")


def imported(root: Path, *paths: Path) -> list[str]:
    """What an import says that must succeed."""
    lines: list[str] = []
    Omniglot.files.bring(root, *paths, say=lines.append)
    return lines


def zips(folder: Path, *names: str) -> list[Path]:
    """Zips of some sets."""
    for name in names:
        (folder / f"{name}.zip").write_bytes(zipped(SETS[name]))
    return [folder / f"{name}.zip" for name in names]


def characters(root: Path, part: str) -> list[tuple[str, int]]:
    """Alphabet and character that the drawings of each label show, which must be one and the same."""
    arrays = Omniglot().arrays(root).arrays
    images, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
    found = []
    for label in range(int(labels.max()) + 1):
        shown = {omniglot.numbers_of(image) for image in images[labels == label]}
        assert len(shown) == 1, (part, label, shown)
        alphabet, character = shown.pop()
        found.append((omniglot.KNOWN[alphabet], character))
    return found


def both(*alphabets: str) -> list[tuple[str, int]]:
    """Both characters of each alphabet."""
    return [(alphabet, character) for alphabet in alphabets for character in range(omniglot.CHARACTERS)]


def test_the_second_zip_adds_up(root: Path, tmp_path: Path) -> None:
    first, second = zips(tmp_path, *SMALL)
    assert "first small background set" in imported(root, first)[0]
    said = imported(root, second)
    assert "second small background set" in said[0]
    assert said[1] == "read: 120 small2 examples (part: 120 of 3,120 small2)"
    assert characters(root, "train") == both("Balinese", "Early_Aramaic", "Korean")
    assert characters(root, "search") == both("Latin")
    assert characters(root, "novel") == both("Sanskrit")
    assert "240 files checked: checksums match" in Omniglot.files.verify(root)
    with pytest.raises(UserError, match="has data in it already"):
        imported(root, first)


def test_two_zips_at_once_a_folder_and_a_repository_are_the_same_data(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "folder", {**SETS[SMALL[0]], **SETS[SMALL[1]], **omniglot.strokes()})
    inside = {f"omniglot-master/python/{name}.zip": zipped(own) for name, own in SETS.items()}
    strokes = {"omniglot-master/python/strokes_background_small1.zip": zipped(omniglot.strokes())}
    (tmp_path / "repository.tgz").write_bytes(tarred({**inside, **strokes}))
    given = {"zips": zips(tmp_path, *SMALL), "folder": [folder], "repository": [tmp_path / "repository.tgz"]}
    prints = {}
    for name, paths in given.items():
        imported(tmp_path / f"mirror {name}", *paths)
        prints[name] = Omniglot().fingerprint(tmp_path / f"mirror {name}")
    assert len(set(prints.values())) == 1, prints


def test_drawers_are_told_by_the_names_of_files(root: Path, tmp_path: Path) -> None:
    files = {**SETS[SMALL[0]], **SETS[SMALL[1]]}
    del files["images_background_small1/Balinese/character01/0003_05.png"]
    imported(root, write_files(tmp_path / "mine", files))
    arrays = Omniglot().arrays(root).arrays
    assert np.bincount(arrays["train_labels"])[:2].tolist() == [15, 16]
    assert np.bincount(arrays["validation_labels"])[:2].tolist() == [2, 2]


def test_the_large_sets_are_known_by_name(root: Path, tmp_path: Path) -> None:
    background, evaluation = zips(tmp_path, "images_background", "images_evaluation")
    said = imported(root, evaluation)
    assert "large evaluation set" in said[0]
    assert "still missing: " in said[-1]
    assert "large background set" in imported(root, background)[0]
    assert characters(root, "train") == both(*omniglot.LARGE[:-1])
    assert characters(root, "novel") == both(*omniglot.EVALUATION)


def test_a_set_of_other_characters_is_marked(root: Path, tmp_path: Path) -> None:
    imported(root, *zips(tmp_path, "images_background"))
    arrays = dict(Omniglot().arrays(root).arrays)
    assert Omniglot().shortages(arrays) == ["10 of 157 classes"]
    arrays["train_labels"] = np.arange(200)
    assert Omniglot().shortages(arrays) == ["200 classes instead of 157"]


def test_strokes_alone_are_no_drawings(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no file of any of the 5 forms of Omniglot that are taken"):
        imported(root, write_files(tmp_path / "mine", omniglot.strokes()))
