"""Reader of NLVR2 (Suhr et al. 2019): JSON lines, and two photographs per example."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nacbench.data.array_task import labels_in_use
from nacbench.data.images.decoder import decoded
from nacbench.data.images.reading import Shape, file_content, resized
from nacbench.data.mirror.cache import Arrays, cached_arrays
from nacbench.data.sentences.task import SentenceImageTask, encode_sentences
from nacbench.data.unreadable import left_out, read_all, skip_stamp
from nacbench.errors import UserError, shown
from nacbench.formats.reading import parse_json, read_bytes

if TYPE_CHECKING:
    from PIL.Image import Image

FOLDERS = {"train": "train", "validation": "dev", "test": "test1"}
LARGEST = 2**30  # bytes of a file of examples
LABELS = {"False": 0, "True": 1}


def read_nlvr2(task: SentenceImageTask, folder: Path) -> Arrays:
    """Return images (both photographs side by side), sentences (word numbers) and labels by split, and the vocabulary.

    Args:
        task: says the size of the pair, of which each photograph gets half the width, and of the vocabulary, and which
            examples are in use; only their photographs are decoded.
        folder: has ``data/*.json`` and ``images/<split>/…``.

    Raises:
        UserError: if a line or a photograph is missing or broken.
    """
    files = {split: folder / "data" / f"{name}.json" for split, name in FOLDERS.items()}

    def decode() -> Mapping[str, np.ndarray]:
        arrays: dict[str, np.ndarray] = {}
        sentences, there = {}, {}
        for split, file in files.items():
            own = read_examples(file)
            stems = [photograph_stem(folder / "images" / FOLDERS[split], example) for example in own]
            used = task.in_use(split, len(own))
            images, kept = _pairs([stems[number] for number in used], task.shape, split)
            labels = np.array([LABELS[example["label"]] for example in own], dtype=np.int16)
            arrays |= {f"{split}_images": images} | labels_in_use(split, labels, used, kept) | left_out(split, kept)
            there[split] = used[kept]
            sentences[split] = [example["sentence"] for example in own]
        return arrays | encode_sentences(sentences, task.vocabulary, task.max_words, there)

    stamp = f"{task.shape} {task.vocabulary} {task.max_words}{skip_stamp()}{task.use_stamp()}"
    return cached_arrays("nlvr2", stamp, decode, folder)


def _pairs(stems: Sequence[Path], shape: Shape, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the pair of photographs of each stem that has a readable one, and which stems these are, N."""
    distinct = list(dict.fromkeys(stems))  # decoded once each: several sentences share a pair of photographs
    pairs, kept = read_all(partial(_read_pair, shape=shape), distinct, len(distinct), shape, f"NLVR2, {split}")
    position = {
        stem: number for number, stem in enumerate(stem for stem, own in zip(distinct, kept, strict=True) if own)
    }
    there = np.array([stem in position for stem in stems])
    return pairs[[position[stem] for stem in stems if stem in position]], there


def _read_pair(stem: Path, shape: Shape) -> np.ndarray:
    """Return both photographs of a pair side by side."""
    paths = [stem.with_name(f"{stem.name}-img{side}.png") for side in (0, 1)]
    return side_by_side([decoded(file_content(path), str(path), shape[0]) for path in paths], shape)


def side_by_side(pair: Sequence[Image], shape: Shape) -> np.ndarray:
    """Return two photographs of any size as one image: uint8 of the given shape, of which each has half the width."""
    half = (shape[0], shape[1], shape[2] // 2)
    return np.concatenate([resized(photograph, half) for photograph in pair], axis=-1)


def read_examples(file: Path) -> list[dict[str, Any]]:
    """Read and check the examples of a split.

    Raises:
        UserError: if the file or a line is broken; names the file, the line and the reason.
    """
    examples = []
    for number, line in enumerate(read_bytes(file, largest=LARGEST).splitlines(), start=1):
        where = f"{file}, line {number}"
        example = parse_json(line, where)
        if not isinstance(example, dict):
            raise UserError(f"{where} is {shown(example)}, not a JSON object")
        missing = [key for key in ("identifier", "sentence", "label") if not isinstance(example.get(key), str)]
        if missing:
            raise UserError(f"{where} has no text under {missing[0]!r}")
        if example["label"] not in LABELS:
            raise UserError(f"{where}: label {shown(example['label'])} is neither 'True' nor 'False'")
        examples.append(example)
    if not examples:
        raise UserError(f"{file} has no examples; copy it again")
    return examples


def photograph_stem(place: Path, example: Mapping[str, Any]) -> Path:
    """Return the path of an example's two photographs, without ``-img0.png``.

    The identifier is ``split-set-pair-sentence``; without its last part it names the pair. Training photographs lie in
    numbered directories, or all in one.

    Raises:
        UserError: if identifier or directory cannot be part of such a path.
    """
    name = example["identifier"].rpartition("-")[0]
    if not re.fullmatch(r"[\w.-]{1,200}", name):  # a path from a file must not lead out of the data set's folder
        raise UserError(
            f"{place}: identifier {shown(example['identifier'])} is not of the form split-set-pair-sentence"
        )
    directory = example.get("directory")
    if directory is None:
        return place / name
    if not re.fullmatch(r"[0-9]{1,6}", str(directory)):
        raise UserError(f"{place}: directory {shown(directory)} of {example['identifier']} is not a number")
    inside = place / str(int(directory)) / name
    return inside if inside.parent.is_dir() else place / name
