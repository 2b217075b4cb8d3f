"""Parquet files whoever wrote them: what can be read is read, and what cannot is one line with file, column and row."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from nacbench.errors import UserError
from nacbench.registry import TASKS
from tests import miniatures

TRAIN = "uoft-cs/cifar10/plain_text/train-00000-of-00001.parquet"
TEST = "uoft-cs/cifar10/plain_text/test-00000-of-00001.parquet"
Change = Callable[[pd.DataFrame], pd.DataFrame]
IMDB = "stanfordnlp/imdb/plain_text/train-00000-of-00001.parquet"


def arrays(root: Path, name: str = "cifar10") -> dict[str, Any]:
    """What a task reads."""
    task: Any = TASKS.get(name).configured("task", "smoke", {})
    return dict(task.arrays(root).arrays)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A mirror with CIFAR-10 and IMDb in miniature."""
    miniatures.make_cifar10(tmp_path)
    miniatures.make_imdb(tmp_path)
    return tmp_path


def rewrite(file: Path, change: Change) -> None:
    """Write a file again with pandas, which leaves the hub's metadata out."""
    change(pq.read_table(file).replace_schema_metadata().to_pandas()).to_parquet(file, index=False)


def unchanged(table: pd.DataFrame) -> pd.DataFrame:
    """The same cells."""
    return table


def bare(table: pd.DataFrame) -> pd.DataFrame:
    """Images as bytes alone, without their paths."""
    return table.assign(img=[cell["bytes"] for cell in table["img"]])


@pytest.mark.parametrize("change", [unchanged, bare], ids=["as the hub's", "bytes"])
def test_files_written_by_pandas_give_the_same_images(root: Path, change: Change) -> None:
    expected = arrays(root)
    for split in (TRAIN, TEST):
        rewrite(root / split, change)
    found = arrays(root)
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


def test_texts_written_by_pandas_are_the_same(root: Path) -> None:
    expected = arrays(root, "imdb-bytes")
    rewrite(root / IMDB, unchanged)
    np.testing.assert_array_equal(arrays(root, "imdb-bytes")["train_symbols"], expected["train_symbols"])


