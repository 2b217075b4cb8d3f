"""Each loader on a miniature of its format: the right content arrives, and what is broken is named."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from nacbench.contracts.task import EvaluationTask, Task
from nacbench.data.array_task import ArrayTask
from nacbench.data.images.image_files import class_images
from nacbench.data.images.recipe import ImageRecipe
from nacbench.data.live import Classification
from nacbench.data.sentences.nlvr import hold_out_sentences
from nacbench.data.sentences.task import SentenceImageTask
from nacbench.errors import UserError
from nacbench.protocols.renditions import Renditions, masked
from nacbench.registry import TASKS

from .. import miniatures


def task(name: str, **options: Any) -> Task:
    return TASKS.training(name).configured("task", "smoke", options)


def arrays(name: str, root: Path, **options: Any) -> dict[str, np.ndarray]:
    """What a task's loader gives."""
    found: Any = TASKS.get(name).configured("task", "smoke", options)
    return dict(found.arrays(root).arrays)


def live(name: str, root: Path, **options: Any) -> Classification:
    found = task(name, **options)
    assert isinstance(found, ArrayTask)
    return found.build(root, found.recipes["smoke"])


# -- the right content ---------------------------------------------------------------------------------------------


def test_imagenet_folders(made_mirror: Path) -> None:
    found = arrays("imagenet", made_mirror)
    assert found["class_names"].tolist() == [name.encode() for name in sorted(miniatures.SHARED)]
    assert found["train_labels"].tolist() == [0] * 12 + [1] * 12 + [2] * 12
    images = found["train_images"][np.array([0, 1, 2, 13])]
    assert (images.shape, images.dtype) == ((4, 3, 224, 224), np.uint8)
    grey = images[1]
    assert abs(grey[0].astype(int) - grey[1]).max() == 0  # a grey file has three equal channels
    with Image.open(made_mirror / "imagenet/train" / miniatures.SHARED[0] / f"{miniatures.SHARED[0]}_0.JPEG") as file:
        middle = np.asarray(file.convert("RGB"), dtype=float)[20:-20, 20:-20].mean((0, 1))
    assert images[0].mean((1, 2)) == pytest.approx(middle, abs=4)


def test_partial_tiny_imagenet_is_accepted_and_marked(made_mirror: Path) -> None:
    built = live("tiny-imagenet", made_mirror)
    assert built.spec.classes == 4
    assert built.partial == ["4 of 200 classes"]


def test_cifar100_uses_fine_labels(made_mirror: Path) -> None:
    assert sorted(set(arrays("cifar100", made_mirror)["train_labels"].tolist())) == list(range(100))


def test_renditions_count_through_the_logits_of_the_trained_network(made_mirror: Path) -> None:
    renditions = TASKS.get("tiny-imagenet-r").configured("task", "smoke", {})
    assert isinstance(renditions, EvaluationTask)
    built = renditions.build_on(task("tiny-imagenet"), made_mirror, renditions.recipes["smoke"])
    assert isinstance(built, Renditions)
    assert built.partial == [
        "3 of 62 classes",
        "62 of 30,000 renditions of all classes",
        "trained on: 4 of 200 classes",
    ]
    assert built.split_sizes == {"clean": 18, "ood/renditions": 3}
    assert built._splits["ood/renditions"].labels[built._splits["ood/renditions"].indices].tolist() == [0, 3, 1]


def test_a_masked_logit_never_wins() -> None:
    import torch

    logits = torch.tensor([[1.0, 50.0, 3.0], [2.0, 9.0, -4.0]])
    assert masked(logits, np.array([0, 2])).argmax(-1).tolist() == [2, 0]
    assert torch.isfinite(masked(logits, np.array([0, 2])).half()).all()


def test_imdb_bytes_are_cut_to_length(made_mirror: Path) -> None:
    found = arrays("imdb-bytes", made_mirror, max_bytes=30)
    assert bytes(found["train_symbols"][0]).rstrip(b"\0") == (b"bad " * 5)
    assert bytes(found["train_symbols"][-1]) == (b"good " * 8)[:30]
    assert live("imdb-bytes", made_mirror).partial == ["40 of 25,000 train reviews", "20 of 25,000 test reviews"]


def test_nul_in_a_text_is_not_padding(tmp_path: Path) -> None:
    features = {"text": {"dtype": "string", "_type": "Value"}, "label": {"dtype": "int64", "_type": "Value"}}
    for split in ("train", "test"):
        file = tmp_path / f"stanfordnlp/imdb/plain_text/{split}-00000-of-00001.parquet"
        miniatures.write_parquet(file, {"text": ["a\0b é"], "label": [1]}, features)
    symbols = arrays("imdb-bytes", tmp_path)["train_symbols"][0]
    assert bytes(symbols[:6]) == "a b é".encode()


