"""Reader of NLVR (Suhr et al. 2017) from Parquet files with one row per example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nacbench.data.array_task import labels_in_use
from nacbench.data.class_order import GivenLabels, numbered_by_name
from nacbench.data.images.reading import fitted, image_bytes
from nacbench.data.mirror.cache import Arrays, cached_arrays
from nacbench.data.mirror.parquet import class_names, read_rows
from nacbench.data.sentences.task import SentenceImageTask, encode_sentences
from nacbench.data.unreadable import left_out, read_all, skip_stamp
from nacbench.errors import UserError, shown

COLUMNS = ("identifier", "sentence", "label", "image")
HELD_OUT = 10  # without a training split, every tenth sentence of the validation split is held out


def read_nlvr(task: SentenceImageTask, folder: Path) -> Arrays:
    """Return images, sentences (word numbers) and labels of ``train``, ``validation`` and ``test``, and ``vocabulary``.

    ``has_train_split`` is false if the training examples are part of the data set's validation split.

    Args:
        task: says the size of the images and of the vocabulary, and which examples are in use; only these are decoded.
        folder: has ``<split>.parquet``.

    Raises:
        UserError: if a file is broken.
    """

    def decode() -> Mapping[str, np.ndarray]:
        files = {split: folder / f"{split}.parquet" for split in ("train", "validation", "test")}
        rows = _numbered({split: file for split, file in files.items() if file.exists()})
        own = "train" in rows
        if not own:
            rows["train"], rows["validation"] = hold_out_sentences(rows["validation"])
        arrays: dict[str, np.ndarray] = {"has_train_split": np.array(own)}
        there = {}
        for split, some in rows.items():
            used = task.in_use(split, len(some))
            cells = [some[number] for number in used]
            images, kept = read_all(
                partial(row_image, shape=task.shape), cells, len(cells), task.shape, f"NLVR, {split}"
            )
            labels = np.array([row["label"] for row in some], dtype=np.int16)
            arrays |= {f"{split}_images": images} | labels_in_use(split, labels, used, kept) | left_out(split, kept)
            there[split] = used[kept]
        sentences = {split: [row["sentence"] for row in some] for split, some in rows.items()}
        return arrays | encode_sentences(sentences, task.vocabulary, task.max_words, there)

    stamp = f"{task.shape} {task.vocabulary} {task.max_words}{skip_stamp()}{task.use_stamp()}"
    return cached_arrays("nlvr", stamp, decode, folder)


def hold_out_sentences(rows: Sequence[Mapping[str, Any]]) -> tuple[list[Any], list[Any]]:
    """Split off the rows of every tenth sentence; return the rest and those held out.

    A sentence stays on one side with all its pictures: otherwise validation would score sentences seen in training.

    Raises:
        UserError: if there are fewer than ten sentences.
    """
    numbers = {name: position for position, name in enumerate(dict.fromkeys(_sentence_id(row) for row in rows))}
    held = [numbers[_sentence_id(row)] % HELD_OUT == HELD_OUT - 1 for row in rows]
    if not any(held):
        raise UserError(
            f"NLVR has no training split, and its validation split only {len(numbers)} sentences; at least {HELD_OUT} "
            "are needed to hold one out: copy train.parquet or more of validation.parquet"
        )
    rest = [row for row, out in zip(rows, held, strict=True) if not out]
    return rest, [row for row, out in zip(rows, held, strict=True) if out]


def _sentence_id(row: Mapping[str, Any]) -> str:
    return str(row["identifier"]).partition("-")[0]  # identifiers are <sentence>-<picture>


def _numbered(files: Mapping[str, Path]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each split, their labels as positions in one order of the classes of all splits."""
    rows = {split: _rows(file) for split, file in files.items()}
    given = {
        split: GivenLabels([int(row["label"]) for row in rows[split]], class_names(file, "label"))
        for split, file in files.items()
    }
    labels, _ = numbered_by_name(given, str(next(iter(files.values())).parent), classes=2)
    return {
        split: [{**row, "label": label} for row, label in zip(rows[split], labels[split].tolist(), strict=True)]
        for split in rows
    }


def _rows(file: Path) -> list[dict[str, Any]]:
    rows = list(read_rows(file, COLUMNS))
    for number, row in enumerate(rows):
        if row["label"] not in (0, 1):
            raise UserError(f"{file}, row {number}: the label is {shown(row['label'])}, not 0 or 1")
        for column in ("identifier", "sentence"):
            if not isinstance(row[column], str):
                raise UserError(f"{file}, row {number}: {column} is {shown(row[column])}, not text")
        row["where"] = f"{file}, row {number} ({row['identifier']})"
    return rows


def row_image(row: Mapping[str, Any], shape: tuple[int, int, int]) -> np.ndarray:
    """Return the image in a row's column ``image`` as uint8 of the given shape."""
    return fitted(image_bytes(row["image"], row["where"]), shape, row["where"])
