"""Tasks on Long Range Arena's own files: what is read, how it is split, and what a broken file is told."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nacbench.contracts.recipe import Recipe
from nacbench.data.array_task import ArrayTask
from nacbench.data.mirror.data_files import MirrorFiles
from nacbench.data.sequences.pixels import grey
from nacbench.errors import UserError
from nacbench.registry import TASKS
from nacbench.sweep.read_sweep import read_sweep
from tests import miniatures
from tests.data.copies.colours import write_files
from tests.data.copies.long_range_arena import release
from tests.data.mirror.archives import tarred

pytestmark = pytest.mark.usefixtures("cache")
RECIPE = Recipe(epochs=1, batch_size=4, lr=1e-3)
HARD = "pathfinder32/curv_contour_length_14"


def made(name: str, size: str = "paper", **options: Any) -> ArrayTask:
    task = TASKS.get(name).configured("task", size, options)
    assert isinstance(task, ArrayTask)
    return task


def imported(task: ArrayTask, root: Path, mine: Path) -> list[str]:
    """What an import says that must succeed."""
    lines: list[str] = []
    (files,) = task.data_files()
    assert isinstance(files, MirrorFiles)
    files.bring(root, mine, say=lines.append)
    return lines


# -- pathfinder --------------------------------------------------------------------------------------------------------


def test_pathfinder_has_the_label_of_every_image(tmp_path: Path) -> None:
    miniatures.make_pathfinder(tmp_path)
    expected = {}
    for file in (tmp_path / HARD / "metadata").glob("*.npy"):
        for line in file.read_text().splitlines():
            folder, name, _, label = line.split()[:4]
            expected[np.asarray(Image.open(tmp_path / HARD / folder / name)).tobytes()] = int(label)
    arrays = made("lra-pathfinder").arrays(tmp_path).arrays
    counts = {split: len(arrays[f"{split}_labels"]) for split in ("train", "validation", "test")}
    assert counts == {"train": 48, "validation": 6, "test": 6}
    found = [
        (image.tobytes(), label)
        for split in counts
        for image, label in zip(arrays[f"{split}_symbols"], arrays[f"{split}_labels"].tolist(), strict=True)
    ]
    assert [expected[image] for image, _ in found] == [label for _, label in found]
    assert {image for image, _ in found} == set(expected)


def test_pathfinder_leaves_out_empty_files_as_its_makers_do(tmp_path: Path) -> None:
    miniatures.make_pathfinder(tmp_path)
    (tmp_path / HARD / "imgs/1/sample_65.png").write_bytes(b"")
    arrays = made("lra-pathfinder").arrays(tmp_path).arrays
    assert sum(len(arrays[f"{split}_labels"]) for split in ("train", "validation", "test")) == 59


def test_few_examples_are_those_of_the_whole_split(tmp_path: Path) -> None:
    miniatures.make_pathfinder(tmp_path)
    whole, few = (
        made("lra-pathfinder", train_examples=limit).arrays(tmp_path).arrays["train_symbols"] for limit in (0, 7)
    )
    assert len(few) == 7
    assert {row.tobytes() for row in few} <= {row.tobytes() for row in whole}


def test_an_image_that_is_listed_again_is_in_one_split_alone(tmp_path: Path) -> None:
    miniatures.make_pathfinder(tmp_path)
    for file in (tmp_path / HARD / "metadata").glob("*.npy"):
        file.write_text(2 * file.read_text())
    arrays = made("lra-pathfinder").arrays(tmp_path).arrays
    assert sum(len(arrays[f"{split}_labels"]) for split in ("train", "validation", "test")) == 60


def test_an_image_with_two_labels_is_refused(tmp_path: Path) -> None:
    miniatures.make_pathfinder(tmp_path)
    file = tmp_path / HARD / "metadata/1.npy"
    folder, name, number, label, *_ = file.read_text().split()
    file.write_text(f"{file.read_text().rstrip()}\n{folder} {name} {number} {1 - int(label)} 6\n")
    with pytest.raises(UserError, match=rf"metadata/1.npy, line \d+: {name} has the label {1 - int(label)} here"):
        made("lra-pathfinder").arrays(tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("imgs/0 sample_0.png 0 2 1.8", "is not 'imgs/<n> sample_<n>.png <n> <0 or 1> …'"),
        ("../.. sample_0.png 0 1 1.8", "is not 'imgs/<n> sample_<n>.png <n> <0 or 1> …'"),
        ("imgs/9 sample_0.png 0 1", "imgs/9/sample_0.png cannot be read"),
    ],
)
def test_a_wrong_line_of_a_list_is_named(line: str, message: str, tmp_path: Path) -> None:
    miniatures.make_pathfinder(tmp_path)
    file = tmp_path / HARD / "metadata/1.npy"
    file.write_text(f"{line}\n{file.read_text()}")
    with pytest.raises(UserError) as caught:
        made("lra-pathfinder").arrays(tmp_path)
    assert message in str(caught.value)
    assert "metadata/1.npy, line 1" in str(caught.value) or "imgs/9" in str(caught.value)


def test_images_of_another_size_are_refused(tmp_path: Path) -> None:
    miniatures.make_pathfinder(tmp_path)
    miniatures.save(miniatures.picture(0, 64, 64, "L"), tmp_path / HARD / "imgs/2/sample_121.png")
    with pytest.raises(UserError, match=r"sample_121.png: the image has 64×64 pixels, not 32×32"):
        made("lra-pathfinder").arrays(tmp_path)


@pytest.mark.parametrize("packed", [False, True])
def test_a_release_with_other_sizes_and_levels_is_told_apart(packed: bool, root: Path, tmp_path: Path) -> None:
    files = release(tmp_path / "made")
    mine = tmp_path / "lra_release.gz"
    mine.write_bytes(tarred(files)) if packed else write_files(mine, files)
    lines = imported(made("lra-pathfinder"), root, mine)
    assert lines[0].startswith("recognised: the folder pathfinder32 of Long Range Arena")
    assert sorted(path.name for path in (root / "pathfinder32").iterdir() if path.is_dir()) == [
        "curv_baseline",
        "curv_contour_length_14",
    ]
    assert made("lra-pathfinder", difficulty="easy").missing(root) is None
    assert "curv_contour_length_9" in str(made("lra-pathfinder", difficulty="intermediate").missing(root))
    assert sum(made("lra-pathfinder").build(root, RECIPE).split_sizes.values()) == 60

    assert imported(made("lra-retrieval"), root, mine)[0].startswith(
        "recognised: the folder tsv_data of Long Range Arena"
    )
    assert len(made("lra-retrieval").arrays(root).arrays["test_labels"]) == 12


# -- pairs of documents ------------------------------------------------------------------------------------------------


def test_pairs_are_both_documents_with_a_separator(tmp_path: Path) -> None:
    miniatures.make_document_pairs(tmp_path)
    arrays = made("lra-retrieval").arrays(tmp_path).arrays
    assert arrays["train_symbols"].shape == (40, 8001)
    assert bytes(arrays["train_symbols"][3]).rstrip(b"\0") == b'The "3" paper.' + b"\xff" + "Café 1".encode()
    assert arrays["train_labels"].tolist() == [0, 1] * 20
    cut = made("lra-retrieval", max_bytes=5).arrays(tmp_path).arrays["validation_symbols"][0]
    assert bytes(cut) == b'The "\xffCaf\xc3\xa9'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"1.0\tP\tQ\ta text", "line 2 has 4 cells, not 5"),
        (b"0.5\tP\tQ\ta\tb", "line 2: the label is '0.5', not 0 or 1"),
        (b"1.0\tP\tQ\t\tb", "line 2: a document is empty"),
        (b"1.0\tP\tQ\ta\xff\tb", "line 2 is not UTF-8 text"),
        (b"", "line 2 has 1 cells"),
    ],
)
def test_a_wrong_line_of_pairs_is_named(line: bytes, message: str, tmp_path: Path) -> None:
    miniatures.make_document_pairs(tmp_path)
    file = tmp_path / "aan-pairs/new_aan_pairs.eval.tsv"
    file.write_bytes(b"0.0\tP\tQ\ta\tb\n" + line + b"\n")
    with pytest.raises(UserError, match=r"new_aan_pairs\.eval\.tsv") as caught:
        made("lra-retrieval").arrays(tmp_path)
    assert message in str(caught.value)


# -- CIFAR-10 as pixels ------------------------------------------------------------------------------------------------


def test_grey_values_are_those_of_pillow() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 32, 32), dtype=np.uint8)
    images[0], images[1] = 0, 255
    expected = [np.asarray(Image.fromarray(image.transpose(1, 2, 0)).convert("L")).ravel() for image in images]
    assert np.array_equal(grey(images), expected)


@pytest.mark.parametrize("name", ["lra-image", "lra-pathfinder"])
def test_a_black_pixel_is_no_padding(name: str) -> None:
    task = made(name)
    inputs = task.preparation(None, task.spec()).plain({"symbols": torch.zeros(2, 1024, dtype=torch.uint8)}, 0)
    assert inputs["symbols"].tolist() == [[1] * 1024] * 2
    mask = task.tokenizer()(**inputs).mask
    assert mask is not None
    assert mask.all()


def test_a_tenth_of_the_training_images_validates(made_mirror: Path) -> None:
    task = made("lra-image", validation_examples=12)
    live = task.build(made_mirror, task.recipes["smoke"])
    assert live.split_sizes == {"train": 108, "validation": 12, "test": 80}


# -- the suite ---------------------------------------------------------------------------------------------------------


HELD_OUT = {"imdb-bytes": 2500, "lra-image": 5000}  # of training examples; the others have a validation split


def test_the_suite_validates_every_task_on_other_examples_than_it_tests() -> None:
    runs = read_sweep("paper-lra").expand()
    assert {config.task.name for config in runs} == {
        *("listops", "imdb-bytes", "lra-retrieval", "lra-pathfinder", "lra-image")
    }
    for config in runs:
        assert config.training.model_dump()["selection"] == "best-validation", config.task.name
        if config.task.name in HELD_OUT:
            assert config.task.options["validation_examples"] == HELD_OUT[config.task.name]
