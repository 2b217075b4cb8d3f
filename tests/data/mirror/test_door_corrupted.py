"""Published corrupted images as their makers have them, added to the data set that they are made from."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from nacbench.cli import app
from nacbench.contracts.task import EvaluationTask
from nacbench.errors import UserError
from nacbench.protocols.corrupted import Corrupted
from nacbench.registry import TASKS
from nacbench.tasks.cifar10_c import Cifar10C
from nacbench.tasks.imagenet_c import ImagenetC
from nacbench.tasks.tiny_imagenet_c import TinyImagenetC
from tests.data.copies import cifar, corrupted, imagenet, tiny_imagenet
from tests.data.copies.colours import class_of, write_files
from tests.data.mirror.archives import tarred, zipped

pytestmark = pytest.mark.usefixtures("cache")

TEN = cifar.examples("cifar10", batches=5)
ARRAYS = corrupted.arrays(TEN.labels[-1])
PACKED = {"folder": None, "tar": lambda files: tarred(files, ""), "zip": zipped}


def opened(name: str, root: Path) -> Corrupted:
    """The task with the published files, as a run has it."""
    task = TASKS.get(name).configured("task", "paper", {"data": "published", "extra": "scored"})
    assert isinstance(task, EvaluationTask)
    trained = TASKS.training(task.trained_on).configured("task", "paper", {})
    built = task.build_on(trained, root, task.recipes["paper"])
    assert isinstance(built, Corrupted)
    return built


def wrong_labels(built: Corrupted, order: Sequence[int]) -> list[tuple[str, int, int]]:
    """Split, class to be seen and label of the images of some splits where these differ.

    Args:
        built: the task.
        order: the class that each label stands for.
    """
    found = []
    for name in ("ood/gaussian-noise-1", "ood/fog-3", "ood/saturate-5"):
        split = built.images(name)
        labels = split.labels[split.indices].tolist()
        assert len(set(labels)) > 3
        for image, label in zip(split.inputs["images"][split.indices], labels, strict=True):
            found += [(name, class_of(image), label)] if class_of(image) != order[label] else []
    return found


@pytest.mark.parametrize("packed", PACKED)
def test_cifar10_c_is_added_to_cifar10_by_one_command(packed: str, root: Path, tmp_path: Path) -> None:
    Cifar10C.trained_class.dataset.bring(
        root, write_files(tmp_path / "cifar", cifar.python10(TEN)), say=lambda line: None
    )
    mine = tmp_path / "mine"
    made = PACKED[packed]
    write_files(mine, ARRAYS) if made is None else mine.write_bytes(made(ARRAYS))
    result = CliRunner().invoke(app, ["data", "import", "cifar10-c", str(mine), "--data-root", str(root)])
    assert result.exit_code == 0, result.output
    assert "recognised: CIFAR-10-C as its makers publish it" in result.output
    assert "6 test examples (part: 6 of 10,000 test)" in result.output
    assert wrong_labels(opened("cifar10-c", root), range(10)) == []


def test_forms_are_listed_where_the_published_files_go(root: Path) -> None:
    root.mkdir()
    result = CliRunner().invoke(app, ["data", "where", "cifar10-c", "--data-root", str(root)])
    assert "taken: CIFAR-10-C as its makers publish it" in result.output


DAMAGE = {
    "cut": ("fog.npy", ARRAYS["CIFAR-10-C/fog.npy"][:-100], r"mine/CIFAR-10-C/fog\.npy is cut short"),
    "pointer": ("fog.npy", b"version https://git-lfs.github.com/spec/v1\n", r"fog\.npy is not an array of NumPy"),
    "another size": ("fog.npy", corrupted.npy(np.zeros((30, 64, 64, 3), np.uint8)), r"holds uint8 30×64×64×3, not"),
    "another type": ("snow.npy", corrupted.npy(np.zeros((30, 32, 32, 3))), r"snow\.npy holds float64 30×32×32×3"),
    "labels": ("labels.npy", corrupted.npy(np.full(30, 10, np.uint8)), r"labels\.npy: label 10 at place 0"),
    "one severity": ("labels.npy", corrupted.npy(np.zeros(6, np.uint8)), r"labels\.npy has the shape \(6,\), not 5·N"),
    "more": ("labels.npy", corrupted.npy(np.zeros(50_005, np.uint8)), r"holds uint8 30×32×32×3, not uint8 50005×32"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_arrays_that_are_not_the_published_ones_are_refused(kind: str, root: Path, tmp_path: Path) -> None:
    name, content, message = DAMAGE[kind]
    mine = write_files(tmp_path / "mine", {**ARRAYS, f"CIFAR-10-C/{name}": content})
    with pytest.raises(UserError, match=message):
        Cifar10C.files.bring(root, mine)
    assert list(root.rglob("*")) == []


def test_a_corruption_that_is_missing_is_named(root: Path, tmp_path: Path) -> None:
    files = {name: content for name, content in ARRAYS.items() if "zoom" not in name}
    with pytest.raises(UserError, match=r"it lacks zoom_blur\.npy"):
        Cifar10C.files.bring(root, write_files(tmp_path / "mine", files))


def test_tiny_imagenet_c_s_groups_add_up(root: Path, tmp_path: Path) -> None:
    write_files(tmp_path / "tiny", tiny_imagenet.original())
    TinyImagenetC.trained_class.dataset.bring(root, tmp_path / "tiny", say=lambda line: None)
    said: list[str] = []
    for number, group in enumerate(corrupted.GROUPS):
        top = f"{group}/" if number % 2 else ""
        files = {f"{top}{name}": own for name, own in corrupted.folders(group).items()}
        (tmp_path / f"{group}.tar").write_bytes(tarred(files, ""))
        TinyImagenetC.files.bring(root, tmp_path / f"{group}.tar", say=said.append)
    assert "4 classes, 40 gaussian_noise, 40 shot_noise and 40 impulse_noise examples (part: 40 of 50,000" in said[1]
    assert [line for line in said if "still missing" in line] == said[2:9:3]
    names = TinyImagenetC.trained_class().arrays(root).arrays["class_names"].tolist()
    order = [tiny_imagenet.WNIDS.index(name.decode()) for name in names]
    assert wrong_labels(opened("tiny-imagenet-c", root), order) == []


def test_tiny_imagenet_c_is_one_archive(root: Path, tmp_path: Path) -> None:
    files: dict[str, bytes] = {}
    for group in corrupted.GROUPS:
        some = corrupted.folders(group, tiny_imagenet.WNIDS[:1], each=1)
        files |= {f"Tiny-ImageNet-C/{name}": own for name, own in some.items()}
    (tmp_path / "mine.tar").write_bytes(tarred(files, ""))
    said: list[str] = []
    TinyImagenetC.files.bring(root, tmp_path / "mine.tar", say=said.append)
    assert sum(line.startswith("recognised: ") for line in said) == 5
    assert not any("missing" in line for line in said)


def test_imagenet_c_needs_all_severities(root: Path, tmp_path: Path) -> None:
    files = corrupted.folders("noise", imagenet.WNIDS[:2], side=224, each=1)
    some = {name: own for name, own in files.items() if not name.startswith("shot_noise/4/")}
    with pytest.raises(UserError, match=r"it lacks shot_noise/4/n\[0-9\]\*/\*"):
        ImagenetC.files.bring(root, write_files(tmp_path / "some", some))
    said: list[str] = []
    ImagenetC.files.bring(root, write_files(tmp_path / "all", files), say=said.append)
    assert said[1].startswith(
        "read: 2 classes, 10 gaussian_noise, 10 shot_noise and 10 impulse_noise examples (part: 10 of 250,000 g"
    )
    assert "shot_noise" not in said[2]
    assert "defocus_blur" in said[2]


def test_images_that_somebody_has_resized_are_refused(root: Path, tmp_path: Path) -> None:
    mine = write_files(tmp_path / "mine", corrupted.folders("weather", side=32))
    with pytest.raises(UserError, match=r"snow/1/n01443537/val_0\.JPEG: the image has 32×32 pixels, and .* 64×64"):
        TinyImagenetC.files.bring(root, mine)


def test_a_corrupted_image_that_is_cut_is_found_at_the_door(root: Path, tmp_path: Path) -> None:
    files = corrupted.folders("noise")
    files["impulse_noise/5/n01443537/val_0.JPEG"] = files["impulse_noise/5/n01443537/val_0.JPEG"][:-30]
    with pytest.raises(UserError, match=r"mine/impulse_noise/5/n01443537/val_0\.JPEG cannot be read as an image"):
        TinyImagenetC.files.bring(root, write_files(tmp_path / "mine", files))
    assert list(root.rglob("*")) == []
