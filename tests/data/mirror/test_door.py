"""Copies as users have them: recognised by names, read with the right labels, one fingerprint whatever their form."""

import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nacbench.data.images.task import HubImageTask
from nacbench.data.images.tiny_imagenet_classes import TINY_IMAGENET_CLASSES
from nacbench.data.mirror.door.given import MOST_NESTED
from nacbench.errors import UserError
from nacbench.registry import TASKS
from tests.data.copies import cifar, tiny_imagenet
from tests.data.copies.colours import class_of, write_files
from tests.data.copies.tiny_imagenet import WNIDS
from tests.data.mirror.archives import files_of, tarred, zipped

pytestmark = pytest.mark.usefixtures("cache")

TEN = cifar.examples("cifar10", batches=5)
HUNDRED = cifar.examples("cifar100", batches=1, each=40)
CIFAR10 = {
    "python": cifar.python10(TEN),
    "binary": cifar.binary10(TEN),
    "hub": cifar.hub(TEN, "plain_text", "label"),
}
CIFAR100 = {
    "python": cifar.python100(HUNDRED),
    "binary": cifar.binary100(HUNDRED),
    "hub": cifar.hub(HUNDRED, "cifar100", "fine_label"),
}
TINY = {
    "cs231n": tiny_imagenet.original(),
    "sorted, as cs231n has folders": tiny_imagenet.sorted_by_class(),
    "sorted, without them": tiny_imagenet.sorted_by_class(""),
}
COPIES = {"cifar10": CIFAR10, "cifar100": CIFAR100, "tiny-imagenet": TINY}
FOLDERS = {
    "cifar10": cifar.folders(TEN),
    "cifar100": cifar.folders(HUNDRED),
    "cifar100, nested": cifar.folders(HUNDRED, lambda label: f"group {label // 5}/"),
}
FORMS = [(task, form) for task, forms in COPIES.items() for form in forms]
PACKED: dict[str, Callable[[Mapping[str, bytes]], bytes]] = {
    ".zip": zipped,
    ".tar": partial(tarred, compression=""),
    ".tar.gz": tarred,
    ".tgz": tarred,
    ".tar.bz2": partial(tarred, compression="bz2"),
    ".tar.xz": partial(tarred, compression="xz"),
}


def imported(task: str, root: Path, *paths: Path) -> list[str]:
    """What an import says that must succeed."""
    lines: list[str] = []
    made = TASKS.get(task)()
    assert isinstance(made, HubImageTask)
    made.dataset.bring(root, *paths, say=lines.append)
    return lines


def arrays_of(task: str, root: Path) -> Mapping[str, np.ndarray]:
    """The arrays that the task reads from the mirror."""
    made = TASKS.get(task)()
    assert isinstance(made, HubImageTask)
    return made.arrays(root).arrays


def fingerprint_of(task: str, root: Path) -> str:
    """The fingerprint of these arrays."""
    return TASKS.get(task)().fingerprint(root)


def label_of(task: str, number: int) -> int:
    """The task's label of the class that a copy has at a place."""
    order = sorted(WNIDS, key=TINY_IMAGENET_CLASSES.index)  # of the makers, as far as the classes are there
    return order.index(WNIDS[number]) if task == "tiny-imagenet" else number


@pytest.mark.parametrize(("task", "form"), FORMS)
def test_a_folder_is_recognised_and_has_the_right_labels(task: str, form: str, root: Path, tmp_path: Path) -> None:
    mine = write_files(tmp_path / "mine", COPIES[task][form])
    first, second = imported(task, root, mine)
    assert first.startswith("recognised: ")
    assert second.startswith("read: ")
    arrays = arrays_of(task, root)
    for split in ("train", "test"):
        shown = [label_of(task, class_of(image)) for image in arrays[f"{split}_images"]]
        labels = arrays[f"{split}_labels"].tolist()
        wrong = [pair for pair in zip(shown, labels, strict=True) if pair[0] != pair[1]]
        assert len(wrong) <= (task == "tiny-imagenet" and split == "train"), wrong  # its grey image has no colour
        assert len(set(labels)) > 2


@pytest.mark.parametrize("form", FOLDERS)
def test_folders_of_images_have_the_right_labels(form: str, root: Path, tmp_path: Path) -> None:
    task = form.partition(",")[0]
    imported(task, root, write_files(tmp_path / "mine", FOLDERS[form]))
    for split in ("train", "test"):
        arrays = arrays_of(task, root)
        assert [class_of(image) for image in arrays[f"{split}_images"]] == arrays[f"{split}_labels"].tolist()


def test_images_of_several_formats_are_all_taken(root: Path, tmp_path: Path) -> None:
    mine = write_files(tmp_path / "mine", FOLDERS["cifar10"])
    files = sorted(mine.rglob("*.png"))
    for file in files[::2]:
        Image.open(file).save(file.with_suffix(".jpg"))
        file.unlink()
    assert f"read: 10 classes, {len(files) - 6} train and 6 test examples" in imported("cifar10", root, mine)[1]


