"""Each loader on a miniature of its format, and on real data: the right content arrives."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from nacbench.contracts.task import EvaluationTask
from nacbench.data.images.image_files import class_images
from nacbench.data.images.recipe import ImageRecipe
from nacbench.data.sentences.nlvr import hold_out_sentences
from nacbench.data.sentences.task import SentenceImageTask
from nacbench.errors import UserError
from nacbench.protocols.renditions import Renditions, masked
from nacbench.registry import TASKS

from .. import miniatures
from .loaded import arrays, live, task


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
