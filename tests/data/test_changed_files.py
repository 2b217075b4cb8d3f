"""Whatever file of a data set is overwritten, lost or repaired: every reader sees it, and the fingerprint says so."""

import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from nacbench.errors import UserError
from nacbench.registry import TASKS

from .. import miniatures

Maker = Callable[[Path], None]


def make_shapes(root: Path) -> None:
    """The meshes of GeometricShapes, unpacked."""
    miniatures.make_geometric_shapes(root)


def make_drawings(root: Path) -> None:
    """Omniglot's original folders, with 20 drawers of each character."""
    for alphabet in ("Greek", "Hebrew", "Latin", "Tifinagh"):
        for character in ("character01", "character02"):
            for drawer in range(1, 21):
                seed = len(alphabet) * 1000 + int(character[-2:]) * 100 + drawer
                place = root / "omniglot/images_background_small1" / alphabet / character
                miniatures.save(miniatures.picture(seed, 105, 105, "L"), place / f"0001_{drawer:02d}.png")


def both(*makers: Maker) -> Maker:
    """One mirror with several data sets."""

    def make(root: Path) -> None:
        for maker in makers:
            maker(root)

    return make


TINY = "zh-plus/tiny-imagenet/data/train-*.parquet"
RENDITIONS = both(miniatures.make_tiny_imagenet, miniatures.make_tiny_imagenet_r)
CIFAR10 = "uoft-cs/cifar10/plain_text"
READERS: list[tuple[str, dict[str, Any], Maker, str]] = [
    ("cifar10", {}, miniatures.make_cifar10, f"{CIFAR10}/test-*.parquet"),
    ("cifar10-c", {}, miniatures.make_cifar10, f"{CIFAR10}/test-*.parquet"),
    ("cifar100", {}, miniatures.make_cifar100, "uoft-cs/cifar100/cifar100/train-*.parquet"),
    ("lowshot-cifar10", {}, miniatures.make_cifar10, f"{CIFAR10}/train-*.parquet"),
    ("tiny-imagenet", {}, miniatures.make_tiny_imagenet, TINY),
    ("tiny-imagenet-c", {}, miniatures.make_tiny_imagenet, TINY),
    ("tiny-imagenet-r", {}, RENDITIONS, "imagenet-r/n01443537/art_0.jpg"),
    ("imagenet", {}, miniatures.make_imagenet, "imagenet/train/n01443537/n01443537_3.JPEG"),
    ("imagenet", {}, miniatures.make_imagenet, "imagenet/val/n01770393/n01770393_1.JPEG"),
    ("imdb-bytes", {}, miniatures.make_imdb, "stanfordnlp/imdb/plain_text/test-*.parquet"),
    ("modelnet10", {}, miniatures.make_modelnet, "modelnet10/bed/train/bed_0002.off"),
    ("modelnet40", {}, miniatures.make_modelnet, "modelnet40/bed/test/bed_0002.off"),
    ("geometric-shapes", {}, make_shapes, "geometric_shapes/shape_01/test/shape_01_0000.off"),
    ("lowshot-cub", {}, miniatures.make_cub, "cub-200-2011/images/001.bird1/bird_3.jpg"),
    ("lowshot-cub", {}, miniatures.make_cub, "cub-200-2011/image_class_labels.txt"),
    ("nlvr", {}, miniatures.make_nlvr, "nlvr/test.parquet"),
    ("nlvr2", {}, miniatures.make_nlvr2, "nlvr2/images/dev/dev-1-0-img1.png"),
    ("nlvr2", {}, miniatures.make_nlvr2, "nlvr2/data/train.json"),
    ("omniglot", {}, miniatures.make_omniglot, "omniglot/*.parquet"),
    ("omniglot", {}, make_drawings, "omniglot/images_background_small1/Hebrew/character01/0001_19.png"),
    ("lowshot-omniglot", {}, make_drawings, "omniglot/images_background_small1/Tifinagh/character02/0001_03.png"),
    ("lra-image", {}, miniatures.make_cifar10, f"{CIFAR10}/test-*.parquet"),
    ("lra-pathfinder", {}, miniatures.make_pathfinder, "pathfinder32/curv_contour_length_14/imgs/0/sample_3.png"),
    ("lra-retrieval", {}, miniatures.make_document_pairs, "aan-pairs/new_aan_pairs.eval.tsv"),
    ("listops", {"data": "lra"}, miniatures.make_listops_lra, "listops-1000/basic_val.tsv"),
]
IDS = [f"{name}, {pattern.rpartition('/')[2]}" for name, _, _, pattern in READERS]


def fingerprint(name: str, options: dict[str, Any], root: Path) -> str:
    """The fingerprint of what a task reads now."""
    return TASKS.get(name).configured("task", "smoke", options).fingerprint(root)


def overwrite(file: Path) -> None:
    """Put other valid content into a file, of the same size where the format allows it, with the same mtime."""
    before = file.stat()
    if file.suffix == ".parquet":
        move_rows(file)
    elif file.suffix.lower() in (".jpg", ".jpeg", ".png"):
        content = other_picture(file)
        assert len(content) == before.st_size
        file.write_bytes(content)
    else:
        file.write_bytes(other_text(file))
        assert file.stat().st_size == before.st_size
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def move_rows(file: Path) -> None:
    """Give each row the image or the text of the one before it."""
    table = pq.read_table(file)
    moved = next(name for name in ("image", "img", "text") if name in table.column_names)
    order = np.roll(np.arange(len(table)), 1)
    column = table.column(moved).take(order)
    pq.write_table(table.set_column(table.column_names.index(moved), table.field(moved), column), file)