def test_validation_images_that_are_sorted_by_half_are_refused(root: Path, tmp_path: Path) -> None:
    half = tmp_path / "mine/tiny-imagenet-200"
    write_files(tmp_path / "mine", TINY["cs231n"])
    for name, (wnid, _) in list(tiny_imagenet.validation().items())[::2]:
        (half / "val" / wnid).mkdir(exist_ok=True)
        (half / "val/images" / name).rename(half / "val" / wnid / name)
    with pytest.raises(UserError, match=r"in its folder tiny-imagenet-200, is not Tiny-ImageNet; it has val/n\d+/val_"):
        imported("tiny-imagenet", root, tmp_path / "mine")
    assert list(root.rglob("*")) == []


@pytest.mark.parametrize("task", COPIES)
def test_the_fingerprint_does_not_depend_on_the_form(task: str, tmp_path: Path) -> None:
    found = {}
    for form, files in COPIES[task].items():
        root = tmp_path / form / "mirror"
        imported(task, root, write_files(tmp_path / form / "mine", files))
        found[form] = fingerprint_of(task, root)
    assert len(set(found.values())) == 1, found


@pytest.mark.parametrize("suffix", PACKED)
@pytest.mark.parametrize(("task", "form"), [("cifar10", "python"), ("tiny-imagenet", "cs231n")])
def test_every_kind_of_archive_is_taken(task: str, form: str, suffix: str, root: Path, tmp_path: Path) -> None:
    (tmp_path / f"mine{suffix}").write_bytes(PACKED[suffix](COPIES[task][form]))
    assert f"({tmp_path}/mine{suffix}/" in imported(task, root, tmp_path / f"mine{suffix}")[0]
    assert arrays_of(task, root)["train_labels"].size


@pytest.mark.parametrize("around", ["", "another name", "a/b/c", "DATA.v2 (copy)"])
def test_a_copy_is_found_deeper_and_under_another_name(around: str, root: Path, tmp_path: Path) -> None:
    files = {name.partition("/")[2]: content for name, content in CIFAR10["binary"].items()}
    write_files(tmp_path / "mine" / around, files)
    imported("cifar10", root, tmp_path / "mine")
    assert len(arrays_of("cifar10", root)["train_labels"]) == 60


def test_junk_of_operating_systems_is_ignored(root: Path, tmp_path: Path) -> None:
    junk = {
        "__MACOSX/tiny-imagenet-200/train/n01443537/images/._n01443537_0.JPEG": b"junk",
        "tiny-imagenet-200/train/.DS_Store": b"junk",
        "tiny-imagenet-200/train/n01443537/images/._n01443537_0.JPEG": b"junk",
        "tiny-imagenet-200/val/images/Thumbs.db": b"junk",
    }
    (tmp_path / "mine.zip").write_bytes(zipped({**junk, **TINY["cs231n"]}))
    assert "4 classes, 12 train and 8 test examples" in imported("tiny-imagenet", root, tmp_path / "mine.zip")[1]


def test_an_archive_inside_a_folder_is_opened(root: Path, tmp_path: Path) -> None:
    write_files(tmp_path / "mine", {"data/cifar-10-python.tar.gz": tarred(CIFAR10["python"]), "README": b"read me"})
    assert "cifar-10-python.tar.gz/cifar-10-batches-py)" in imported("cifar10", root, tmp_path / "mine")[0]


