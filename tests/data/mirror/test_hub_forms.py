"""Data sets of the hub in all the forms in which libraries and people keep them: same arrays, same fingerprint."""

import shutil
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from nacbench.errors import UserError
from tests.data.copies import cifar
from tests.data.copies.colours import class_of, write_files
from tests.data.copies.hub import FORMS, Files, by_pandas, renamed, saved
from tests.data.mirror.test_door import arrays_of, fingerprint_of, imported

pytestmark = pytest.mark.usefixtures("cache")

MADE = cifar.examples("cifar10", batches=1)
HUB = cifar.hub(MADE, "plain_text", "label")
TRAIN, TEST = HUB


@pytest.fixture(autouse=True)
def quiet() -> None:
    """No progress bars of the library."""
    datasets.disable_progress_bars()


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The fingerprint of the hub's own files."""
    root = tmp_path_factory.mktemp("mirror")
    write_files(root / "uoft-cs/cifar10", HUB)
    return fingerprint_of("cifar10", root)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_arrays(form: str, expected: str, root: Path, tmp_path: Path) -> None:
    imported("cifar10", root, FORMS[form](HUB, tmp_path))
    arrays = arrays_of("cifar10", root)
    assert [class_of(image) for image in arrays["test_images"]] == arrays["test_labels"].tolist() == MADE.labels[1]
    assert fingerprint_of("cifar10", root) == expected


def test_the_hub_s_cache_is_not_linked_to_by_its_digests(root: Path, tmp_path: Path) -> None:
    imported("cifar10", root, FORMS["the hub's cache"](HUB, tmp_path))
    assert sorted(p.name for p in (root / "uoft-cs/cifar10/plain_text").iterdir()) == [
        "test-00000-of-00001.parquet",
        "train-00000-of-00001.parquet",
    ]


def test_of_several_revisions_in_the_cache_the_suite_s_own_is_taken(expected: str, root: Path, tmp_path: Path) -> None:
    top = FORMS["the hub's cache"](HUB, tmp_path)
    other = cifar.hub(cifar.examples("cifar10", batches=1, each=8), "plain_text", "label")
    write_files(top / "snapshots" / ("0" * 40), other)
    imported("cifar10", root, tmp_path)
    assert fingerprint_of("cifar10", root) == expected


@pytest.mark.parametrize("form", ["the mirror", "the hub's cache", "the library's cache"])
def test_of_many_data_sets_in_one_folder_the_right_one_is_taken(
    form: str, expected: str, root: Path, tmp_path: Path
) -> None:
    other = cifar.hub(cifar.examples("cifar10", batches=1, each=8), "plain_text", "label")
    if form == "the mirror":
        write_files(tmp_path / "mine/uoft-cs/cifar10", HUB)
        write_files(tmp_path / "mine/another/set", other)
    elif form == "the hub's cache":
        FORMS[form](HUB, tmp_path / "mine")
        write_files(tmp_path / "mine/datasets--another--set/snapshots" / ("0" * 40), other)
    else:
        FORMS[form](HUB, tmp_path / "one")
        FORMS[form](other, tmp_path / "two")
        for source, name in (("one", "uoft-cs___cifar10"), ("two", "another___set")):
            shutil.copytree(tmp_path / source / "cache", tmp_path / "mine" / name)
    imported("cifar10", root, tmp_path / "mine")
    assert fingerprint_of("cifar10", root) == expected


def test_two_generations_of_a_file_are_refused(root: Path, tmp_path: Path) -> None:
    mine = renamed(HUB, tmp_path)
    (first,) = mine.glob("test-*")
    content = first.read_bytes()
    first.with_name("test-00000-of-00001-ffffffffffffffff.parquet").write_bytes(content)
    with pytest.raises(UserError, match=r"0a1b2c3d4e5f6071.parquet and .*ffff.parquet are two generations of one file"):
        imported("cifar10", root, mine)
    place = write_files(root / "uoft-cs/cifar10", HUB) / "plain_text"
    (place / "test-00000-of-00001-0a.parquet").write_bytes(content)
    with pytest.raises(UserError, match="two generations of one file; remove one"):
        arrays_of("cifar10", root)


def test_a_missing_shard_is_named(root: Path, tmp_path: Path) -> None:
    mine = saved(HUB, tmp_path)
    (mine / "train/data-00001-of-00002.arrow").unlink()
    with pytest.raises(UserError, match=r"it lacks train/data-00001-of-00002; the nearest form .*save_to_disk"):
        imported("cifar10", root, mine)


def test_a_cut_arrow_file_is_named(root: Path, tmp_path: Path) -> None:
    file = saved(HUB, tmp_path) / "train/data-00001-of-00002.arrow"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(UserError, match=f"{file} cannot be read as Arrow"):
        imported("cifar10", root, file.parents[1])


