"""Labels of data sets go by the names of their classes, whatever order a copy has."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from nacbench.errors import UserError

from .. import miniatures
from .loaded import PARQUET, arrays


@pytest.mark.parametrize(
    ("name", "make", "column"),
    [
        ("cifar10", miniatures.make_cifar10, "label"),
        ("tiny-imagenet", miniatures.make_tiny_imagenet, "label"),
        ("imdb-bytes", miniatures.make_imdb, "label"),
    ],
)
def test_labels_go_by_class_name(name: str, make: Callable[[Path], None], column: str, tmp_path: Path) -> None:
    """A copy that lists the classes the other way round has the same labels for the same examples."""
    make(tmp_path)
    before = arrays(name, tmp_path)
    for file in sorted(tmp_path.rglob("*.parquet")):
        table = pq.read_table(file)
        info = json.loads(table.schema.metadata[b"huggingface"])
        names = info["info"]["features"][column]["names"]
        names.reverse()
        turned = [len(names) - 1 - label for label in table.column(column).to_pylist()]
        table = table.set_column(table.column_names.index(column), column, [turned])
        pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(info)}), file)
    after = arrays(name, tmp_path)
    assert after.keys() == before.keys()
    for key, array in before.items():
        np.testing.assert_array_equal(after[key], array)


def named_classes(root: Path, split: str, names: list[str]) -> None:
    """Tiny-ImageNet's split with one image a class, under these names."""
    file = root / f"zh-plus/tiny-imagenet/data/{split}-{PARQUET}"
    miniatures.labelled_images(file, names, 20, 64, ("image", "label"))


def test_labels_are_mapped_to_the_training_split_s_class_order(tmp_path: Path) -> None:
    named_classes(tmp_path, "train", ["n1", "n2", "n3"])
    named_classes(tmp_path, "valid", ["n3", "n1"])
    found = arrays("tiny-imagenet", tmp_path)
    assert found["class_names"].tolist() == [b"n1", b"n2", b"n3"]
    assert found["test_labels"].tolist() == [2] * 20 + [0] * 20


def test_class_of_the_test_split_only_is_named(tmp_path: Path) -> None:
    named_classes(tmp_path, "train", ["n1", "n2"])
    named_classes(tmp_path, "valid", ["n1", "n7"])
    with pytest.raises(UserError, match=r"split test, .*its class 'n7' is not among the training split's"):
        arrays("tiny-imagenet", tmp_path)