def test_an_archive_inside_an_archive_is_opened(root: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.zip").write_bytes(zipped({"archive/cifar-10-python.tar.gz": tarred(CIFAR10["python"])}))
    assert "mine.zip/archive/cifar-10-python.tar.gz/" in imported("cifar10", root, tmp_path / "mine.zip")[0]


def test_archives_are_opened_only_so_deep(root: Path, tmp_path: Path) -> None:
    content = zipped(CIFAR10["python"])
    for _ in range(MOST_NESTED - 1):
        content = zipped({"inner.zip": content})
    write_files(tmp_path, {"mine.zip": content, "deeper.zip": zipped({"inner.zip": content})})
    with pytest.raises(UserError, match=r"deeper\.zip has no file of any of the"):
        imported("cifar10", root, tmp_path / "deeper.zip")
    imported("cifar10", root, tmp_path / "mine.zip")


def test_files_can_be_given_one_by_one(root: Path, tmp_path: Path) -> None:
    write_files(tmp_path, CIFAR10["hub"])
    files = sorted((tmp_path / "plain_text").iterdir())
    imported("cifar10", root, *files)
    assert len(arrays_of("cifar10", root)["train_labels"]) == 60


def test_the_nearest_form_is_named_with_what_it_lacks(root: Path, tmp_path: Path) -> None:
    mine = write_files(tmp_path / "mine", CIFAR10["python"])
    (mine / "cifar-10-batches-py/data_batch_4").unlink()
    with pytest.raises(UserError) as caught:
        imported("cifar10", root, mine)
    assert str(caught.value) == (
        f"{mine}, in its folder cifar-10-batches-py, is not complete; it lacks data_batch_4; the nearest form "
        "of CIFAR-10 is: CIFAR-10's python batches, as its makers and torchvision have them"
    )
    assert list(root.rglob("*")) == []


def test_a_missing_part_of_a_file_is_named(root: Path, tmp_path: Path) -> None:
    files = {name.replace("train-00000-of-00001", "train-00001-of-00002"): own for name, own in CIFAR10["hub"].items()}
    with pytest.raises(UserError, match=r"is not complete; it lacks plain_text/train-00000-of-00002;"):
        imported("cifar10", root, write_files(tmp_path / "mine", files))


def test_a_copy_that_is_less_than_the_data_set_is_said_to_be_a_part(root: Path, tmp_path: Path) -> None:
    said = imported("cifar10", root, write_files(tmp_path / "mine", CIFAR10["binary"]))
    assert said[1] == "read: 10 classes, 60 train and 6 test examples (part: 60 of 50,000 train, 6 of 10,000 test)"


def test_an_import_is_whole_or_not_at_all(root: Path, tmp_path: Path) -> None:
    mine = write_files(tmp_path / "mine", CIFAR10["binary"])
    file = mine / "cifar-10-batches-bin/test_batch.bin"
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(UserError, match=r"test_batch.bin has 18,433 bytes, not a whole number of images of 3,073"):
        imported("cifar10", root, mine)
    assert list(root.rglob("*")) == []


def test_the_mirror_keeps_the_bytes_of_pictures(root: Path, tmp_path: Path) -> None:
    imported("tiny-imagenet", root, write_files(tmp_path / "mine", TINY["cs231n"]))
    dataset = TASKS.get("tiny-imagenet")().dataset  # type: ignore[attr-defined]
    (_, (first,)), *_ = dataset.rows(root, "train", ["image"])
    assert first == {
        "bytes": TINY["cs231n"]["tiny-imagenet-200/train/n01443537/images/n01443537_0.JPEG"],
        "path": "n01443537_0.JPEG",
    }


def test_the_hub_s_own_files_stay_as_they_are(root: Path, tmp_path: Path) -> None:
    imported("cifar10", root, write_files(tmp_path / "mine", CIFAR10["hub"]))
    assert files_of(root / "uoft-cs/cifar10") == CIFAR10["hub"]


def test_an_image_that_no_list_has_is_named(root: Path, tmp_path: Path) -> None:
    mine = write_files(tmp_path / "mine", TINY["cs231n"])
    top = mine / "tiny-imagenet-200/val"
    shutil.copy(top / "images/val_1.JPEG", top / "images/val_99.JPEG")
    with pytest.raises(UserError, match=r"images/val_99.JPEG is not in .*val_annotations.txt"):
        imported("tiny-imagenet", root, mine)


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of git-lfs"), (b"", "is empty")],
)
def test_a_damaged_list_of_labels_is_named(content: bytes, told: str, root: Path, tmp_path: Path) -> None:
    mine = write_files(tmp_path / "mine", TINY["cs231n"] | {"tiny-imagenet-200/val/val_annotations.txt": content})
    with pytest.raises(UserError, match=f"val/val_annotations.txt {told}"):
        imported("tiny-imagenet", root, mine)
    assert not root.exists()


def test_a_list_of_labels_may_begin_with_a_mark_of_byte_order(root: Path, tmp_path: Path) -> None:
    name = "tiny-imagenet-200/val/val_annotations.txt"
    windows = b"\xef\xbb\xbf" + TINY["cs231n"][name].replace(b"\n", b"\r\n")
    imported("tiny-imagenet", root, write_files(tmp_path / "mine", TINY["cs231n"] | {name: windows}))
    other = tmp_path / "other"
    imported("tiny-imagenet", other, write_files(tmp_path / "plain", TINY["cs231n"]))
    assert fingerprint_of("tiny-imagenet", root) == fingerprint_of("tiny-imagenet", other)


INNER = {
    "is a truncated zip archive": zipped(CIFAR10["python"])[:-50],
    "is a pointer of git-lfs, not the data": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
    "is a web page, not the data": b"<!doctype html><title>Sign in</title>",
}


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("told", INNER)
def test_a_damaged_archive_is_named(told: str, inside: bool, root: Path, tmp_path: Path) -> None:
    write_files(tmp_path / "mine", {"cifar.zip": INNER[told]})
    with pytest.raises(UserError, match=f"{tmp_path}/mine/cifar.zip {told}"):
        imported("cifar10", root, tmp_path / "mine" / ("" if inside else "cifar.zip"))
    assert list(root.rglob("*")) == []


def test_an_archive_that_is_not_read_here_is_named_with_the_way_out(root: Path, tmp_path: Path) -> None:
    write_files(tmp_path, {"train.7z": b"7z\xbc\xaf\x27\x1c" + bytes(100)})
    with pytest.raises(UserError, match=r"train.7z is a 7z archive, which is not read here; unpack it, and name its"):
        imported("cifar10", root, tmp_path / "train.7z")


def test_a_file_that_is_no_archive_is_named(root: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("CIFAR-10 is on the other disk")
    with pytest.raises(UserError, match=r"notes.txt is neither a zip nor a tar archive"):
        imported("cifar10", root, tmp_path / "notes.txt")
