"""Corrupted test images, made and published: what is read, what is refused, and how errors are averaged."""

import shutil
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
import torch

from nacbench.contracts.task import EvaluationTask
from nacbench.data.images.image_files import ImageFiles
from nacbench.data.images.task import ImageTask
from nacbench.errors import UserError
from nacbench.protocols.corrupted import Corrupted, CorruptedOnAccess
from nacbench.protocols.published_corruptions import ALEXNET, PublishedCorruptionsTask
from nacbench.registry import TASKS

from .. import miniatures

MAKERS = {
    "cifar10-c": (miniatures.make_cifar10, miniatures.make_cifar10_c),
    "cifar100-c": (miniatures.make_cifar100, miniatures.make_cifar100_c),
    "tiny-imagenet-c": (miniatures.make_tiny_imagenet, miniatures.make_tiny_imagenet_c),
    "imagenet-c": (miniatures.make_imagenet, miniatures.make_imagenet_c),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror with the four data sets and the published files."""
    root = tmp_path_factory.mktemp("published")
    for makers in MAKERS.values():
        for make in makers:
            make(root)
    return root


@pytest.fixture
def cifar(tmp_path: Path) -> Path:
    """A mirror of CIFAR-10 and CIFAR-10-C that a test may change."""
    for make in MAKERS["cifar10-c"]:
        make(tmp_path)
    return tmp_path


def task(name: str, **options: Any) -> EvaluationTask:
    found = TASKS.get(name).configured("task", "paper", options)
    assert isinstance(found, EvaluationTask)
    return found


def opened(name: str, root: Path, **options: Any) -> Corrupted:
    own = task(name, **options)
    trained = TASKS.training(own.trained_on).configured("task", "paper", {})
    built = own.build_on(trained, root, own.recipes["paper"])
    assert isinstance(built, Corrupted)
    return built


def pixels(built: Corrupted, split: str) -> np.ndarray:
    part = built.images(split)
    return np.asarray(part.inputs["images"][part.indices])


@pytest.mark.parametrize("name", ["cifar10-c", "cifar100-c"])
def test_published_arrays_are_scored_as_they_are(name: str, made: Path) -> None:
    built = opened(name, made, data="published")
    stored = np.load(made / name.replace("cifar", "cifar-") / "fog.npy")
    count = len(stored) // 5
    for severity in (1, 5):
        found = pixels(built, f"ood/fog-{severity}")
        assert np.array_equal(found.transpose(0, 2, 3, 1), stored[(severity - 1) * count : severity * count])
    assert built.images("ood/fog-5").labels.tolist() == built.images("clean").labels.tolist()
    assert built.notes == ["corrupted images are the published files"]
    assert set(built.split_sizes) == {"clean", *(f"ood/{own}-{n}" for own in ALEXNET for n in range(1, 6))}


@pytest.mark.parametrize(("name", "count", "side"), [("tiny-imagenet-c", 24, 64), ("imagenet-c", 12, 224)])
def test_published_folders_are_scored_as_they_are(name: str, count: int, side: int, made: Path) -> None:
    built = opened(name, made, data="published")
    part = built.images("ood/gaussian-noise-2")
    assert isinstance(part.inputs["images"], ImageFiles)
    assert part.inputs["images"].folder == made / name / "gaussian_noise/2"
    assert part.inputs["images"][part.indices].shape == (count, 3, side, side)
    assert np.array_equal(np.bincount(part.labels), np.bincount(built.images("clean").labels))


def test_few_examples_are_those_that_the_clean_ones_are(made: Path) -> None:
    built = opened("cifar10-c", made, data="published", examples=5)
    assert built.images("ood/snow-3").indices.tolist() == built.images("clean").indices.tolist() == [0, 16, 32, 48, 64]
    unpaired = opened("tiny-imagenet-c", made, data="published", examples=8)
    assert len(unpaired.images("ood/snow-3")) == 8
    assert "not those that the corrupted ones were made from" in unpaired.notes[1]


def test_the_fingerprint_covers_the_published_files(cifar: Path) -> None:
    before = task("cifar10-c", data="published").fingerprint(cifar)
    file = cifar / "cifar-10-c/fog.npy"
    changed = np.load(file)
    changed[0, 0, 0, 0] ^= 1
    np.save(file, changed)
    assert task("cifar10-c", data="published").fingerprint(cifar) != before
    assert task("cifar10-c").fingerprint(cifar) not in (before, task("digits-c").fingerprint(cifar))


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("labels.npy", np.zeros(400, dtype=np.uint8), r"at severity 1 image 8 has label 0, and 1 in the test set"),
        ("labels.npy", np.zeros(400), r"labels.npy holds float64 400; it must be uint8 400"),
        ("labels.npy", np.zeros(50_000, dtype=np.uint8), r"labels.npy holds uint8 50000; it must be uint8 400"),
        (
            "fog.npy",
            np.zeros((80, 32, 32, 3), dtype=np.uint8),
            r"fog.npy holds uint8 80×32×32×3; it must be uint8 400×",
        ),
        ("fog.npy", np.zeros((400, 3, 32, 32), dtype=np.uint8), r"holds uint8 400×3×32×32; it must be uint8 400×32×32"),
        ("fog.npy", np.zeros((400, 32, 32, 3), dtype=np.int64), r"holds int64 400×32×32×3"),
    ],
)
def test_other_arrays_are_refused(file: str, content: np.ndarray, message: str, cifar: Path) -> None:
    np.save(cifar / "cifar-10-c" / file, content)
    with pytest.raises(UserError, match=message):
        opened("cifar10-c", cifar, data="published").images("ood/fog-1")


def test_what_is_no_array_is_refused(cifar: Path) -> None:
    file = cifar / "cifar-10-c/fog.npy"
    file.write_bytes(b"no array")
    with pytest.raises(UserError, match=r"fog\.npy is not an array of NumPy"):
        opened("cifar10-c", cifar, data="published").images("ood/fog-1")
    with file.open("wb") as stream:
        np.savez(stream, images=np.zeros(3))
    with pytest.raises(UserError, match=r"fog\.npy is an archive, not an array"):
        opened("cifar10-c", cifar, data="published").images("ood/fog-1")


def test_a_file_that_changes_during_the_run_is_refused(cifar: Path) -> None:
    built = opened("cifar10-c", cifar, data="published")
    np.save(cifar / "cifar-10-c/fog.npy", np.zeros((400, 32, 32, 3), dtype=np.uint8))
    with pytest.raises(UserError, match=r"fog\.npy has changed since the run began"):
        built.images("ood/fog-1")


def test_missing_files_are_named_with_the_way_to_get_them(cifar: Path) -> None:
    (cifar / "cifar-10-c/fog.npy").unlink()
    with pytest.raises(UserError, match=r"cifar-10-c is not in .*\(0 files match fog.npy\); fetch it"):
        opened("cifar10-c", cifar, data="published")
    assert opened("cifar10-c", cifar).split_sizes["clean"] == 80


def test_extra_corruptions_need_their_files_too(cifar: Path) -> None:
    with pytest.raises(UserError, match="speckle_noise"):
        opened("cifar10-c", cifar, data="published", extra="scored")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda place: shutil.rmtree(place / "3"), "cannot list .*fog/3: No such file"),
        (lambda place: shutil.rmtree(place / "3/n01443537"), "3 has no folder n01443537, which is a class of the test"),
        (lambda place: (place / "3/n01443537/val_1.JPEG").unlink(), "holds 5 images; the test set has 6 of this class"),
    ],
)
def test_other_folders_are_refused(change: Any, message: str, made: Path, tmp_path: Path) -> None:
    root = tmp_path / "mirror"
    miniatures.make_tiny_imagenet(root)
    shutil.copytree(made / "tiny-imagenet-c", root / "tiny-imagenet-c")
    change(root / "tiny-imagenet-c/fog")
    with pytest.raises(UserError, match=message):
        opened("tiny-imagenet-c", root, data="published")


def test_images_of_another_size_are_refused(made: Path, tmp_path: Path) -> None:
    root = tmp_path / "mirror"
    miniatures.make_tiny_imagenet(root)
    shutil.copytree(made / "tiny-imagenet-c", root / "tiny-imagenet-c")
    miniatures.save(miniatures.picture(0, 60, 64), root / "tiny-imagenet-c/fog/1/n01443537/val_0.JPEG")
    with pytest.raises(UserError, match=r"val_0\.JPEG: the image has 60×64 pixels, not 64×64"):
        pixels(opened("tiny-imagenet-c", root, data="published"), "ood/fog-1")


def test_classes_without_test_images_are_left_out(made: Path, tmp_path: Path) -> None:
    root = tmp_path / "mirror"
    names = [*miniatures.SHARED, miniatures.OWN]
    miniatures.make_tiny_imagenet(root)
    for split, first in (("train", 0), ("valid", 1000)):
        file = root / f"zh-plus/tiny-imagenet/data/{split}-00000-of-00001.parquet"
        miniatures.labelled_images(file, ["n00000000", *names], 6, 64, ("image", "label"), first, empty=1)
    (root / "tiny-imagenet-c").symlink_to(made / "tiny-imagenet-c")
    built = opened("tiny-imagenet-c", root, data="published")
    labels = built.images("ood/fog-1").labels
    assert np.array_equal(np.bincount(labels), np.bincount(built.images("clean").labels))
    assert len(set(labels.tolist())) == 4
    assert built.partial == ["trained on: 4 of 200 classes"]


def scored(built: Corrupted, split: str) -> Any:
    """The first images of a split as the network gets them."""
    stored, _ = built.images(split).take(np.arange(3))
    return stored["images"], built.preparation(split).plain(stored, 0)["image"]


@pytest.mark.parametrize("data", ["made", "published"])
def test_photographs_are_cropped_before_they_are_corrupted_and_not_again(data: str, made: Path) -> None:
    built = opened("imagenet-c", made, data=data)
    stored, given = scored(built, "ood/contrast-1")
    as_they_are = TASKS.training("imagenet").configured("task", "paper", {"test_resize": 0})
    assert isinstance(as_they_are, ImageTask)
    preparation = as_they_are.preparation(as_they_are.recipes["paper"], built.spec)
    assert torch.equal(given, preparation.plain({"images": stored}, 0)["image"])
    if data == "made":  # the same pixels as the clean ones, with less contrast
        _, clean = scored(built, "clean")
        assert np.corrcoef(given[0, 0].flatten(), clean[0, 0].flatten())[0, 1] > 0.98


def test_images_of_one_size_are_prepared_like_clean_ones(made: Path) -> None:
    built = opened("tiny-imagenet-c", made, data="published")
    images = {"images": torch.randint(256, (2, 3, 64, 64), dtype=torch.uint8)}
    clean, corrupted = (built.preparation(split).plain(images, 0)["image"] for split in ("clean", "ood/fog-1"))
    assert torch.equal(clean, corrupted)


def test_images_that_are_read_on_access_are_corrupted_on_access(made: Path) -> None:
    built = opened("imagenet-c", made)
    part = built.images("ood/gaussian-noise-5")
    assert isinstance(part.inputs["images"], CorruptedOnAccess)
    some = part.inputs["images"][np.array([3, 5])]
    assert np.array_equal(some, part.inputs["images"][np.array([0, 3, 5])][1:])
    assert abs(some.astype(int) - built.images("clean").inputs["images"][np.array([3, 5])]).mean() > 50


def metrics(error: float) -> dict[str, dict[str, float]]:
    splits = {f"ood/{name}-{severity}": {"accuracy": 1 - error} for name in ALEXNET for severity in range(1, 6)}
    return {"clean": {"accuracy": 0.9}, **splits}


def test_mean_corruption_error_is_over_alexnets_where_they_are_published() -> None:
    of_all = task("imagenet-c").headline(metrics(0.4))
    assert of_all["mce_alexnet"] == pytest.approx(fmean(0.4 / own for own in ALEXNET.values()))
    assert of_all["mean_error"] == pytest.approx(0.4)
    for name in ("cifar10-c", "cifar100-c", "tiny-imagenet-c", "digits-c"):
        assert not [own for own in task(name).headline(metrics(0.4)) if "mce" in own]
    exact = {f"ood/{name}-{n}": {"accuracy": 1 - own} for name, own in ALEXNET.items() for n in range(1, 6)}
    assert task("imagenet-c").headline({"clean": {"accuracy": 0.565}, **exact})["mce_alexnet"] == pytest.approx(1)


def test_extra_corruptions_are_in_neither_mean(made: Path) -> None:
    own = task("cifar10-c", extra="scored")
    assert isinstance(own, PublishedCorruptionsTask)
    splits = {f"ood/{name}-{n}": {"accuracy": 0.0} for name in own.names()[15:] for n in range(1, 6)}
    found = own.headline({**metrics(0.4), **splits})
    assert found["mean_error"] == pytest.approx(0.4)
    assert found["extra_error/spatter"] == 1
    assert len(opened("cifar10-c", made, extra="scored", examples=3).split_sizes) == 1 + 19 * 5


def test_records_say_whose_corruptions_they_are(made: Path) -> None:
    assert "nacbench's own" in opened("digits-c", made).notes[0]
    assert "from the published definitions" in opened("cifar10-c", made).notes[0]
    assert "frost has a made texture" in opened("cifar10-c", made).notes[0]
