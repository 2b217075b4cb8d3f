"""A run that uses few examples makes or decodes these alone, and they are the ones that it used before."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from nacbench.data.array_task import ArrayTask
from nacbench.data.images import decoder
from nacbench.registry import TASKS
from nacbench.tasks import nlvr_synthetic, parametric_shapes

from .. import miniatures


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of this test's own."""
    monkeypatch.setenv("NACBENCH_CACHE", str(tmp_path / "cache"))


def task(name: str, **options: int) -> ArrayTask:
    """A task with these options."""
    found = TASKS.get(name).configured("task", "paper", options)
    assert isinstance(found, ArrayTask)
    return found


def examples(task: ArrayTask, root: Path) -> dict[str, dict[str, np.ndarray]]:
    """All inputs and labels in use, by split."""
    return {
        name: {
            **{key: np.asarray(array[split.indices]) for key, array in split.inputs.items()},
            "labels": split.labels[split.indices],
        }
        for name, split in task.splits(task.arrays(root).arrays).items()
    }


def assert_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    """The same splits with the same examples."""
    assert one.keys() == other.keys()
    for split, arrays in one.items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, other[split][name])


LIMITS = {"train_examples": 7, "test_examples": 5}


@pytest.mark.parametrize("name", ["cifar10", "tiny-imagenet", "modelnet10", "parametric-shapes", "nlvr", "nlvr2"])
def test_the_examples_are_those_of_the_whole_data(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parametric_shapes, "COUNTS", {"train": 40, "validation": 20, "test": 20})
    for make in (
        miniatures.make_cifar10,
        miniatures.make_tiny_imagenet,
        miniatures.make_modelnet,
        miniatures.make_nlvr,
        miniatures.make_nlvr2,
    ):
        make(tmp_path)
    few = task(name, **LIMITS)
    part = examples(few, tmp_path)
    assert {split: len(few.arrays(tmp_path).arrays[f"{split}_labels"]) for split in ("train", "test")} == {
        "train": 7,
        "test": 5,
    }
    monkeypatch.setattr(type(few), "in_use", lambda task, split, size: np.arange(size))  # all are read, as before
    monkeypatch.setattr(type(few), "use_stamp", lambda task: "")
    assert_equal(examples(few, tmp_path), part)


def test_scenes_are_those_of_the_whole_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nlvr_synthetic, "COUNTS", {"train": 96, "validation": 48, "test": 48})
    few, whole = task("nlvr-synthetic", **LIMITS), task("nlvr-synthetic")
    part, all_of_it = few.arrays(tmp_path).arrays, whole.arrays(tmp_path).arrays
    used = few.in_use("train", 96)
    assert len(part["train_images"]) == 7
    for name in ("images", "labels", "topics"):
        np.testing.assert_array_equal(part[f"train_{name}"], all_of_it[f"train_{name}"][used])
        np.testing.assert_array_equal(part[f"validation_{name}"], all_of_it[f"validation_{name}"])


def test_where_examples_are_held_out_all_are_read(tmp_path: Path) -> None:
    miniatures.make_cifar10(tmp_path)
    held_out = task("cifar10", validation_examples=20, **LIMITS)
    arrays = held_out.arrays(tmp_path).arrays
    assert len(arrays["train_images"]) == 120
    assert {split: len(own["labels"]) for split, own in examples(held_out, tmp_path).items()} == {
        "train": 7,
        "validation": 20,
        "test": 5,
    }


def test_only_those_in_use_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    miniatures.make_cifar10(tmp_path)
    decoded: list[str] = []
    decode = decoder._decoded

    def noted(content: bytes, where: str, channels: int, *, draft: bool) -> Any:
        decoded.append(where)
        return decode(content, where, channels, draft=draft)

    monkeypatch.setattr(decoder, "_decoded", noted)
    task("cifar10", **LIMITS).arrays(tmp_path)
    assert len(decoded) == 12


def test_what_the_whole_copy_lacks_is_said_of_the_whole_copy(tmp_path: Path) -> None:
    miniatures.make_cifar10(tmp_path)
    few = task("cifar10", **LIMITS)
    said = ["120 of 50,000 train examples", "80 of 10,000 test examples"]
    assert few.shortages(dict(few.arrays(tmp_path).arrays)) == said


def test_a_wrong_label_is_found_whether_its_example_is_used_or_not(tmp_path: Path) -> None:
    miniatures.make_cifar10(tmp_path)
    file = tmp_path / "uoft-cs/cifar10/plain_text/train-00000-of-00001.parquet"
    table = pq.read_table(file)
    labels = table.column("label").to_pylist()
    labels[1] = 10
    info = json.loads(table.schema.metadata[b"huggingface"])
    changed = table.set_column(table.column_names.index("label"), "label", [labels])
    pq.write_table(changed.replace_schema_metadata({"huggingface": json.dumps(info)}), file)
    few = task("cifar10", **LIMITS)
    assert 1 not in few.in_use("train", 120)
    with pytest.raises(ValueError, match="label 10 is not one of 10 classes"):
        few.arrays(tmp_path)


@pytest.mark.parametrize("name", ["listops", "listops-short"])
def test_listops_at_scale_smoke_generates_what_it_uses(name: str) -> None:
    smoke, mini = (TASKS.get(name).configured("task", scale, {}) for scale in ("smoke", "mini"))
    assert smoke._generated()["train"] == smoke.options()["train_examples"]  # type: ignore[attr-defined]
    assert mini._generated()["train"] == 96_000  # type: ignore[attr-defined]