def other_picture(file: Path) -> bytes:
    """A plain picture as large as the file: readers skip what follows the end of an image."""
    with Image.open(file) as old:
        plain, kind = Image.new(old.mode, old.size, 99 if old.mode == "L" else (99, 9, 200)), old.format
    stream = io.BytesIO()
    plain.save(stream, kind)
    return stream.getvalue().ljust(file.stat().st_size, b"\0")


def other_text(file: Path) -> bytes:
    """The text of a mesh, a list, examples or expressions, with one thing changed."""
    text = file.read_bytes()
    if file.suffix == ".tsv":
        lines = text.splitlines(keepends=True)
        return b"".join([*lines[:2], lines[4], *lines[3:]])
    old, new = {".off": (b"\n0 0 ", b"\n5 0 "), ".txt": (b"1 1\n", b"1 2\n"), ".json": (b"are 0 ", b"are 7 ")}[
        file.suffix
    ]
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize(("name", "options", "make", "pattern"), READERS, ids=IDS)
def test_an_overwritten_file_is_read_again(
    name: str, options: dict[str, Any], make: Maker, pattern: str, tmp_path: Path
) -> None:
    make(tmp_path)
    first = fingerprint(name, options, tmp_path)
    assert fingerprint(name, options, tmp_path) == first
    (file,) = tmp_path.glob(pattern)
    whole = file.read_bytes()
    overwrite(file)
    assert fingerprint(name, options, tmp_path) != first
    file.write_bytes(whole)
    assert fingerprint(name, options, tmp_path) == first


@pytest.mark.parametrize(("name", "options", "make", "pattern"), READERS, ids=IDS)
def test_a_lost_file_is_missed_and_its_repair_is_seen(
    name: str, options: dict[str, Any], make: Maker, pattern: str, tmp_path: Path
) -> None:
    make(tmp_path)
    (file,) = tmp_path.glob(pattern)
    whole = file.read_bytes()
    file.unlink()
    try:
        without = fingerprint(name, options, tmp_path)
    except UserError as error:
        without = str(error)
    file.write_bytes(whole)
    repaired = fingerprint(name, options, tmp_path)
    assert repaired != without
    shutil.copytree(tmp_path, tmp_path / "whole")
    assert fingerprint(name, options, tmp_path / "whole") == repaired


def arrays(name: str, root: Path) -> dict[str, Any]:
    task: Any = TASKS.get(name).configured("task", "smoke", {})
    return dict(task.arrays(root).arrays)


def test_a_photograph_that_changes_during_a_run_is_named(tmp_path: Path) -> None:
    miniatures.make_imagenet(tmp_path)
    images = arrays("imagenet", tmp_path)["train_images"]
    first = images[np.array([0, 1])]
    overwrite(tmp_path / "imagenet/train/n01443537/n01443537_1.JPEG")
    np.testing.assert_array_equal(images[np.array([0])], first[:1])
    with pytest.raises(UserError, match=r"n01443537_1\.JPEG has changed since the run began"):
        images[np.array([0, 1])]


def test_a_photograph_that_is_lost_during_a_run_is_named(tmp_path: Path) -> None:
    miniatures.make_imagenet(tmp_path)
    images = arrays("imagenet", tmp_path)["test_images"]
    (tmp_path / "imagenet/val/n01443537/n01443537_0.JPEG").unlink()
    with pytest.raises(UserError, match=r"cannot read .*n01443537_0\.JPEG: No such file"):
        images[np.array([0])]


def test_a_lost_drawing_moves_no_other_drawer(tmp_path: Path) -> None:
    make_drawings(tmp_path)
    before = arrays("omniglot", tmp_path)
    (tmp_path / "omniglot/images_background_small1/Greek/character01/0001_03.png").unlink()
    after = arrays("omniglot", tmp_path)
    assert len(after["train_labels"]) == len(before["train_labels"]) - 1
    for split in ("validation", "test"):
        np.testing.assert_array_equal(after[f"{split}_images"], before[f"{split}_images"])


def test_a_drawing_without_its_drawer_s_number_is_named(tmp_path: Path) -> None:
    make_drawings(tmp_path)
    place = tmp_path / "omniglot/images_background_small1/Greek/character01"
    (place / "0001_03.png").rename(place / "copy of three.png")
    with pytest.raises(UserError, match=r"copy of three\.png: the name does not end with the drawer's number"):
        arrays("omniglot", tmp_path)


def test_two_drawings_by_one_drawer_are_refused_unless_they_are_the_same(tmp_path: Path) -> None:
    make_drawings(tmp_path)
    place = tmp_path / "omniglot/images_background_small1"
    again = tmp_path / "omniglot/images_background_small2/Greek/character01"
    shutil.copytree(place / "Greek/character01", again)  # the two published sets share alphabets
    whole = arrays("omniglot", tmp_path)
    assert len(whole["validation_labels"]) == 4 * 2 * 2 - 2 * 2 * 2
    shutil.copy(place / "Hebrew/character01/0001_03.png", again / "0001_03.png")
    with pytest.raises(UserError, match="two drawings of Greek, character01 by drawer 3"):
        arrays("omniglot", tmp_path)
