"""Files of ListOps as Long Range Arena publishes them."""

import random
from pathlib import Path

import numpy as np
import pytest

from nacbench.data.sequences.listops import (
    CHECKED_AT_ONCE,
    decode,
    encode,
    evaluate_tokens,
    read_tsv,
)
from nacbench.errors import UserError

from .listops_trees import grow, length_of, padded, pairs_of, text_of, value_of


def written(folder: Path, *lines: str, header: str = "Source\tTarget", end: str = "\r\n") -> Path:
    """A file with the header and these lines."""
    path = folder / "basic_train.tsv"
    path.write_bytes("".join(f"{line}{end}" for line in (header, *lines)).encode())
    return path


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_read_tsv(tmp_path: Path, end: str) -> None:
    rng = random.Random(0)
    some = [grow(rng) for _ in range(50)]
    lines = [f"{pairs_of(tree)}\t{value_of(tree)}" for tree in some]
    tokens, labels = read_tsv(written(tmp_path, *lines, end=end), 700)
    assert tokens.shape == (50, 700)
    assert tokens.dtype == np.uint8
    assert labels.dtype == np.int16
    assert labels.tolist() == [value_of(tree) for tree in some]
    assert np.array_equal(tokens, padded([encode(text_of(tree))[:700] for tree in some], 700))
    assert any(length_of(tree) > 700 for tree in some)


def test_read_tsv_of_an_original_line(tmp_path: Path) -> None:
    path = written(tmp_path, "( ( ( ( [MAX 2 ) 9 ) ( ( ( [MIN 4 ) 7 ) ] ) ) ] )\t9", "( ( ( [SM 2 ) 9 ) ] )\t1")
    tokens, labels = read_tsv(path, 8)
    assert [decode(row) for row in tokens] == ["[MAX 2 9 [MIN 4 7 ] ]", "[SM 2 9 ]"]
    assert labels.tolist() == evaluate_tokens(tokens).tolist() == [9, 1]
    assert [decode(row) for row in read_tsv(path, 3)[0]] == ["[MAX 2 9", "[SM 2 9"]


GOOD = "( ( ( [SM 2 ) 9 ) ] )\t1"


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ([], "line 2: there is no example"),
        ([GOOD, "( ( [SM 2 ) ] )"], "line 3: there is no tab"),
        ([GOOD, ""], "line 3: there is no tab"),
        ([GOOD, "( )\t1"], "line 3: there is no expression"),
        ([GOOD, GOOD, "( ( ( [SUM 2 ) 9 ) ] )\t1"], r"line 4: token 1 '\[SUM' is unknown"),
        (["[SM 2 ü ]\t1"], "line 2: token 3 'ü' is unknown"),
        (["[SM 2 9 ]\tone"], "line 2: the label 'one' is not a number"),
        (["[SM 2 9 ]\t"], "line 2: the label '' is not a number"),
        (["[SM 2 9 ]\t1\t2"], "line 2: the label .* is not a number"),
        (["[SM 2 9 ]\t10"], "line 2: the label 10 is not in 0 to 9"),
        (["[SM 2 9 ]\t-1"], "line 2: the label -1 is not in 0 to 9"),
        ([GOOD, "[SM 2 9 ]\t2"], "line 3: the label is 2, but the expression's value is 1"),
        ([GOOD, GOOD, "[SM 2 [MIN 9 ]\t2", GOOD], "line 4: .*"),
    ],
)
def test_read_tsv_refuses_wrong_lines(tmp_path: Path, lines: list[str], complaint: str) -> None:
    with pytest.raises(UserError, match=f"basic_train.tsv: {complaint}"):
        read_tsv(written(tmp_path, *lines), 100)


def test_read_tsv_needs_the_header(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="line 1: the header is '"):
        read_tsv(written(tmp_path, header=GOOD), 100)
    path = tmp_path / "empty.tsv"
    path.touch()
    with pytest.raises(UserError, match=r"empty.tsv: line 1: the header is missing"):
        read_tsv(path, 100)


def test_read_tsv_refuses_missing_files_and_no_length(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*none.tsv: No such file"):
        read_tsv(tmp_path / "none.tsv", 100)
    with pytest.raises(UserError, match="max_length = 0"):
        read_tsv(written(tmp_path, GOOD), 0)


def test_read_tsv_checks_labels_of_cut_expressions(tmp_path: Path) -> None:
    long = f"[MAX {'1 ' * 200}9 ]"
    lines = [f"{long}\t9"] * (CHECKED_AT_ONCE + 5)
    assert read_tsv(written(tmp_path, *lines), 10)[1].tolist() == [9] * len(lines)
    lines[CHECKED_AT_ONCE + 2] = f"{long}\t1"
    with pytest.raises(UserError, match=f"line {CHECKED_AT_ONCE + 4}: the label is 1, but the expression's value is 9"):
        read_tsv(written(tmp_path, *lines), 10)
