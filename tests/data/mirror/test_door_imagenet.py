"""ImageNet as its makers, Kaggle and the hub have it: every photograph under the class that it shows."""

from collections.abc import Callable, Mapping
from pathlib import Path

import datasets
import numpy as np
import pytest

from nacbench.data.mirror.door.distribution import data_set
from nacbench.data.mirror.door.found import FoundCopy, Member
from nacbench.data.mirror.door.readers.image_tars import ImageTars
from nacbench.errors import UserError
from nacbench.tasks.imagenet import Imagenet
from tests.data.copies import imagenet
from tests.data.copies.colours import class_of, write_files
from tests.data.mirror.archives import files_of, tarred, zipped

pytestmark = pytest.mark.usefixtures("cache")

BOTH: Mapping[str, Mapping[str, bytes]] = {
    "sorted": imagenet.sorted_folders(),
    "kaggle": imagenet.kaggle(),
    "hub": imagenet.hub(),
}


def imported(root: Path, *paths: Path, link: bool = False) -> list[str]:
    """What an import says that must succeed."""
    lines: list[str] = []
    Imagenet.files.bring(root, *paths, link=link, say=lines.append)
    return lines


def wrong_labels(root: Path) -> list[tuple[int, int]]:
    """Pairs of class to be seen and label that differ; there must be examples of all classes."""
    arrays = Imagenet().arrays(root).arrays
    assert [name.decode() for name in arrays["class_names"].tolist()] == list(imagenet.WNIDS)
    pairs = []
    for split, count in (("train", 12), ("test", 8)):
        labels = arrays[f"{split}_labels"].tolist()
        assert len(labels) == count
        shown = [class_of(image) for image in arrays[f"{split}_images"][np.arange(count)]]
        pairs += [pair for pair in zip(shown, labels, strict=True) if pair[0] != pair[1]]
    return pairs