def test_modelnet_is_sorted_sampled_and_in_the_unit_ball(made_mirror: Path) -> None:
    found = arrays("modelnet10", made_mirror)
    assert found["class_names"].tolist() == [b"bathtub", b"bed", b"chair"]
    assert found["train_points"].shape == (18, 4096, 3)
    norms = np.linalg.norm(found["train_points"], axis=-1).max(axis=1)
    np.testing.assert_allclose(norms, 1, atol=1e-5)
    extent = np.ptp(found["train_points"], axis=1)
    ratio = (extent[:, 1] / extent[:, 0]).reshape(3, 6).mean(axis=1)  # boxes are 1, 2 and 3 times as deep as wide
    np.testing.assert_allclose(ratio, [1, 2, 3], rtol=0.02)


def test_cub_uses_its_own_split(made_mirror: Path) -> None:
    found = arrays("lowshot-cub", made_mirror)
    assert found["train_labels"].tolist() == [label for label in range(5) for _ in range(7)]
    assert found["test_labels"].tolist() == [label for label in range(5) for _ in range(5)]
    assert found["train_images"].shape == (35, 3, 64, 64)


def test_nlvr_without_training_split_shares_no_sentence_between_splits(made_mirror: Path) -> None:
    found = arrays("nlvr", made_mirror)
    assert len(found["train_labels"]) == 54
    assert len(found["validation_labels"]) == 6  # three sentences with two pictures each
    rows = [{"identifier": f"{number // 2}-{number % 2}-0"} for number in range(60)]
    train, validation = hold_out_sentences(rows)
    ids = [{row["identifier"].split("-")[0] for row in part} for part in (train, validation)]
    assert [len(part) for part in ids] == [27, 3]
    assert not ids[0] & ids[1]
    assert live("nlvr", made_mirror).partial == [
        "no training split: trained on 54 examples of the validation split",
        "60 of 989 validation examples",
        "20 of 990 test examples",
    ]


def test_nlvr_numbers_the_classes_of_all_its_files_alike(made_mirror: Path, tmp_path: Path) -> None:
    def written(split: str, names: list[str] | None, *, turned: bool) -> None:
        table = pq.read_table(made_mirror / "nlvr" / f"{split}.parquet")
        columns = table.to_pydict()
        columns["label"] = [1 - label if turned else label for label in columns["label"]]
        features = {"label": {"names": names, "_type": "ClassLabel"}} if names else {}
        miniatures.write_parquet(tmp_path / "nlvr" / f"{split}.parquet", columns, features)

    expected = {split: arrays("nlvr", made_mirror)[f"{split}_labels"].tolist() for split in ("train", "test")}
    written("validation", ["true", "false"], turned=True)
    written("test", ["false", "true"], turned=False)
    found = arrays("nlvr", tmp_path)
    assert {split: found[f"{split}_labels"].tolist() for split in expected} == expected
    written("test", ["wrong", "right"], turned=False)
    with pytest.raises(UserError, match=r"split test, cannot be decoded: its class '(wrong|right)' is not among"):
        arrays("nlvr", tmp_path)
    written("test", None, turned=True)
    with pytest.raises(UserError, match=r"split test, cannot be decoded: only some splits name their classes"):
        arrays("nlvr", tmp_path)


def test_nlvr2_puts_the_two_photographs_side_by_side(made_mirror: Path) -> None:
    found = arrays("nlvr2", made_mirror)
    assert {split: len(found[f"{split}_labels"]) for split in ("train", "validation", "test")} == {
        "train": 12,
        "validation": 6,
        "test": 6,
    }
    assert found["train_labels"].tolist() == [0, 1] * 6
    with Image.open(made_mirror / "nlvr2/images/train/1/train-1-0-img1.png") as file:
        colour = np.asarray(file.convert("RGB"), dtype=float).mean((0, 1))
    right = found["train_images"][2][:, :, 64:]
    assert right.mean((1, 2)) == pytest.approx(colour, abs=3)


def test_omniglot_holds_out_whole_alphabets(made_mirror: Path) -> None:
    found = arrays("omniglot", made_mirror)
    assert {part: len(found[f"{part}_labels"]) for part in ("train", "validation", "test", "search", "novel")} == {
        "train": 5 * 6 * 16,
        "validation": 5 * 6 * 2,
        "test": 5 * 6 * 2,
        "search": 6 * 20,
        "novel": 2 * 6 * 20,
    }
    assert {name.decode().split("/")[0] for name in found["class_names"]} == {f"Alphabet {a}" for a in range(5)}
    assert 0.1 < found["train_images"].mean() / 255 < 0.3  # ink is bright: a fifth of the made paper


