"""CUB and ImageNet-R as their makers and others have them."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from nacbench.data.images.tiny_imagenet_classes import TINY_IMAGENET_CLASSES
from nacbench.errors import UserError
from nacbench.tasks.lowshot_cub import LowshotCub
from nacbench.tasks.tiny_imagenet_r import SHARED, TinyImagenetR
from tests.data.copies import cub
from tests.data.copies.colours import class_of, jpeg, pixels, write_files
from tests.data.mirror.archives import files_of, tarred, zipped

pytestmark = pytest.mark.usefixtures("cache")

PACKED: dict[str, Callable[[Mapping[str, bytes]], bytes]] = {
    "tgz": tarred,
    "tar": partial(tarred, compression=""),
    "zip": zipped,
}
CUB = {"makers": cub.original(), "kaggle": cub.kaggle(), "another name": cub.original("a/birds/")}


def test_every_copy_of_cub_has_the_same_birds(tmp_path: Path) -> None:
    found = {}
    for form, files in CUB.items():
        root = tmp_path / form / "mirror"
        said: list[str] = []
        LowshotCub.archive.bring(root, write_files(tmp_path / form / "mine", files), say=said.append)
        assert said[1] == "read: 4 classes, 8 train and 8 test examples (part: 8 of 5,994 train, 8 of 5,794 test)"
        arrays = LowshotCub().arrays(root).arrays
        for split in ("train", "test"):
            shown = [class_of(image) for image in arrays[f"{split}_images"]]
            assert shown == arrays[f"{split}_labels"].tolist()
            assert len(shown) == 8
        found[form] = LowshotCub().fingerprint(root)
    assert len(set(found.values())) == 1


@pytest.mark.parametrize("packed", PACKED)
def test_cub_is_taken_from_an_archive(packed: str, root: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(PACKED[packed](CUB["kaggle"]))
    LowshotCub.archive.bring(root, tmp_path / "mine")
    assert sorted(name for name in files_of(root / "cub-200-2011") if "/" not in name) == [
        "classes.txt",
        "image_class_labels.txt",
        "images.txt",
        "train_test_split.txt",
    ]
    assert "20 files checked: checksums match" in LowshotCub.archive.verify(root)


ALBATROSS = "CUB_200_2011/images/001.Black_footed_Albatross/Black_footed_Albatross_0000_1000.jpg"
LABELS = "CUB_200_2011/image_class_labels.txt"
WRONG: dict[str, tuple[str, bytes | None, str]] = {
    "lost": (ALBATROSS, None, r"images\.txt lists '001\.Black_.*, which is not there"),
    "cut": (ALBATROSS, CUB["makers"][ALBATROSS][:-30], r"_0000_1000\.jpg cannot be read as an image"),
    "shifted": (LABELS, b"".join(b"%d %d\n" % (n, 1 + n // 4) for n in range(1, 17)), r"image 4 has the class 2, and"),
    "strange": (LABELS, b"".join(b"%d 201\n" % n for n in range(1, 17)), r"image 1 has the class 201 and the split 0"),
    "marked": (LABELS, b"\xef\xbb\xbf" + CUB["makers"][LABELS], r"begins with a mark of byte order; save it as UTF-8"),
    "torn": (LABELS, b"1 1\n2", r"image_class_labels\.txt, line 2: '2' is not '<number> <value>'"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_with_a_copy_of_cub_is_named(kind: str, root: Path, tmp_path: Path) -> None:
    name, content, message = WRONG[kind]
    files = {**CUB["makers"], **({} if content is None else {name: content})}
    if content is None:
        del files[name]
    with pytest.raises(UserError, match=message):
        LowshotCub.archive.bring(root, write_files(tmp_path / "mine", files))
    assert list(root.rglob("*")) == []


def renditions(top: str = "imagenet-r/") -> dict[str, bytes]:
    """ImageNet-R: drawings of the classes, also of one that Tiny-ImageNet does not have, and a text."""
    names = {f"{top}{wnid}/art_0.jpg": jpeg(pixels(label, 1, 70)) for label, wnid in enumerate(SHARED)}
    return {**names, f"{top}n01484850/cartoon_2.jpg": jpeg(pixels(100, 1, 80)), f"{top}README.txt": b"n01484850 shark"}


@pytest.mark.parametrize("top", ["imagenet-r/", "", "data/renditions/"])
@pytest.mark.parametrize("packed", ["folder", *PACKED])
def test_imagenet_r_has_the_right_labels(packed: str, top: str, root: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    if packed == "folder":
        write_files(mine, renditions(top))
    else:
        mine.write_bytes(PACKED[packed](renditions(top)))
    said: list[str] = []
    TinyImagenetR.archive.bring(root, mine, say=said.append)
    assert said[1] == f"read: {len(SHARED) + 1} classes, 63 test examples (part: 63 of 30,000 test)"
    arrays = TinyImagenetR()._images(root).arrays
    assert [class_of(image) for image in arrays["images"]] == arrays["labels"].tolist() == list(range(len(SHARED)))


def test_a_class_that_imagenet_r_does_not_have_is_named(root: Path, tmp_path: Path) -> None:
    files = {**renditions(), "imagenet-r/n01629819/art_0.jpg": jpeg(pixels(1, 1, 70))}
    told = r"mine, in its folder imagenet-r, is not ImageNet-R; it has n01629819, which is none of the 200 classes"
    with pytest.raises(UserError, match=told):
        TinyImagenetR.archive.bring(root, write_files(tmp_path / "mine", files))
    assert list(root.rglob("*")) == []


OTHERS = {  # other photographs in folders by WordNet ids
    "tiny-imagenet-200/val": [f"{wnid}/x_{n}.JPEG" for n, wnid in enumerate(sorted(TINY_IMAGENET_CLASSES))],
    "tiny, shared classes": [f"{wnid}/val_{n}.JPEG" for n, wnid in enumerate(SHARED)],
    "tiny-imagenet-200/train": [f"{wnid}/{wnid}_0.JPEG" for wnid in SHARED],
    "imagenet": [f"{wnid}/ILSVRC2012_val_{n:08}.JPEG" for n, wnid in enumerate(SHARED)],
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_photographs_of_its_classes_are_not_imagenet_r(kind: str, root: Path, tmp_path: Path) -> None:
    picture = jpeg(np.zeros((8, 8, 3), np.uint8))
    mine = write_files(tmp_path / "mine", {f"{kind}/{name}": picture for name in OTHERS[kind]})
    with pytest.raises(UserError, match=r"is not ImageNet-R; it has n\d+.*, which (no such copy has|is none of)"):
        TinyImagenetR.archive.bring(root, mine)
    assert list(root.rglob("*")) == []
    (mine / "imagenet-r.tar").write_bytes(tarred(renditions(), ""))
    said: list[str] = []
    TinyImagenetR.archive.bring(root, mine, say=said.append)
    assert said[0].endswith(f"({mine}/imagenet-r.tar/imagenet-r)")
    assert sorted(path.name for path in (root / "imagenet-r/n01443537").iterdir()) == ["art_0.jpg"]
