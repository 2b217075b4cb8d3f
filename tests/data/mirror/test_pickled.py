"""The unpickler of CIFAR's batches: arrays, lists, dictionaries, text and numbers, and nothing else."""

import collections
import datetime
import pickle
from pathlib import Path

import numpy as np
import pytest

from nacbench.errors import UserError
from tests.data.copies import cifar
from tests.data.copies.colours import write_files
from tests.data.mirror.test_door import arrays_of, imported

pytestmark = pytest.mark.usefixtures("cache")

MADE = cifar.examples("cifar10", batches=5)
FILES = cifar.python10(MADE)
BATCH = "cifar-10-batches-py/data_batch_3"
PIXELS = cifar.planes(MADE.images[2])
LABELS = list(MADE.labels[2])


def refused(content: bytes, root: Path, place: Path) -> str:
    """What is said of a copy with another third batch."""
    mine = write_files(place / "mine", {**FILES, BATCH: content})
    with pytest.raises(UserError) as caught:
        imported("cifar10", root, mine)
    assert str(caught.value).startswith(f"{mine / BATCH}")
    assert list(root.rglob("*")) == []
    return str(caught.value)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_batches_of_every_protocol_are_read(protocol: int, root: Path, tmp_path: Path) -> None:
    batch = {"labels": LABELS, "data": PIXELS, "batch_label": "made"}
    files = {**FILES, BATCH: pickle.dumps(batch, protocol)}
    imported("cifar10", root, write_files(tmp_path, files))
    assert arrays_of("cifar10", root)["train_labels"].tolist()[24:36] == LABELS


def test_an_array_in_fortran_s_order_is_read(root: Path, tmp_path: Path) -> None:
    batch = {b"labels": LABELS, b"data": np.asfortranarray(PIXELS)}
    imported("cifar10", root, write_files(tmp_path, {**FILES, BATCH: pickle.dumps(batch, 2)}))
    images = arrays_of("cifar10", root)["train_images"][24:36]
    np.testing.assert_array_equal(images, MADE.images[2].transpose(0, 3, 1, 2))


STRANGERS = {
    "collections.OrderedDict": collections.OrderedDict(labels=LABELS, data=PIXELS),
    "datetime.date": {"labels": LABELS, "data": PIXELS, "when": datetime.date(2009, 4, 8)},
    "builtins.set": {"labels": LABELS, "data": PIXELS, "of": {1, 2}},
    "builtins.slice": {"labels": slice(12), "data": PIXELS},
}


@pytest.mark.parametrize("name", STRANGERS)
def test_anything_else_is_refused_by_name(name: str, root: Path, tmp_path: Path) -> None:
    told = refused(pickle.dumps(STRANGERS[name], 2), root, tmp_path)
    assert f"is a pickle with '{name.replace('builtins', '__builtin__')}'; " in told
    assert "is not read, as it could run a program" in told


def test_a_name_of_any_length_is_refused_in_a_short_line(root: Path, tmp_path: Path) -> None:
    told = refused(b"\x80\x02c" + b"module" * 1000 + b"\nname\n.", root, tmp_path)
    assert len(told.splitlines()) == 1 and len(told) < 400
    assert "is a pickle with 'modulemodule" in told and "is not read, as it could run a program" in told


WRONG = {
    "is not an array of 12×3,072 bytes": {"labels": LABELS, "data": PIXELS[:, :3000]},
    "has an array that is not of bytes": {"labels": LABELS, "data": PIXELS.astype(np.float32)},
    "has no list 'labels' of type int": {"labels": [str(label) for label in LABELS], "data": PIXELS},
    "label 10 is not one of 10 classes": {"labels": [10] * 12, "data": PIXELS},
    "has no dictionary": [1, 2, 3],
}


@pytest.mark.parametrize("told", WRONG)
def test_wrong_batches_are_named(told: str, root: Path, tmp_path: Path) -> None:
    assert told in refused(pickle.dumps(WRONG[told], 2), root, tmp_path)


@pytest.mark.parametrize("length", [0, 1, 100, 5000, 30_000])
def test_cut_batches_are_named(length: int, root: Path, tmp_path: Path) -> None:
    assert "is not a whole pickle" in refused(FILES[BATCH][:length], root, tmp_path)


def test_images_of_another_size_are_refused(root: Path, tmp_path: Path) -> None:
    small = cifar.Examples(MADE.names, [images[:, ::2, ::2] for images in MADE.images], MADE.labels)
    mine = write_files(tmp_path / "mine", cifar.hub(small, "plain_text", "label"))
    with pytest.raises(UserError, match=r"row 0: the image has 16×16 pixels, and the data set's have 32×32"):
        imported("cifar10", root, mine)