def set_cell(column: str, row: int, value: object) -> Change:
    """A change of one cell."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        cells = table[column].tolist()
        cells[row] = value
        return table.assign(**{column: cells})

    return change


def lists(table: pd.DataFrame) -> pd.DataFrame:
    """Each label in a list of its own."""
    return table.assign(label=pd.Series([[label] for label in table["label"]]))


def image(size: tuple[int, int]) -> dict[str, object]:
    """A cell with an image of this width and height."""
    return {"bytes": miniatures.encoded(Image.new("RGB", size)), "path": None}


DAMAGED_CELLS: list[tuple[str, Change, str]] = [
    (TRAIN, set_cell("img", 3, None), r"train-.*parquet, row 3: the image is None, not the bytes"),
    (TRAIN, set_cell("img", 4, {"bytes": None, "path": "/etc/hostname"}), r"row 4: the image is .*, not the bytes"),
    (TRAIN, set_cell("img", 5, {"bytes": b"no image", "path": None}), r"image .*train-.*parquet, row 5 cannot be read"),
    (TEST, set_cell("img", 6, image((28, 32))), r"test-.*parquet, row 6: the image has 28×32 pixels, not 32×32"),
    (TRAIN, set_cell("label", 2, None), r"split train, .* label None is not a whole number.*example 2"),
    (TRAIN, set_cell("label", 7, 10), r"split train, .*label 10 is not one of 10 classes.*example 7"),
    (TRAIN, set_cell("label", 7, -1), r"label -1 is not one of 10 classes"),
    (TRAIN, lists, "is not a whole number"),
    (TRAIN, lambda table: table.assign(label="cat"), "label 'cat' is not a whole number"),
    (TRAIN, lambda table: table.rename(columns={"img": "image"}), r"has no column 'img'; it has: image, label"),
    (TRAIN, lambda table: table[:0], r"train-.*parquet has no rows"),
]


@pytest.mark.parametrize(("file", "change", "message"), DAMAGED_CELLS)
def test_a_wrong_cell_is_one_line_that_names_it(root: Path, file: str, change: Change, message: str) -> None:
    rewrite(root / file, change)
    with pytest.raises(UserError, match=message) as caught:
        arrays(root)
    assert "\n" not in str(caught.value)


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 119705255\n"
DAMAGED_FILES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "a pointer of git-lfs": (lambda content: POINTER, r"is a pointer of git-lfs, not the data.*git lfs pull"),
    "cut short": (lambda content: content[: len(content) // 2], "cannot be read as Parquet: .*delete it and fetch"),
    "a page": (lambda content: b"<html>404</html>" * 9, "is a web page, not the data"),
    "empty": (lambda content: b"", "cannot be read"),
    "zeros in its data": (
        lambda content: content[:100] + bytes(len(content) // 2 - 100) + content[len(content) // 2 :],
        "cannot be read|row",
    ),
}


@pytest.mark.parametrize("kind", DAMAGED_FILES)
@pytest.mark.parametrize(
    ("name", "make", "place"),
    [
        ("cifar10", miniatures.make_cifar10, TEST),
        ("imdb-bytes", miniatures.make_imdb, IMDB),
        ("nlvr", miniatures.make_nlvr, "nlvr/test.parquet"),
        ("omniglot", miniatures.make_omniglot, "omniglot/images_background_small.parquet"),
    ],
)
def test_a_damaged_file_is_one_line_that_names_it(
    kind: str, name: str, make: Callable[[Path], None], place: str, tmp_path: Path
) -> None:
    make(tmp_path)
    change, message = DAMAGED_FILES[kind]
    (tmp_path / place).write_bytes(change((tmp_path / place).read_bytes()))
    with pytest.raises(UserError, match=message) as caught:
        arrays(tmp_path, name)
    assert str(tmp_path / place) in str(caught.value)
    assert "\n" not in str(caught.value)


def with_metadata(content: str) -> Callable[[Path], None]:
    """Put other metadata where the hub has its own."""

    def change(file: Path) -> None:
        pq.write_table(pq.read_table(file).replace_schema_metadata({"huggingface": content}), file)

    return change


def features(label: object) -> str:
    """The hub's metadata with this for the label."""
    return json.dumps({"info": {"features": {"img": {"_type": "Image"}, "label": label}}})


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "is not a valid HubMetadata"),
        (json.dumps({"info": []}), "is not a valid HubMetadata"),
        (json.dumps({"info": {"features": "label"}}), "is not a valid HubMetadata"),
        (features({"names": "cat"}), "column 'label', is not a valid Column"),
        (features({"names": list(range(10))}), "column 'label', is not a valid Column"),
        (features({"names": ["cat"] * 10}), "has a class twice"),
        (features({"names": ["cat", "dog"], "_type": "ClassLabel"}), "label .* is not one of 2 classes"),
    ],
)
def test_wrong_metadata_is_one_line(root: Path, metadata: str, message: str) -> None:
    with_metadata(metadata)(root / TEST)
    with pytest.raises(UserError, match=message) as caught:
        arrays(root)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "metadata", ["{}", json.dumps({"info": {}}), features([{"_type": "Value", "dtype": "int64"}]), features({})]
)
def test_metadata_without_class_names_is_fine(root: Path, metadata: str) -> None:
    for file in (TRAIN, TEST):
        with_metadata(metadata)(root / file)
    assert len(arrays(root)["test_labels"]) == 80


def test_two_columns_of_one_name_are_refused(root: Path) -> None:
    table = pq.read_table(root / TEST)
    doubled = pa.table([*table.columns, table["label"]], names=["img", "label", "label"])
    pq.write_table(doubled, root / TEST)
    with pytest.raises(UserError, match="has two columns 'label'"):
        arrays(root)
