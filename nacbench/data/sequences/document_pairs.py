"""Reader of pairs of documents with a label, as Long Range Arena's retrieval task has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from nacbench.data.array_task import ALL_LABELS, ArrayTask
from nacbench.data.mirror.cache import Arrays, cached_arrays
from nacbench.data.sequences.raw import symbols_of
from nacbench.errors import UserError, shown

FILES = {"train": "new_aan_pairs.train.tsv", "validation": "new_aan_pairs.eval.tsv", "test": "new_aan_pairs.test.tsv"}
SEPARATOR = 255  # a byte that no UTF-8 text has
LABELS = {b"0": 0, b"0.0": 0, b"1": 1, b"1.0": 1}


def read_pairs(folder: Path, most: int, task: ArrayTask) -> Arrays:
    """Return ``…_symbols`` (uint8 N×(2·most + 1), padded with 0) and ``…_labels`` (int16 N) of each split.

    An example is the first document's bytes, a separator, and the second's.

    Args:
        folder: has the three files; each line is a label, two identifiers and two texts, with tabs between them.
        most: bytes that are kept of a document.
        task: says which examples are in use; only these are kept.

    Raises:
        UserError: if a file cannot be read or a line is not as it should be; names file and line.
    """

    def read() -> Mapping[str, np.ndarray]:
        arrays: dict[str, np.ndarray] = {}
        for split, name in FILES.items():
            arrays |= _split(folder / name, most, split, task)
        return arrays

    return cached_arrays("document-pairs", f"{most}{task.use_stamp()}", read, folder)


def _split(path: Path, most: int, split: str, task: ArrayTask) -> dict[str, np.ndarray]:
    count = sum(1 for _ in _lines(path))
    if not count:
        raise UserError(f"{path} has no lines; get it again")
    used = task.in_use(split, count)
    rows = dict(zip(used.tolist(), range(len(used)), strict=True))
    symbols = np.zeros((len(used), 2 * most + 1), dtype=np.uint8)
    labels = np.empty(count, dtype=np.int16)
    for number, line in enumerate(_lines(path)):
        labels[number], texts = _parsed(line, f"{path}, line {number + 1}")
        row = rows.get(number)
        if row is not None:
            symbols[row] = joined(texts, most)
    arrays = {f"{split}_symbols": symbols, f"{split}_labels": labels[used]}
    return arrays | ({f"{split}{ALL_LABELS}": labels} if len(used) < count else {})


def joined(texts: Sequence[bytes], most: int) -> np.ndarray:
    """Return two documents as they are stored: uint8 2·most + 1."""
    return symbols_of(bytes([SEPARATOR]).join(text[:most] for text in texts), 2 * most + 1)


def _lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file that may be larger than memory."""
    try:
        with path.open("rb") as file:
            for line in file:
                yield line.rstrip(b"\r\n")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error


def _parsed(line: bytes, where: str) -> tuple[int, list[bytes]]:
    """Return label and texts of a line. Quotation marks mean nothing, as in Long Range Arena's own code."""
    cells = line.split(b"\t")
    if len(cells) != 5:
        raise UserError(f"{where} has {len(cells)} cells, not 5: a label, two identifiers and two texts")
    label = LABELS.get(cells[0])
    if label is None:
        raise UserError(f"{where}: the label is {shown(cells[0][:40].decode(errors='replace'))}, not 0 or 1")
    if not (cells[3] and cells[4]):
        raise UserError(f"{where}: a document is empty")
    if any(SEPARATOR in text for text in cells[3:]):
        raise UserError(f"{where} is not UTF-8 text (it has the byte {SEPARATOR})")
    return label, cells[3:]
