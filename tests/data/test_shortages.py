"""Less or more than the whole data set is said."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from nacbench.data.array_task import ArrayTask
from nacbench.registry import TASKS

from .. import miniatures
from .loaded import PARQUET, arrays, live, task


@pytest.mark.parametrize(
    ("name", "partial"),
    [
        ("cifar10", ["120 of 50,000 train examples", "80 of 10,000 test examples"]),
        ("cifar100", ["200 of 50,000 train examples", "100 of 10,000 test examples"]),
        ("tiny-imagenet", ["4 of 200 classes"]),
        ("imdb-bytes", ["40 of 25,000 train reviews", "20 of 25,000 test reviews"]),
        ("modelnet40", ["3 of 40 classes"]),
    ],
)
def test_shortages_of_a_partial_copy(made_mirror: Path, name: str, partial: list[str]) -> None:
    assert list(live(name, made_mirror).partial) == partial


def test_class_without_examples_does_not_count(tmp_path: Path) -> None:
    miniatures.make_tiny_imagenet(tmp_path)
    place = tmp_path / "zh-plus/tiny-imagenet/data"
    for file in place.glob("*.parquet"):
        label = {"names": [f"n{number:08d}" for number in range(200)], "_type": "ClassLabel"}
        info = json.dumps({"info": {"features": {"image": {"_type": "Image"}, "label": label}}})
        pq.write_table(pq.read_table(file).replace_schema_metadata({"huggingface": info}), file)
    assert live("tiny-imagenet", tmp_path).partial == ["4 of 200 classes"]


def test_more_classes_than_the_data_set_has_are_said(tmp_path: Path) -> None:
    names = [f"n{number:08d}" for number in range(202)]
    for split in ("train", "valid"):
        file = tmp_path / f"zh-plus/tiny-imagenet/data/{split}-{PARQUET}"
        miniatures.labelled_images(file, names, 1, 64, ("image", "label"))
    assert live("tiny-imagenet", tmp_path).partial == ["202 classes instead of 200"]


def test_more_examples_than_the_data_set_has_are_said(made_mirror: Path) -> None:
    omniglot = task("omniglot")
    assert isinstance(omniglot, ArrayTask)
    found = arrays("omniglot", made_mirror)
    found["train_labels"] = np.arange(157 * 20) % 157
    found["test_labels"] = np.zeros(100, dtype=np.int16)
    said = omniglot.shortages(found)
    assert said[0] == "3,140 train drawings instead of 2,512"
    assert "100 of 314 test drawings" in said
    found["train_labels"] = np.arange(964)  # of the large background set
    assert omniglot.shortages(found) == ["964 classes instead of 157"]


def test_few_of_long_range_arena_s_expressions_are_said(made_mirror: Path) -> None:
    lra = TASKS.get("listops").configured("task", "smoke", {"data": "lra"})
    assert isinstance(lra, ArrayTask)
    assert lra.shortages(dict(lra.arrays(made_mirror).arrays))[0].endswith("of 96,000 train examples")
