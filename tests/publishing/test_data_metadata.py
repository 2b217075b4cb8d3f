"""Croissant metadata and cards of every task's data, read by the library of the format's makers."""

import json
from pathlib import Path
from typing import Any

import mlcroissant
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from nacbench.cli import app
from nacbench.contracts.task import EvaluationTask
from nacbench.data.array_task import ArrayTask
from nacbench.data.images.task import HubImageTask
from nacbench.errors import UserError
from nacbench.publishing.croissant import INTEGER, TEXT, inline
from nacbench.publishing.data_card import data_card
from nacbench.publishing.data_facts import facts_of
from nacbench.registry import TASKS

TASK_NAMES = list(TASKS.entries())
TRAINING = [name for name in TASK_NAMES if not issubclass(TASKS.get(name), EvaluationTask)]


def data(*words: object) -> Result:
    return CliRunner().invoke(app, ["data", *map(str, words)])


def described(tmp_path: Path, name: str, mirror: Path, *more: object) -> mlcroissant.Dataset:
    """The metadata of a task, as the format's own library reads it; it raises for what is not valid."""
    file = tmp_path / "croissant.json"
    done = data("croissant", name, "--to", file, "--data-root", mirror, "--scale", "smoke", *more)
    assert done.exception is None, done.exception
    files = json.loads(file.read_text())["distribution"]
    places = {own["@id"]: str(mirror / own["@id"]) for own in files if own.get("encodingFormat") == "git+https"}
    return mlcroissant.Dataset(str(file), mapping={key: place for key, place in places.items() if Path(place).exists()})


@pytest.mark.parametrize("name", TASK_NAMES)
def test_metadata_without_the_data_is_valid(name: str, tmp_path: Path) -> None:
    """Tasks that generate their data, or have it in a library, are described with it."""
    found = described(tmp_path, name, tmp_path)
    cls = TASKS.get(name)
    assert not found.metadata.issues.errors
    assert all("recommended" in warning for warning in found.metadata.issues.warnings)
    assert (found.metadata.name, found.metadata.cite_as) == (name, cls.citation)
    assert found.metadata.license == [cls.licence]
    sizes = {row["splits/name"]: row["splits/examples"] for row in rows(found, "splits")}
    assert sizes == dict(facts_of(name, "smoke", {}, tmp_path).sizes)


def rows(found: mlcroissant.Dataset, name: str) -> list[dict[str, Any]]:
    """The records of a set with plain text and numbers; none if there is no such set."""
    if name not in {own.id for own in found.metadata.record_sets}:
        return []
    return [{key: plain(value) for key, value in row.items()} for row in found.records(name)]


def plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


@pytest.mark.parametrize("name", [name for name in TRAINING if name != "imagenet"])
def test_examples_are_read_back_as_the_task_has_them(name: str, made_mirror: Path, tmp_path: Path) -> None:
    task = TASKS.get(name).configured("task", "smoke", {})
    assert isinstance(task, ArrayTask)
    splits = task.splits(task.arrays(made_mirror).arrays)
    found = described(tmp_path, name, made_mirror, "--examples", 2)
    records = rows(found, "examples")
    assert [row["examples/split"] for row in records] == [split for split in splits for _ in range(2)]
    for split, own in splits.items():
        inputs, labels = own.take(np.arange(2))
        of_split = [row for row in records if row["examples/split"] == split]
        assert np.array_equal([row["examples/label"] for row in of_split], labels)
        for key, values in inputs.items():
            read = np.array([row[f"examples/{key}"] for row in of_split], dtype=values.numpy().dtype)
            assert np.array_equal(read.reshape(values.shape), values), (split, key)


@pytest.mark.parametrize("name", [name for name in TRAINING if issubclass(TASKS.get(name), HubImageTask)])
def test_images_of_the_hub_are_read_by_the_description(name: str, made_mirror: Path, tmp_path: Path) -> None:
    """The images and labels that the library finds in the published files are those of the task."""
    task = TASKS.get(name).configured("task", "smoke", {"train_examples": 0})
    assert isinstance(task, HubImageTask)
    found = described(tmp_path, name, made_mirror)
    record = next(iter(found.records("published-train")))
    inputs, _ = task.splits(task.arrays(made_mirror).arrays)["train"].take(np.arange(1))
    pixels = np.asarray(record["published-train/image"].convert("RGB")).transpose(2, 0, 1)
    assert np.array_equal(pixels, inputs["images"][0])
    classes = rows(found, "classes")
    assert [row["classes/index"] for row in classes] == list(range(len(classes)))


