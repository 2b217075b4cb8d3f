"""What is broken in a data set is named, and nothing of it is cached."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from nacbench.errors import UserError

from .. import miniatures
from .loaded import PARQUET, arrays

BIRD = "images/001.bird1/bird_0.jpg"
BED = "modelnet10/bed/train/bed_0001.off"
CIFAR10 = f"uoft-cs/cifar10/plain_text/test-{PARQUET}"
CUB, MESHES, PICTURES = "cub-200-2011", "modelnet10/bed", "imagenet/val/n01443537"
Damage = Callable[[Path], object]
FLAT = "OFF\n3 0 0\n0 0 0\n1 0 0\n0 1 0\n"
WILD = "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 9\n"
IMDB = f"stanfordnlp/imdb/plain_text/train-{PARQUET}"
OMNIGLOT = "omniglot/images_background_small.parquet"
LABELS = f"{CUB}/image_class_labels.txt"
DEV = "nlvr2/data/dev.json"


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def drop_column(path: Path, name: str) -> None:
    pq.write_table(pq.read_table(path).drop_columns([name]), path)


def set_line(path: Path, number: int, text: str) -> None:
    lines = path.read_text().splitlines()
    lines[number - 1] = text
    path.write_text("\n".join(lines) + "\n")


def change_example(path: Path, number: int, **changes: Any) -> None:
    example = {**json.loads(path.read_text().splitlines()[number - 1]), **changes}
    set_line(path, number, json.dumps({key: value for key, value in example.items() if value is not None}))


def remove(path: Path) -> None:
    path.unlink()


def empty(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


def rename(folder: Path) -> None:
    folder.rename(folder.with_name("n9"))


def leave(path: Path) -> None:
    pass


def with_text(text: str) -> Damage:
    return lambda path: path.write_text(text)


def without(column: str) -> Damage:
    return lambda path: drop_column(path, column)


def with_line(number: int, text: str) -> Damage:
    return lambda path: set_line(path, number, text)


def with_example(number: int, **changes: Any) -> Damage:
    return lambda path: change_example(path, number, **changes)


def three_alphabets(root: Path) -> None:
    miniatures.make_omniglot(root, 3)


BROKEN: list[tuple[str, Callable[[Path], None], str, Damage, str]] = [
    ("cifar10", miniatures.make_cifar10, CIFAR10, truncate, r"cifar10.*test-00000-of-00001\.parquet"),
    ("cifar10", miniatures.make_cifar10, CIFAR10, without("label"), r"test-.*\.parquet has no column 'label'"),
    ("cifar10", miniatures.make_cifar10, CIFAR10, remove, "0 files match"),
    ("imdb-bytes", miniatures.make_imdb, IMDB, without("text"), "imdb.*(no column 'text'|cannot be read)"),
    ("lowshot-cub", miniatures.make_cub, f"{CUB}/{BIRD}", truncate, r"bird_0\.jpg cannot be read"),
    ("lowshot-cub", miniatures.make_cub, f"{CUB}/{BIRD}", with_text("no image"), r"bird_0\.jpg cannot be read"),
    ("lowshot-cub", miniatures.make_cub, f"{CUB}/images.txt", with_line(3, "3 a b"), r"images\.txt, line 3"),
    ("lowshot-cub", miniatures.make_cub, LABELS, with_line(2, "2 201"), "class of image 2 is '201'"),
    ("modelnet10", miniatures.make_modelnet, BED, truncate, r"bed_0001\.off"),
    ("modelnet10", miniatures.make_modelnet, BED, with_text(FLAT), r"bed_0001\.off.*no faces"),
    ("modelnet10", miniatures.make_modelnet, BED, with_text(WILD), r"bed_0001\.off.*9"),
    ("modelnet10", miniatures.make_modelnet, f"{MESHES}/test", empty, "bed/test holds no meshes"),
    ("nlvr", miniatures.make_nlvr, "nlvr/test.parquet", without("sentence"), r"test\.parquet has no column 'sentence'"),
    ("nlvr", miniatures.make_nlvr, "nlvr/validation.parquet", truncate, r"validation\.parquet cannot be read"),
    ("nlvr", miniatures.make_nlvr, "nlvr/test.parquet", remove, "nlvr is not in"),
    ("nlvr2", miniatures.make_nlvr2, DEV, with_line(2, "{"), r"dev\.json, line 2 is not JSON"),
    ("nlvr2", miniatures.make_nlvr2, DEV, with_example(2, label=None), r"dev\.json, line 2 has no text under 'label'"),
    ("nlvr2", miniatures.make_nlvr2, DEV, with_example(1, label="Yes"), "label 'Yes' is neither"),
    ("nlvr2", miniatures.make_nlvr2, DEV, with_line(2, "[" * 100_000), r"dev\.json, line 2 .* nested too deeply"),
    ("nlvr2", miniatures.make_nlvr2, DEV, with_line(2, "[1]"), r"dev\.json, line 2 is \[1\], not a JSON object"),
    ("nlvr2", miniatures.make_nlvr2, DEV, with_line(2, '{"label": NaN}'), r"dev\.json, line 2 .*NaN is not a number"),
    ("nlvr2", miniatures.make_nlvr2, DEV, with_example(1, identifier="../../x-1"), "identifier .* is not of the form"),
    ("nlvr2", miniatures.make_nlvr2, DEV, with_example(1, identifier="a\0b-1"), "identifier .* is not of the form"),
    ("nlvr2", miniatures.make_nlvr2, DEV, with_example(1, directory="9" * 5000), "directory .* is not a number"),
    ("nlvr2", miniatures.make_nlvr2, DEV, with_example(1, directory="../train"), "directory .* is not a number"),
    (
        "lowshot-cub",
        miniatures.make_cub,
        f"{CUB}/images.txt",
        with_line(2, "2 ../../x.jpg"),
        "is not the name of an im",
    ),
    ("lowshot-cub", miniatures.make_cub, f"{CUB}/images.txt", with_line(2, "1 a.jpg"), "line 2: '1 a.jpg' is not"),
    ("nlvr2", miniatures.make_nlvr2, "nlvr2/images/dev/dev-1-0-img1.png", remove, r"dev-1-0-img1\.png cannot be read"),
    ("omniglot", three_alphabets, OMNIGLOT, leave, "has 3 alphabets; at least 4"),
    ("omniglot", miniatures.make_omniglot, OMNIGLOT, truncate, "cannot be read"),
    ("imagenet", miniatures.make_imagenet, PICTURES, rename, "different classes"),
    ("imagenet", miniatures.make_imagenet, PICTURES, empty, "n01443537 holds no images"),
]


@pytest.mark.parametrize(("name", "make", "place", "damage", "message"), BROKEN)
def test_broken_file_is_named_and_nothing_is_cached(
    name: str, make: Callable[[Path], None], place: str, damage: Damage, message: str, tmp_path: Path
) -> None:
    make(tmp_path)
    damage(tmp_path / place)
    for _ in range(2):  # a second look must not find something half-made
        with pytest.raises(UserError, match=message):
            arrays(name, tmp_path)


def test_truncated_imagenet_photograph_is_named(tmp_path: Path) -> None:
    miniatures.make_imagenet(tmp_path)
    broken = tmp_path / "imagenet/train/n01443537/n01443537_3.JPEG"
    truncate(broken)
    with pytest.raises(UserError, match=r"n01443537_3\.JPEG cannot be read: .*put a good copy of it in its place"):
        arrays("imagenet", tmp_path)


def test_label_out_of_range_is_named(tmp_path: Path) -> None:
    miniatures.make_cifar10(tmp_path)
    file = tmp_path / f"uoft-cs/cifar10/plain_text/test-{PARQUET}"
    table = pq.read_table(file)
    labels = table.column("label").to_pylist()
    labels[5] = 17
    info = json.loads(table.schema.metadata[b"huggingface"])
    info["info"]["features"]["label"] = {"dtype": "int64", "_type": "Value"}
    index = table.column_names.index("label")
    pq.write_table(
        table.set_column(index, "label", [labels]).replace_schema_metadata({"huggingface": json.dumps(info)}), file
    )
    with pytest.raises(UserError, match="label 17 is not one of 10 classes"):
        arrays("cifar10", tmp_path)


def test_two_generations_of_a_split_are_refused(tmp_path: Path) -> None:
    """The hub used to add a hash to names; a later download lies beside the earlier one."""
    miniatures.make_tiny_imagenet(tmp_path)
    place = tmp_path / "zh-plus/tiny-imagenet/data"
    own = place / f"valid-{PARQUET}"
    older = own.rename(place / "valid-00000-of-00001-70d52db3c749a935.parquet")
    assert len(arrays("tiny-imagenet", tmp_path)["test_labels"]) == 24
    newer = place / "valid-00000-of-00001-0123456789abcdef.parquet"
    for other in (newer, own, place / "valid-00001-of-00002.parquet", place / "valid-extra.parquet"):
        shutil.copy(older, other)
        with pytest.raises(UserError, match="two generations of one file; remove one") as caught:
            arrays("tiny-imagenet", tmp_path)
        assert older.name in str(caught.value)
        assert other.name in str(caught.value)
        other.unlink()


def test_a_drawer_that_omniglot_has_not_is_named(tmp_path: Path) -> None:
    miniatures.make_omniglot(tmp_path)
    file = next((tmp_path / "omniglot").glob("*.parquet"))
    table = pq.read_table(file)
    drawers = [21 if drawer == 20 else drawer for drawer in table.column("drawer").to_pylist()]
    pq.write_table(table.set_column(table.column_names.index("drawer"), "drawer", [drawers]), file)
    with pytest.raises(UserError, match="by drawer 21, not 1 to 20"):
        arrays("omniglot", tmp_path)


def test_unknown_classes_are_refused(tmp_path: Path) -> None:
    miniatures.make_modelnet(tmp_path)
    bed = tmp_path / "modelnet10" / "bed"
    for number in range(8):
        shutil.copytree(bed, bed.with_name(f"zeppelin{number}"))
    with pytest.raises(UserError, match="modelnet10 has 11 classes, ModelNet10 has 10; remove"):
        arrays("modelnet10", tmp_path)


def test_repaired_data_is_read_again(tmp_path: Path) -> None:
    miniatures.make_cub(tmp_path)
    lists = tmp_path / "cub-200-2011/images.txt"
    whole = lists.read_text()
    set_line(lists, 3, "3 a b")
    with pytest.raises(UserError, match="line 3"):
        arrays("lowshot-cub", tmp_path)
    lists.write_text(whole)
    assert len(arrays("lowshot-cub", tmp_path)["train_labels"]) == 35