def test_lra_files_are_read(made_mirror: Path) -> None:
    found = arrays("listops", made_mirror, data="lra")
    assert {s: len(found[f"{s}_labels"]) for s in ("train", "validation", "test")} == {
        "train": 20,
        "validation": 8,
        "test": 8,
    }


# -- the real thing, where it is --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "split", "count"),
    [
        ("nlvr", "test", 990),
        ("omniglot", "train", 2512),
        ("tiny-imagenet", "train", 9000),
        ("imdb-bytes", "test", 5000),
    ],
)
def test_real_data_is_complete(mirror: Path, name: str, split: str, count: int) -> None:
    whole: Any = TASKS.get(name).configured("task", "paper", {})  # at scale smoke some decode what they use alone
    assert len(whole.arrays(mirror).arrays[f"{split}_labels"]) == count


def test_real_geometric_shapes_archive(mirror: Path) -> None:
    found = arrays("geometric-shapes", mirror)
    assert found["train_points"].shape == found["test_points"].shape == (40, 16384, 3)
    assert len(set(found["class_names"].tolist())) == 40


# -- what is broken ------------------------------------------------------------------------------------------------


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


BIRD = "images/001.bird1/bird_0.jpg"
BED = "modelnet10/bed/train/bed_0001.off"
PARQUET = "00000-of-00001.parquet"
CIFAR10 = f"uoft-cs/cifar10/plain_text/test-{PARQUET}"
CUB, MESHES, PICTURES = "cub-200-2011", "modelnet10/bed", "imagenet/val/n01443537"
Damage = Callable[[Path], object]


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


FLAT = "OFF\n3 0 0\n0 0 0\n1 0 0\n0 1 0\n"
WILD = "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 9\n"
IMDB = f"stanfordnlp/imdb/plain_text/train-{PARQUET}"
OMNIGLOT = "omniglot/images_background_small.parquet"
LABELS = f"{CUB}/image_class_labels.txt"
DEV = "nlvr2/data/dev.json"
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


# -- less than the whole data set ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "partial"),
    [
        ("cifar10", ["120 of 50,000 train examples", "80 of 10,000 test examples"]),
        ("cifar100", ["200 of 50,000 train examples", "100 of 10,000 test examples"]),
        ("tiny-imagenet", ["4 of 200 classes"]),
        ("imdb-bytes", ["40 of 25,000 train reviews", "20 of 25,000 test reviews"]),
        ("modelnet40", ["3 of 40 classes"]),
    ],
)
def test_shortages_of_a_partial_copy(made_mirror: Path, name: str, partial: list[str]) -> None:
    assert list(live(name, made_mirror).partial) == partial


def test_class_without_examples_does_not_count(tmp_path: Path) -> None:
    miniatures.make_tiny_imagenet(tmp_path)
    place = tmp_path / "zh-plus/tiny-imagenet/data"
    for file in place.glob("*.parquet"):
        label = {"names": [f"n{number:08d}" for number in range(200)], "_type": "ClassLabel"}
        info = json.dumps({"info": {"features": {"image": {"_type": "Image"}, "label": label}}})
        pq.write_table(pq.read_table(file).replace_schema_metadata({"huggingface": info}), file)
    assert live("tiny-imagenet", tmp_path).partial == ["4 of 200 classes"]


def test_more_classes_than_the_data_set_has_are_said(tmp_path: Path) -> None:
    names = [f"n{number:08d}" for number in range(202)]
    for split in ("train", "valid"):
        file = tmp_path / f"zh-plus/tiny-imagenet/data/{split}-{PARQUET}"
        miniatures.labelled_images(file, names, 1, 64, ("image", "label"))
    assert live("tiny-imagenet", tmp_path).partial == ["202 classes instead of 200"]


def test_more_examples_than_the_data_set_has_are_said(made_mirror: Path) -> None:
    omniglot = task("omniglot")
    assert isinstance(omniglot, ArrayTask)
    found = arrays("omniglot", made_mirror)
    found["train_labels"] = np.arange(157 * 20) % 157
    found["test_labels"] = np.zeros(100, dtype=np.int16)
    said = omniglot.shortages(found)
    assert said[0] == "3,140 train drawings instead of 2,512"
    assert "100 of 314 test drawings" in said
    found["train_labels"] = np.arange(964)  # of the large background set
    assert omniglot.shortages(found) == ["964 classes instead of 157"]