DAMAGES = {
    "a pointer of git-lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 99\n",
    "a web page": b"<!DOCTYPE html><html>Sign in</html>",
    "cannot be read as Parquet": HUB[TRAIN][: len(HUB[TRAIN]) // 2],
}


@pytest.mark.parametrize("told", DAMAGES)
def test_damage_is_found_at_the_door(told: str, root: Path, tmp_path: Path) -> None:
    mine = write_files(tmp_path / "mine", {**HUB, TRAIN: DAMAGES[told]})
    with pytest.raises(UserError) as caught:
        imported("cifar10", root, mine)
    assert str(mine / TRAIN) in str(caught.value)
    assert told in str(caught.value)
    assert list(root.rglob("*")) == []


def test_a_picture_that_is_damaged_in_its_middle_is_found_at_the_door(root: Path, tmp_path: Path) -> None:
    cell = pq.read_table(pa.BufferReader(HUB[TRAIN]))["img"].to_pylist()[1]
    middle = len(cell["bytes"]) // 2
    turned = bytes(byte ^ 0x55 for byte in cell["bytes"][middle : middle + 20])
    content = cell["bytes"][:middle] + turned + cell["bytes"][middle + 20 :]
    mine = write_files(tmp_path / "mine", changed(HUB, TRAIN, "img", 1, {**cell, "bytes": content}))
    with pytest.raises(UserError, match=r"row 1 .*cannot be read as an image: broken PNG file"):
        imported("cifar10", root, mine)


def changed(files: Files, name: str, column: str, row: int, value: object) -> Files:
    """The files with another value in one row."""
    table = pq.read_table(pa.BufferReader(files[name]))
    values = table[column].to_pylist()
    values[row] = value
    number = table.column_names.index(column)
    stream = pa.BufferOutputStream()
    field = table.schema.field(column)
    pq.write_table(table.set_column(number, field, pa.array(values, field.type)), stream)
    return {**files, name: stream.getvalue().to_pybytes()}


WHOLE = cifar.png(np.zeros((32, 32, 3), np.uint8))
CASES = [
    ("img", {"bytes": WHOLE[:-20], "path": "x.png"}, "cannot be read as an image"),
    ("img", {"bytes": b"", "path": "x.png"}, "is empty"),
    ("img", {"bytes": None, "path": "x.png"}, "has no bytes of its own"),
    ("label", 10, "label 10 is not one of 10 classes"),
    ("label", -1, "label -1 is not one of 10 classes"),
    ("label", None, "its class is None, neither a number nor a name"),
]


@pytest.mark.parametrize(("column", "value", "told"), CASES)
def test_a_wrong_row_is_named(column: str, value: object, told: str, root: Path, tmp_path: Path) -> None:
    mine = write_files(tmp_path / "mine", changed(HUB, TRAIN, column, 5, value))
    with pytest.raises(UserError, match=f"{mine / TRAIN}, row 5.*{told}"):
        imported("cifar10", root, mine)


def test_more_than_the_data_set_has_is_refused(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nacbench.data.mirror.door.distribution import data_set

    monkeypatch.setitem(data_set("cifar10").table.full, "test", 5)
    with pytest.raises(UserError, match=r"row 5: this is example 6 of split test, and the data set has 5"):
        imported("cifar10", root, write_files(tmp_path / "mine", HUB))


def test_a_column_that_is_not_there_is_named_with_those_that_are(root: Path, tmp_path: Path) -> None:
    mine = by_pandas(HUB, tmp_path)
    file = mine / "cifar10_test.parquet"
    pq.write_table(pq.read_table(file).rename_columns(["pixels", "label"]), file)
    with pytest.raises(UserError, match=r"cifar10_test.parquet has no column 'img'.*it has: pixels, label"):
        imported("cifar10", root, mine)


def as_numbers(form: Callable[[np.ndarray], object], folder: Path) -> Path:
    """The files with each image as lists of numbers, and classes as text."""
    for name, content in HUB.items():
        table = pq.read_table(pa.BufferReader(content))
        images = [np.asarray(Image.open(BytesIO(cell["bytes"]))) for cell in table["img"].to_pylist()]
        labels = [MADE.names[number] for number in table["label"].to_pylist()]
        pq.write_table(pa.table({"img": [form(image) for image in images], "label": labels}), folder / split_file(name))
    return folder


def split_file(name: str) -> str:
    """A plain name for the file of a split."""
    return f"{name.rpartition('/')[2].partition('-')[0]}.parquet"


NUMBERS: Mapping[str, Callable[[np.ndarray], object]] = {
    "channels last": lambda image: image.tolist(),
    "channels first": lambda image: image.transpose(2, 0, 1).tolist(),
    "of floats": lambda image: image.astype(float).tolist(),
}


@pytest.mark.parametrize("form", NUMBERS)
def test_pixels_as_lists_of_numbers_have_the_right_labels(form: str, root: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    imported("cifar10", root, as_numbers(NUMBERS[form], mine))
    arrays = arrays_of("cifar10", root)
    assert [class_of(image) for image in arrays["test_images"]] == arrays["test_labels"].tolist()


NO_PIXELS: Mapping[str, Callable[[np.ndarray], object]] = {
    "has float64 of 0": lambda image: (image / 255).tolist(),
    "has float64 of 0 to 1,": lambda image: (image > 20).astype(float).tolist(),
    "has float64 of -": lambda image: (image / 127.5 - 1).tolist(),
    "has float64 of nan": lambda image: np.full(image.shape, np.nan).tolist(),
    "has int64 of": lambda image: (image.astype(int) + 240).tolist(),
    "is bool of shape 32×32×3": lambda image: (image > 20).tolist(),
    "is <U": lambda image: image.astype(str).tolist(),
    "is int64 of shape 3072": lambda image: image.reshape(-1).tolist(),
    "is float64 of shape 0": lambda image: [],
    "has the shape 32×32×2": lambda image: image[..., :2].tolist(),
    "is lists of different lengths": lambda image: [[1, 2], [3]],
}


@pytest.mark.parametrize("told", NO_PIXELS)
def test_numbers_that_are_no_pixels_are_refused(told: str, root: Path, tmp_path: Path) -> None:
    """Of 0 to 1, they would be black pictures with the right labels."""
    mine = tmp_path / "mine"
    mine.mkdir()
    with pytest.raises(UserError, match=f"train.parquet, row 0: its image {told}.*whole numbers of 0 to 255") as caught:
        imported("cifar10", root, as_numbers(NO_PIXELS[told], mine))
    assert str(caught.value).count("\n") == 0
    assert list(root.rglob("*")) == []
