"""Copies of data sets of text: IMDb's reviews and Long Range Arena's ListOps."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from nacbench.data.array_task import ArrayTask
from nacbench.data.mirror.data_files import MirrorFiles
from nacbench.data.sequences.listops_evaluation import VOCABULARY
from nacbench.errors import UserError
from nacbench.registry import TASKS
from tests.data.copies import imdb, listops
from tests.data.copies.colours import write_files
from tests.data.mirror.archives import files_of, tarred, zipped

pytestmark = pytest.mark.usefixtures("cache")

PACKED: dict[str, Callable[[Mapping[str, bytes]], bytes]] = {
    ".zip": zipped,
    ".tar": partial(tarred, compression=""),
    ".tar.gz": tarred,
    ".tgz": tarred,
    ".gz": tarred,
}


def made(task: str, **options: str) -> ArrayTask:
    """A task with some options."""
    found = TASKS.get(task)(**options)
    assert isinstance(found, ArrayTask)
    return found


def imported(task: ArrayTask, root: Path, *paths: Path) -> list[str]:
    """What an import says that must succeed."""
    lines: list[str] = []
    (files,) = task.data_files()
    assert isinstance(files, MirrorFiles)
    files.bring(root, *paths, say=lines.append)
    return lines


def reviews_of(root: Path, split: str) -> list[tuple[str, int]]:
    """Text and label of the reviews that the task reads."""
    arrays = made("imdb-bytes").arrays(root).arrays
    texts = [bytes(row).rstrip(b"\0").decode() for row in arrays[f"{split}_symbols"]]
    return list(zip(texts, arrays[f"{split}_labels"].tolist(), strict=True))


IMDB = {
    "aclImdb": imdb.original(),
    "another top name": {name.replace("aclImdb", "my reviews"): own for name, own in imdb.original().items()},
    "no top folder": {name.partition("/")[2]: own for name, own in imdb.original().items()},
    "CSV": imdb.csv_files(),
    "CSV, capitals": {name.replace("/t", "/T"): own for name, own in imdb.csv_files().items()},
    "JSON lines": imdb.json_lines(),
    "hub": imdb.hub(),
    "another owner's columns": imdb.hub(columns=("review", "sentiment")),
    "another owner's classes": imdb.hub(("positive", "negative")),
}


@pytest.mark.parametrize("form", IMDB)
def test_reviews_have_the_right_labels(form: str, root: Path, tmp_path: Path) -> None:
    lines = imported(made("imdb-bytes"), root, write_files(tmp_path / "mine", IMDB[form]))
    assert lines[0].startswith("recognised: ")
    assert lines[1] == ("read: 2 classes, 10 train and 10 test examples (part: 10 of 25,000 train, 10 of 25,000 test)")
    for split in ("train", "test"):
        found = reviews_of(root, split)
        assert all(("good" in text) == bool(label) for text, label in found)
        assert sorted(found) == sorted(imdb.reviews(split))


def test_the_fingerprint_of_reviews_does_not_depend_on_the_form(tmp_path: Path) -> None:
    found = {}
    for form, files in IMDB.items():
        root = tmp_path / form / "mirror"
        imported(made("imdb-bytes"), root, write_files(tmp_path / form / "mine", files))
        found[form] = made("imdb-bytes").fingerprint(root)
    assert len(set(found.values())) == 1, found


@pytest.mark.parametrize("suffix", PACKED)
def test_reviews_come_in_every_archive(suffix: str, root: Path, tmp_path: Path) -> None:
    (tmp_path / f"mine{suffix}").write_bytes(PACKED[suffix](imdb.original()))
    imported(made("imdb-bytes"), root, tmp_path / f"mine{suffix}")
    assert sorted(reviews_of(root, "test")) == sorted(imdb.reviews("test"))


def test_training_and_test_reviews_can_be_given_as_two_folders(root: Path, tmp_path: Path) -> None:
    mine = write_files(tmp_path / "mine", imdb.original()) / "aclImdb"
    imported(made("imdb-bytes"), root, mine / "train", mine / "test")
    assert sorted(reviews_of(root, "train")) == sorted(imdb.reviews("train"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train/pos/10_8.txt", b"caf\xe9", "train/pos/10_8.txt is not UTF-8 text (byte 3)"),
        ("test/neg/2_3.txt", b"\n", "test/neg/2_3.txt is empty; get it again"),
        ("test/neg/2_3.txt", b"version https://git-lfs.github.com/spec/v1\n", "test/neg/2_3.txt is a pointer of git"),
    ],
)
def test_a_damaged_review_is_named(name: str, content: bytes, message: str, root: Path, tmp_path: Path) -> None:
    mine = write_files(tmp_path / "mine", {**imdb.original(), f"aclImdb/{name}": content})
    with pytest.raises(UserError) as caught:
        imported(made("imdb-bytes"), root, mine)
    assert f"{mine}/aclImdb/{message}" in str(caught.value)
    assert list(root.rglob("*")) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"text,label\ngood,1\nbad", "mine/train.csv, row 1 has not as many cells as the header"),
        (b'text,label\ngood,1\n"bad', "mine/train.csv, line 3: unexpected end of data"),
        (b"text,label\ngood,2\n", "mine/train.csv, row 0: label 2 is not one of 2 classes"),
        (b"text,label\ngood,maybe\n", "mine/train.csv, row 0: its class 'maybe' is not one of the data set's 2"),
        (b"text,stars\ngood,1\n", "mine/train.csv, row 0 has no column 'label'"),
        (b"text,label\n", "has no examples of split train"),
        (b"text,label\ngood," + b"9" * 5000, "mine/train.csv, row 0: its class '99999"),
        ("text,label\ngood,\u0661\n".encode(), "mine/train.csv, row 0: its class '\u0661' is not one of"),
        (b"text,label,label\ngood,1,0\n", "mine/train.csv has two columns 'label'; remove one"),
    ],
)
def test_a_damaged_table_of_reviews_is_named(content: bytes, message: str, root: Path, tmp_path: Path) -> None:
    mine = write_files(tmp_path / "mine", {"train.csv": content, "test.csv": b"text,label\ngood,1\n"})
    with pytest.raises(UserError) as caught:
        imported(made("imdb-bytes"), root, mine)
    assert message in str(caught.value)
    assert list(root.rglob("*")) == []


def test_half_a_character_in_json_lines_is_named(root: Path, tmp_path: Path) -> None:
    line = b'{"text": "good \\ud83d", "label": 1}\n'  # of a text that was cut in an emoji
    mine = write_files(tmp_path / "mine", {"train.jsonl": line, "test.jsonl": line})
    with pytest.raises(UserError, match=r"train.jsonl, line 1 is not JSON: 'utf-8' codec can't encode"):
        imported(made("imdb-bytes"), root, mine)
    assert list(root.rglob("*")) == []


def test_reviews_without_labels_alone_are_no_copy(root: Path, tmp_path: Path) -> None:
    unlabelled = {name: own for name, own in imdb.original().items() if "/pos/" not in name}
    with pytest.raises(UserError, match=r"aclImdb, is not complete; it lacks train/pos/\*.txt; the nearest form"):
        imported(made("imdb-bytes"), root, write_files(tmp_path / "mine", unlabelled))


def expressions(arrays: Mapping[str, np.ndarray], split: str) -> list[tuple[str, int]]:
    """Expressions without parentheses, and labels, as the task reads them."""
    texts = [" ".join(VOCABULARY[number] for number in row if number) for row in arrays[f"{split}_symbols"]]
    return list(zip(texts, arrays[f"{split}_labels"].tolist(), strict=True))


def check_listops(root: Path) -> None:
    """Compare what the task reads with what the copy has."""
    arrays = made("listops", data="lra").arrays(root).arrays
    for split, rows in listops.SPLITS.items():
        plain = [(" ".join(text.replace("(", " ").replace(")", " ").split()), label) for text, label in rows]
        assert expressions(arrays, split) == plain


@pytest.mark.parametrize("suffix", PACKED)
def test_listops_is_taken_from_the_release(suffix: str, root: Path, tmp_path: Path) -> None:
    file = tmp_path / f"lra_release{suffix}"
    file.write_bytes(PACKED[suffix](listops.files()))
    first, second = imported(made("listops", data="lra"), root, file)
    assert first == (
        "recognised: the folder listops-1000 of Long Range Arena, in its release lra_release.gz or unpacked "
        f"({file}/lra_release/listops-1000)"
    )
    assert "3 train, 1 validation and 2 test examples (part: 3 of 96,000 train, " in second
    check_listops(root)


@pytest.mark.parametrize("deeper", ["", "lra_release/listops-1000", "a/b/LISTOPS"])
def test_listops_is_taken_from_folders(deeper: str, root: Path, tmp_path: Path) -> None:
    own = {name.rpartition("/")[2]: content for name, content in listops.files().items() if listops.TOP in name}
    write_files(tmp_path / "mine" / deeper, own)
    imported(made("listops", data="lra"), root, tmp_path / "mine")
    check_listops(root)
    assert files_of(root / "listops-1000") == own


def test_listops_can_be_given_file_by_file(root: Path, tmp_path: Path) -> None:
    mine = write_files(tmp_path / "mine", listops.files()) / listops.TOP
    imported(made("listops", data="lra"), root, *(mine / name for name in listops.NAMES.values()))
    check_listops(root)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"Source\tTarget\n( ( [MAX 2 ) 9 ) ]\t9\n( ( [MIN", "line 3 has no tab before a label, so it is cut"),
        (b"( [MAX 2 9 ] )\t9\n", "line 1 is '( [MAX 2 9 ] )\\t9', not 'Source\\tTarget'; get the file again"),
        (b"Source\tTarget\n[MAX 2 9 ]\t12\n", "line 2: its class '12' is not one of the data set's 10"),
        (b"Source\tTarget\n[MAX \xff 9 ]\t9\n", "line 2: its text is '[MAX \ufffd 9 ]', which is damaged"),
        (b"Source\tTarget\n", "has no examples of split test"),
        (b"version https://git-lfs.github.com/spec/v1\n", "basic_test.tsv is a pointer of git-lfs"),
    ],
)
def test_damaged_listops_is_named(content: bytes, message: str, root: Path, tmp_path: Path) -> None:
    mine = write_files(tmp_path / "mine", {**listops.files(), f"{listops.TOP}/basic_test.tsv": content})
    with pytest.raises(UserError) as caught:
        imported(made("listops", data="lra"), root, mine)
    assert message in str(caught.value)
    assert list(root.rglob("*")) == []