def test_few_of_long_range_arena_s_expressions_are_said(made_mirror: Path) -> None:
    lra = TASKS.get("listops").configured("task", "smoke", {"data": "lra"})
    assert isinstance(lra, ArrayTask)
    assert lra.shortages(dict(lra.arrays(made_mirror).arrays))[0].endswith("of 96,000 train examples")


@pytest.mark.parametrize(
    ("name", "make", "column"),
    [
        ("cifar10", miniatures.make_cifar10, "label"),
        ("tiny-imagenet", miniatures.make_tiny_imagenet, "label"),
        ("imdb-bytes", miniatures.make_imdb, "label"),
    ],
)
def test_labels_go_by_class_name(name: str, make: Callable[[Path], None], column: str, tmp_path: Path) -> None:
    """A copy that lists the classes the other way round has the same labels for the same examples."""
    make(tmp_path)
    before = arrays(name, tmp_path)
    for file in sorted(tmp_path.rglob("*.parquet")):
        table = pq.read_table(file)
        info = json.loads(table.schema.metadata[b"huggingface"])
        names = info["info"]["features"][column]["names"]
        names.reverse()
        turned = [len(names) - 1 - label for label in table.column(column).to_pylist()]
        table = table.set_column(table.column_names.index(column), column, [turned])
        pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(info)}), file)
    after = arrays(name, tmp_path)
    assert after.keys() == before.keys()
    for key, array in before.items():
        np.testing.assert_array_equal(after[key], array)


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


def named_classes(root: Path, split: str, names: list[str]) -> None:
    """Tiny-ImageNet's split with one image a class, under these names."""
    file = root / f"zh-plus/tiny-imagenet/data/{split}-{PARQUET}"
    miniatures.labelled_images(file, names, 20, 64, ("image", "label"))


def test_labels_are_mapped_to_the_training_split_s_class_order(tmp_path: Path) -> None:
    named_classes(tmp_path, "train", ["n1", "n2", "n3"])
    named_classes(tmp_path, "valid", ["n3", "n1"])
    found = arrays("tiny-imagenet", tmp_path)
    assert found["class_names"].tolist() == [b"n1", b"n2", b"n3"]
    assert found["test_labels"].tolist() == [2] * 20 + [0] * 20


def test_class_of_the_test_split_only_is_named(tmp_path: Path) -> None:
    named_classes(tmp_path, "train", ["n1", "n2"])
    named_classes(tmp_path, "valid", ["n1", "n7"])
    with pytest.raises(UserError, match=r"split test, .*its class 'n7' is not among the training split's"):
        arrays("tiny-imagenet", tmp_path)


def test_renditions_are_stretched_not_cut(tmp_path: Path) -> None:
    """Published: resized to 64×64. The left edge of a wide picture must still be there."""
    wide = np.zeros((64, 192, 3), dtype=np.uint8)
    wide[:, :48] = 255
    miniatures.save(Image.fromarray(wide), tmp_path / "n1" / "art_0.png")
    found = class_images("made", tmp_path, ["n1"], (3, 64, 64)).arrays["images"]
    assert found[0, 0, 32, :12].min() > 200
    assert found[0, 0, 32, 20:].max() < 50


AUGMENTS = {"mixup": 0.5, "cutmix": 0.5, "flip": True, "crop_padding": 2, "randaugment": 5, "erasing": 0.2}


@pytest.mark.parametrize("option", AUGMENTS)
def test_augmentation_that_changes_a_sentence_s_truth_is_refused(made_mirror: Path, option: str) -> None:
    found = task("nlvr")
    assert isinstance(found, SentenceImageTask)
    recipe = ImageRecipe.model_validate(found.recipes["smoke"].model_dump())
    changed = recipe.model_copy(update={"augment": recipe.augment.model_copy(update={option: AUGMENTS[option]})})
    with pytest.raises(UserError, match=rf"training\.augment\.{option} = .*; leave it off for NLVR"):
        found.build(made_mirror, changed)


def test_repaired_data_is_read_again(tmp_path: Path) -> None:
    miniatures.make_cub(tmp_path)
    lists = tmp_path / "cub-200-2011/images.txt"
    whole = lists.read_text()
    set_line(lists, 3, "3 a b")
    with pytest.raises(UserError, match="line 3"):
        arrays("lowshot-cub", tmp_path)
    lists.write_text(whole)
    assert len(arrays("lowshot-cub", tmp_path)["train_labels"]) == 35