def test_labels_of_published_files_are_not_called_indices_of_the_classes(made_mirror: Path, tmp_path: Path) -> None:
    """The hub has Tiny-ImageNet's classes in the order of their names, and its makers have another."""
    described(tmp_path, "tiny-imagenet", made_mirror)
    told = json.loads((tmp_path / "croissant.json").read_text())
    about = {one["@id"]: one["description"] for one in told["recordSet"]}
    assert about["classes"] == "Classes; a label of decoded examples is the index of one"
    (label,) = (field for one in told["recordSet"] for field in one["field"] if field["@id"] == "published-train/label")
    assert "as the published files number it" in label["description"]


def test_examples_with_shapes_of_their_own_are_refused(made_mirror: Path, tmp_path: Path) -> None:
    words = ("imagenet", "--examples", 2, "--scale", "smoke", "--data-root", made_mirror, "--to", tmp_path / "c.json")
    assert "have shapes of their own" in str(data("croissant", *words).exception)


@pytest.mark.parametrize(
    ("value", "kind"),
    [("no", INTEGER), (1.5, INTEGER), (True, INTEGER), (7, TEXT), (None, TEXT), (np.int64(3), INTEGER)],
)
def test_a_value_that_the_format_would_convert_in_silence_is_refused(value: Any, kind: str) -> None:
    with pytest.raises(UserError, match=r"record 0 of some: key = .* is not of type"):
        inline("some", {"key": kind}, [{"key": value}], "")


def test_records_need_their_fields_and_a_key_of_their_own() -> None:
    with pytest.raises(UserError, match="has the fields other, not key"):
        inline("some", {"key": TEXT}, [{"other": "a"}], "")
    with pytest.raises(UserError, match="key has a value twice"):
        inline("some", {"key": TEXT}, [{"key": "a"}, {"key": "a"}], "")


@pytest.mark.parametrize("text", ["no", "NA", "None", "007", "12:30"])
def test_odd_names_come_back_as_they_were_written(text: str, tmp_path: Path) -> None:
    content = json.loads(data("croissant", "digits", "--scale", "smoke").stdout)
    content["recordSet"] = [inline("classes", {"index": INTEGER, "name": TEXT}, [{"index": 0, "name": text}], "")]
    (tmp_path / "c.json").write_text(json.dumps(content))
    assert rows(mlcroissant.Dataset(str(tmp_path / "c.json")), "classes") == [
        {"classes/index": 0, "classes/name": text}
    ]


@pytest.mark.parametrize("name", TASK_NAMES)
def test_a_card_has_every_fact_of_the_task(name: str, tmp_path: Path) -> None:
    facts = facts_of(name, "smoke", {}, tmp_path)
    text = data_card(facts)
    cls = TASKS.get(name)
    for fact in (cls.title, cls.licence, cls.citation):
        assert fact.replace("[", "\\[") in text or fact in text.replace("\\", "")
    for part in ("## Splits", "## Preparation", "## Fingerprint", "## Known problems"):
        assert part in text
    assert all(f"| {split} | {count:,} |" in text for split, count in facts.sizes.items())


def test_a_card_of_data_that_is_here_tells_what_was_found(made_mirror: Path) -> None:
    done = data("card", "cifar10", "--scale", "smoke", "--data-root", made_mirror)
    facts = facts_of("cifar10", "smoke", {}, made_mirror)
    assert f"`{facts.fingerprint}`" in done.stdout
    assert "of 50,000 train examples" in done.stdout  # a miniature is not the whole data set
    assert ", ".join(facts.class_names) in done.stdout


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["croissant", "no-such"], "unknown task 'no-such'"),
        (["card", "digits", "--scale", "huge"], "unknown scale 'huge'"),
        (["card", "digits", "--set", "training.lr=1"], "only options of the task"),
        (["croissant", "digits", "--examples", "2"], "name that with --to FILE"),
        (["croissant", "digits-c", "--examples", "2", "--to", "{tmp}/c.json"], "has no examples of its own"),
        (["croissant", "cifar10", "--examples", "2", "--to", "{tmp}/c.json"], "is not in "),
    ],
)
def test_what_cannot_be_described_is_one_line(words: list[str], reason: str, tmp_path: Path) -> None:
    words = [word.format(tmp=tmp_path) for word in words]
    error = data(*words, "--data-root", tmp_path).exception
    assert isinstance(error, UserError)
    assert reason in str(error)
    assert list(tmp_path.iterdir()) == []