@pytest.mark.parametrize("form", BOTH)
@pytest.mark.parametrize("packed", ["folder", "zip", "tgz"])
def test_one_copy_has_both_splits(form: str, packed: str, root: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    if packed == "folder":
        write_files(mine / "deeper", BOTH[form])
    else:
        mine.write_bytes((zipped if packed == "zip" else tarred)(BOTH[form]))
    said = imported(root, mine)
    assert [line.partition(":")[0] for line in said] == ["recognised", "recognised", "read", "read"]
    assert "(part: 12 of 1,281,167 train)" in said[2]
    assert "(part: 8 of 50,000 test)" in said[3]
    assert wrong_labels(root) == []


def cached(folder: Path) -> Path:
    """The hub's own cache: links in a snapshot to files that are called after their digests."""
    top = write_files(folder / "datasets--ILSVRC--imagenet-1k", {"refs/main": b"0" * 40})
    for number, (name, content) in enumerate(imagenet.hub().items()):
        link = top / "snapshots" / ("0" * 40) / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(write_files(top, {f"blobs/{number:064x}": content}) / f"blobs/{number:064x}")
    return top


def converted(folder: Path) -> Path:
    """The branch refs/convert/parquet."""
    files = imagenet.hub()
    parts = {f"default/train/000{part}.parquet": files[f"data/train-0000{part}-of-00002.parquet"] for part in (0, 1)}
    val = {"default/validation/0000.parquet": files["data/validation-00000-of-00001.parquet"]}
    return write_files(folder / "imagenet-1k", {**parts, **val})


def saved(folder: Path) -> Path:
    """What save_to_disk of the library datasets writes."""
    write_files(folder / "hub", imagenet.hub())
    files = {split: str(folder / f"hub/data/{split}-*.parquet") for split in ("train", "validation")}
    opened = datasets.load_dataset("parquet", data_files=files, cache_dir=str(folder / "cache"))
    assert isinstance(opened, datasets.DatasetDict)
    opened.save_to_disk(folder / "saved", num_shards={"train": 2, "validation": 1})
    return folder / "saved"


@pytest.mark.parametrize("form", [cached, converted, saved])
def test_copies_of_the_hub_s_files_are_taken(form: Callable[[Path], Path], root: Path, tmp_path: Path) -> None:
    said = imported(root, form(tmp_path / "mine"))
    assert "of the hub's imagenet-1k" in said[0]
    assert wrong_labels(root) == []


@pytest.mark.parametrize("beside", imagenet.lists())
def test_validation_photographs_get_their_classes_from_a_list(beside: str, root: Path, tmp_path: Path) -> None:
    write_files(tmp_path / "mine/train", imagenet.train())
    write_files(tmp_path / "mine/val", imagenet.flat())
    write_files(tmp_path / "mine/lists", imagenet.lists()[beside])
    imported(root, tmp_path / "mine")
    assert wrong_labels(root) == []


def test_a_line_of_a_list_that_is_blank_shifts_no_class(root: Path, tmp_path: Path) -> None:
    (name, content), *_ = imagenet.lists()["ids"].items()
    lines = content.decode().splitlines()
    lines[2] = ""
    mine = write_files(tmp_path / "mine", {**imagenet.flat(), name: "\n".join(lines).encode()})
    with pytest.raises(UserError, match=r"ILSVRC2012_val_00000003\.JPEG is not in .*synset_labels\.txt"):
        imported(root, mine)


def makers_files(folder: Path) -> Path:
    """The three archives as one downloads them, and as torchvision wants them."""
    folder.mkdir()
    (folder / "ILSVRC2012_img_train.tar").write_bytes(tarred(imagenet.train_tars(), ""))
    (folder / "ILSVRC2012_img_val.tar").write_bytes(tarred(imagenet.flat(), ""))
    (folder / "ILSVRC2012_devkit_t12.tar.gz").write_bytes(tarred(imagenet.devkit()))
    return folder


def test_the_makers_archives_in_one_folder_are_taken(root: Path, tmp_path: Path) -> None:
    imported(root, makers_files(tmp_path / "mine"))
    assert wrong_labels(root) == []


def test_archives_add_up_when_given_at_once_or_one_after_the_other(root: Path, tmp_path: Path) -> None:
    mine = makers_files(tmp_path / "mine")
    train, val, kit = (mine / f"ILSVRC2012_{name}" for name in ("img_train.tar", "img_val.tar", "devkit_t12.tar.gz"))
    assert "still missing" in imported(root, train)[-1]
    assert "still missing" not in imported(root, val, kit)[-1]
    assert wrong_labels(root) == []
    imported(root.with_name("another"), train, val, kit)
    assert Imagenet().fingerprint(root) == Imagenet().fingerprint(root.with_name("another"))
    with pytest.raises(UserError, match="has data in it already"):
        imported(root, train)


def test_the_archives_of_classes_can_be_given_one_by_one(root: Path, tmp_path: Path) -> None:
    mine = write_files(tmp_path / "mine", imagenet.train_tars())
    imported(root, *sorted(mine.iterdir()), write_files(tmp_path / "val", {**imagenet.flat(), **imagenet.devkit()}))
    assert wrong_labels(root) == []


@pytest.mark.parametrize("unpacked", [True, False])
def test_an_archive_that_was_unpacked_is_removed_when_it_was_read(unpacked: bool, tmp_path: Path) -> None:
    (name, content), *_ = imagenet.train_tars().items()
    file = write_files(tmp_path, {name: content}) / name
    table = data_set("imagenet").table
    copy = FoundCopy({"train": [Member(name, file, name, unpacked)]}, "mine")
    rows = list(ImageTars(kind="image-tars").content(copy, table).rows["train"])
    assert [row.values["label"] for row in rows] == [imagenet.WNIDS[0]] * 3
    assert file.exists() != unpacked


def test_photographs_that_are_not_taken_are_told(root: Path, tmp_path: Path) -> None:
    write_files(tmp_path / "mine/train", imagenet.train())
    write_files(tmp_path / "mine/val", imagenet.flat())
    said = imported(root, tmp_path / "mine")
    assert said[1].startswith("not taken: ImageNet's validation photographs in one folder, with the devkit's")
    assert said[1].endswith("; it lacks ILSVRC2012_validation_ground_truth.txt")


def test_all_forms_have_one_fingerprint(tmp_path: Path) -> None:
    found = {}
    for form, files in BOTH.items():
        imported(tmp_path / form, write_files(tmp_path / f"{form} mine", files))
        found[form] = Imagenet().fingerprint(tmp_path / form)
    imported(tmp_path / "tars", makers_files(tmp_path / "makers"))
    found["tars"] = Imagenet().fingerprint(tmp_path / "tars")
    assert len(set(found.values())) == 1, found


def test_photographs_are_linked_to_and_sorted(root: Path, tmp_path: Path) -> None:
    mine = write_files(tmp_path / "mine", imagenet.kaggle())
    imported(root, mine, link=True)
    name = "ILSVRC2012_val_00000001.JPEG"
    placed = root / "imagenet/val" / imagenet.WNIDS[imagenet.validation()[name][0]] / name
    assert placed.stat().st_ino == (mine / "ILSVRC/Data/CLS-LOC/val" / name).stat().st_ino
    assert len(files_of(mine)) == len(imagenet.kaggle())


def test_photographs_without_a_list_are_not_taken(root: Path, tmp_path: Path) -> None:
    mine = write_files(tmp_path / "mine", imagenet.flat())
    with pytest.raises(UserError, match=r"lacks ILSVRC2012_validation_ground_truth\.txt; the nearest form.*devkit"):
        imported(root, mine)
    assert list(root.rglob("*")) == []


def test_a_devkit_that_is_damaged_is_named(root: Path, tmp_path: Path) -> None:
    files = {**imagenet.flat(), **imagenet.devkit()}
    files["ILSVRC2012_devkit_t12/data/meta.mat"] = b"<html>sign in</html>"
    with pytest.raises(UserError, match=r"mine/ILSVRC2012_devkit_t12/data/meta.mat has no table of synsets"):
        imported(root, write_files(tmp_path / "mine", files))
    assert list(root.rglob("*")) == []


def test_a_photograph_that_is_cut_is_found_at_the_door(root: Path, tmp_path: Path) -> None:
    tars = imagenet.train_tars()
    cut = {name: content[:-40] for name, content in imagenet.train().items()}
    tars["n01443537.tar"] = tarred({name.rpartition("/")[2]: cut[name] for name in cut if "n01443537/" in name}, "")
    (tmp_path / "train.tar").write_bytes(tarred(tars, ""))
    with pytest.raises(UserError, match=r"train\.tar/n01443537\.tar/n01443537_1\.JPEG cannot be read as an image"):
        imported(root, tmp_path / "train.tar")
    assert list(root.rglob("*")) == []


def test_a_list_that_leads_out_of_the_folder_is_refused(root: Path, tmp_path: Path) -> None:
    lists = {**imagenet.lists()["caffe"], "ilsvrc12/synsets.txt": b"../../outside\n" * 4}
    with pytest.raises(UserError, match=r"ILSVRC2012_val_.*'\.\./\.\./outside' is no name of a class"):
        imported(root, write_files(tmp_path / "mine", {**imagenet.flat(), **lists}))
    assert list(root.rglob("*")) == []


def test_numbers_of_classes_must_agree_with_the_names_of_images(root: Path, tmp_path: Path) -> None:
    files = dict(imagenet.hub())
    rows = [("n01440764_1_n01440764.JPEG", imagenet.train()["n01440764/n01440764_0.JPEG"], "n01440764")]
    rows.append(("n01443537_1_n01443537.JPEG", rows[0][1], "n01440764"))
    files["data/validation-00000-of-00001.parquet"] = imagenet._parquet(rows)
    with pytest.raises(UserError, match=r"validation-00000-of-00001\.parquet, row 1: its class is number 0"):
        imported(root, write_files(tmp_path / "mine", files))
