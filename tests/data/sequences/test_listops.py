"""ListOps against a plain recursive generator and a plain recursive evaluation."""

import hashlib
import random
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nacbench.data.sequences import listops, listops_evaluation
from nacbench.data.sequences.listops import (
    CHECKED_AT_ONCE,
    VOCABULARY,
    decode,
    encode,
    evaluate,
    evaluate_tokens,
    generate,
    read_tsv,
)
from nacbench.errors import UserError

OPERATORS = ("[MIN", "[MAX", "[MED", "[SM")
Tree = int | tuple[str, list["Tree"]]

digits = st.integers(0, 9)
operators = st.sampled_from(OPERATORS)
bushes: st.SearchStrategy[Tree] = st.recursive(
    digits, lambda trees: st.tuples(operators, st.lists(trees, min_size=1, max_size=12)), max_leaves=50
)
layers = st.tuples(operators, st.lists(digits, max_size=4), st.lists(digits, max_size=4))


@st.composite
def ladders(draw: st.DrawFn) -> Tree:
    """A deep tree: every operator has at most one other among its arguments."""
    tree: Tree = draw(bushes)
    for operator, before, after in draw(st.lists(layers, min_size=5, max_size=60)):
        tree = (operator, [*before, tree, *after])
    return tree


trees = bushes | ladders()


def grow(
    rng: random.Random, max_depth: int = 10, max_args: int = 10, digit_share: float = 0.75, depth: int = 1
) -> Tree:
    """The rules as they are told."""
    if depth == max_depth or rng.random() < digit_share:
        return rng.randrange(10)
    arguments = [grow(rng, max_depth, max_args, digit_share, depth + 1) for _ in range(rng.randint(2, max_args))]
    return rng.choice(OPERATORS), arguments


def length_of(tree: Tree) -> int:
    return 1 if isinstance(tree, int) else 2 + sum(length_of(argument) for argument in tree[1])


def text_of(tree: Tree) -> str:
    return str(tree) if isinstance(tree, int) else " ".join([tree[0], *map(text_of, tree[1]), "]"])


def pairs_of(tree: Tree) -> str:
    """As Long Range Arena writes it: an operator takes its arguments and its bracket one by one."""
    if isinstance(tree, int):
        return str(tree)
    text = tree[0]
    for part in [*map(pairs_of, tree[1]), "]"]:
        text = f"( {text} {part} )"
    return text


def parsed(tokens: Iterator[str]) -> Tree | None:
    """The next tree, or None for a closing bracket."""
    token = next(tokens)
    if token == "]":
        return None
    if token.isdigit():
        return int(token)
    arguments = []
    while (argument := parsed(tokens)) is not None:
        arguments.append(argument)
    return token, arguments


def tree_of(text: str) -> Tree:
    tokens = iter(text.split())
    tree = parsed(tokens)
    assert tree is not None
    assert list(tokens) == []
    return tree


def value_of(tree: Tree) -> int:
    if isinstance(tree, int):
        return tree
    values = [value_of(argument) for argument in tree[1]]
    if tree[0] == "[MIN":
        return min(values)
    if tree[0] == "[MAX":
        return max(values)
    return int(statistics.median(values)) if tree[0] == "[MED" else sum(values) % 10


def padded(rows: Sequence[np.ndarray], width: int = 0) -> np.ndarray:
    """Rows of symbols below each other, at least so wide."""
    tokens = np.zeros((len(rows), max([width, *map(len, rows)])), dtype=np.uint8)
    for row, symbols in zip(tokens, rows, strict=True):
        row[: len(symbols)] = symbols
    return tokens


@settings(max_examples=60, deadline=None)
@given(trees)
def test_evaluate_equals_a_recursive_evaluation(tree: Tree) -> None:
    assert evaluate(text_of(tree)) == value_of(tree)
    assert evaluate(pairs_of(tree)) == value_of(tree)


@settings(max_examples=40, deadline=None)
@given(st.lists(trees, min_size=1, max_size=10), st.integers(0, 300), st.sampled_from([np.uint8, np.int16, np.int64]))
def test_evaluate_tokens_equals_evaluate(some: list[Tree], width: int, dtype: type[np.integer]) -> None:
    tokens = padded([encode(text_of(tree)) for tree in some], width).astype(dtype)
    values = evaluate_tokens(tokens)
    assert values.dtype == np.uint8
    assert values.tolist() == [value_of(tree) for tree in some]


@settings(max_examples=60, deadline=None)
@given(trees, st.integers(0, 20))
def test_encode_and_decode_round_trip(tree: Tree, padding: int) -> None:
    symbols = encode(text_of(tree))
    assert symbols.dtype == np.uint8
    assert len(symbols) == length_of(tree)
    assert decode(np.pad(symbols, (0, padding))) == text_of(tree)
    assert np.array_equal(encode(pairs_of(tree)), symbols)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.integers(0, 17), max_size=8) | st.lists(st.sampled_from([0, 1, 11, 15]), max_size=8))
def test_evaluate_tokens_and_evaluate_raise_the_same_errors(row: list[int]) -> None:
    tokens = np.array([row], dtype=np.uint8)
    try:
        expected = evaluate(decode(tokens[0]))
    except UserError as error:
        with pytest.raises(UserError) as raised:
            evaluate_tokens(tokens)
        assert str(raised.value) == f"row 0: {error}"
    else:
        assert evaluate_tokens(tokens).tolist() == [expected]


def test_vocabulary() -> None:
    assert VOCABULARY[1:] == (*"0123456789", *OPERATORS, "]")
    assert encode("[MAX 0 9 ]").tolist() == [12, 1, 10, 15]
    assert VOCABULARY[0] not in VOCABULARY[1:]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("7", 7),
        ("( 7 )", 7),
        ("[MED 1 2 ]", 1),
        ("[MED 9 0 8 ]", 8),
        ("[MED 9 8 8 9 ]", 8),
        ("[SM 9 9 9 ]", 7),
        ("[MIN 4 ]", 4),
        ("  [MAX 2 9\t[MIN 4 7 ] 0 ]\n", 9),
        ("[MAX 2 (9) [MIN 4 7 ] 0 ]", 9),
    ],
)
def test_known_values(expression: str, value: int) -> None:
    assert evaluate(expression) == value


def test_depth_is_not_limited_by_recursion() -> None:
    depth = 4000
    text = "[SM 1 " * depth + "5" + " ]" * depth
    assert evaluate(text) == (depth + 5) % 10
    assert evaluate_tokens(encode(text)[None]).tolist() == [(depth + 5) % 10]


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("", "is empty"),
        ("( )", "is empty"),
        ("[MAX 1 [FOO 2 ] ]", r"token 3 '\[FOO' is unknown"),
        ("[MAX 1 10 ]", "token 3 '10' is unknown"),
        ("[max 1 2 ]", r"token 1 '\[max' is unknown"),
        ("[MAX 1 2", r"token 1 '\[MAX' is not closed"),
        ("( [MAX ( [SM 1 ) ) ]", r"token 1 '\[MAX' is not closed"),
        ("[MAX 1 [MIN ] ]", r"token 3 '\[MIN' has no arguments"),
        ("]", r"token 1 '\]' closes no operator"),
        ("3 4", "token 2 '4' stands after the end"),
        ("[MAX 1 2 ] ]", r"token 5 '\]' stands after the end"),
        ("[MAX 1 2 ] [MIN 3 4 ]", r"token 5 '\[MIN' stands after the end"),
    ],
)
def test_invalid_syntax_is_refused(expression: str, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        evaluate(expression)


@pytest.mark.parametrize(
    ("row", "complaint"),
    [([0, 1], "token 1: padding before the end"), ([12, 1, 0, 15], "token 3: padding"), ([16], "token 1: 16 is no")],
)
def test_decode_refuses_invalid_symbols(row: list[int], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        decode(np.array(row))


def test_encode_refuses_unknown_tokens_only() -> None:
    with pytest.raises(UserError, match="token 2 'x' is unknown"):
        encode("[MAX x ]")
    assert encode("] 3").tolist() == [15, 4]
    assert encode("").shape == (0,)


def test_evaluate_tokens_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens, labels = generate(300, longer_than=10, shorter_than=60, seed=1)
    monkeypatch.setattr(listops_evaluation, "ROWS_TOKENS", 59 * 7)
    assert np.array_equal(evaluate_tokens(tokens), labels)
    tokens[251, 0] = 3
    with pytest.raises(UserError, match="row 251: token 2"):
        evaluate_tokens(tokens)


@pytest.mark.parametrize("tokens", [np.ones(3, np.uint8), np.ones((1, 1, 1), np.uint8), np.ones((2, 1))])
def test_evaluate_tokens_refuses_other_arrays(tokens: np.ndarray) -> None:
    with pytest.raises(ValueError, match="N×length"):
        evaluate_tokens(tokens)


def test_evaluate_tokens_of_no_rows() -> None:
    assert evaluate_tokens(np.zeros((0, 5), np.uint8)).shape == (0,)


@settings(max_examples=30, deadline=None)
@given(
    count=st.integers(1, 60),
    longer_than=st.integers(4, 20),
    room=st.integers(8, 60),
    seed=st.integers(0, 2**63),
    max_depth=st.integers(5, 12),
    max_args=st.integers(5, 15),
)
def test_generated_expressions_follow_the_rules(
    count: int, longer_than: int, room: int, seed: int, max_depth: int, max_args: int
) -> None:
    shorter_than = longer_than + room
    tokens, labels = generate(
        count, longer_than=longer_than, shorter_than=shorter_than, seed=seed, max_depth=max_depth, max_args=max_args
    )
    assert tokens.shape == (count, shorter_than - 1)
    assert labels.shape == (count,)
    assert tokens.dtype == np.uint8
    assert labels.dtype == np.int16
    texts = [decode(row) for row in tokens]
    assert len(set(texts)) == count
    for text, label in zip(texts, labels, strict=True):
        tree = tree_of(text)
        assert longer_than < length_of(tree) < shorter_than
        assert label == value_of(tree) == evaluate(text)
        assert all(2 <= number <= max_args for number in arguments_of(tree))
        assert depth_of(tree) <= max_depth


def arguments_of(tree: Tree) -> list[int]:
    """Numbers of arguments of all operators."""
    if isinstance(tree, int):
        return []
    return [len(tree[1]), *(number for argument in tree[1] for number in arguments_of(argument))]


def depth_of(tree: Tree) -> int:
    return 1 if isinstance(tree, int) else 1 + max(depth_of(argument) for argument in tree[1])


def described(tree: Tree) -> list[float]:
    """What two generators are compared by."""
    tokens = text_of(tree).split()
    arguments = arguments_of(tree)
    numbers = [arguments.count(number) / len(arguments) for number in range(2, 11)]
    shares = [tokens.count(token) / len(tokens) for token in (*OPERATORS, *"0123456789")]
    depth = depth_of(tree)
    return [len(tokens), len(tokens) ** 2, depth, depth == 10, depth >= 9, len(arguments), *numbers, *shares]


def slowly(count: int, limits: tuple[int, int], seed: int, **rules: float) -> np.ndarray:
    """Descriptions of as many trees within the limits."""
    rng = random.Random(seed)
    rows: list[list[float]] = []
    while len(rows) < count:
        tree = grow(rng, **rules)  # type: ignore[arg-type]
        if limits[0] < length_of(tree) < limits[1]:
            rows.append(described(tree))
    return np.array(rows)


def quickly(count: int, limits: tuple[int, int], seed: int) -> np.ndarray:
    tokens, _ = generate(count, longer_than=limits[0], shorter_than=limits[1], seed=seed)
    return np.array([described(tree_of(decode(row))) for row in tokens])


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """How many standard errors the means of two samples are apart, at most."""
    apart = np.abs(one.mean(axis=0) - other.mean(axis=0))
    error = np.sqrt(one.var(axis=0) / len(one) + other.var(axis=0) / len(other))
    return float(np.max(apart / np.maximum(error, 1e-12)))


ENOUGH = 4.5  # standard errors


@pytest.mark.parametrize(("limits", "count"), [((500, 2000), 400), ((10, 201), 800)])
def test_trees_are_distributed_as_by_a_plain_generator(limits: tuple[int, int], count: int) -> None:
    assert distance(quickly(count, limits, seed=0), slowly(count, limits, seed=0)) < ENOUGH


@pytest.mark.parametrize("wrong", [{"max_depth": 9}, {"max_args": 9}])
def test_distribution_test_detects_other_rules(wrong: dict[str, float]) -> None:
    assert distance(quickly(600, (10, 201), seed=0), slowly(600, (10, 201), seed=0, **wrong)) > 2 * ENOUGH


@pytest.fixture(scope="module")
def lengths() -> np.ndarray:
    tokens, _ = generate(10_000, longer_than=10, shorter_than=2000, seed=3)
    return np.count_nonzero(tokens, axis=1)


def misfit(lengths: np.ndarray, probabilities: np.ndarray) -> float:
    """Chi-square over bins of lengths from 11 to 1999, in standard deviations from its expectation."""
    bins = np.array([*range(11, 200, 9), *range(200, 2000, 100)])
    observed = np.add.reduceat(np.bincount(lengths, minlength=2000), bins)
    expected = np.add.reduceat(probabilities, bins)
    expected *= observed.sum() / expected.sum()
    chi_square = ((observed - expected) ** 2 / expected).sum()
    return float((chi_square - (len(bins) - 1)) / (2 * (len(bins) - 1)) ** 0.5)


def test_lengths_have_their_exact_probabilities(lengths: np.ndarray) -> None:
    assert abs(misfit(lengths, length_probabilities())) < ENOUGH


@pytest.mark.parametrize(
    "wrong", [{"max_depth": 9}, {"max_depth": 11}, {"max_args": 9}, {"digit_share": 0.73}, {"digit_share": 0.77}]
)
def test_length_test_detects_other_rules(lengths: np.ndarray, wrong: dict[str, float]) -> None:
    assert misfit(lengths, length_probabilities(**wrong)) > 2 * ENOUGH  # type: ignore[arg-type]


def length_probabilities(max_depth: int = 10, max_args: int = 10, digit_share: float = 0.75) -> np.ndarray:
    """Of a tree having each length below 2000, from polynomials; a root that is a digit is left out."""
    digit = np.zeros(2000)
    digit[1] = 1
    node, operator = digit, np.zeros(2000)
    for _ in range(max_depth - 1):
        power, operator = node, np.zeros(2000)
        for _ in range(2, max_args + 1):
            power = np.convolve(power, node)[:2000]
            operator[2:] += power[:-2] / (max_args - 1)
        node = digit_share * digit + (1 - digit_share) * operator
    return operator


def test_digits_and_operators_are_uniform() -> None:
    tokens, labels = generate(1500, longer_than=500, shorter_than=2000, seed=5)
    counts = np.bincount(tokens.ravel(), minlength=16)
    assert np.abs(counts[1:11] / counts[1:11].mean() - 1).max() < 0.01
    assert np.abs(counts[11:15] / counts[11:15].mean() - 1).max() < 0.02
    assert counts[15] == counts[11:15].sum()
    assert set(labels.tolist()) == set(range(10))


def test_generated_labels_are_those_of_the_text() -> None:
    tokens, labels = generate(200, longer_than=500, shorter_than=2000, seed=6)
    lengths = np.count_nonzero(tokens, axis=1)
    assert 500 < lengths.min() < lengths.max() < 2000
    assert [evaluate(decode(row)) for row in tokens] == labels.tolist()


def test_small_range_is_enumerated_completely() -> None:
    tokens, _ = generate(400, longer_than=1, shorter_than=5, seed=0)
    pairs = {f"{operator} {a} {b} ]" for operator in OPERATORS for a in range(10) for b in range(10)}
    assert {decode(row) for row in tokens} == pairs
    with pytest.raises(UserError, match="only 400 of 401 distinct expressions longer than 1 and shorter than 5"):
        generate(401, longer_than=1, shorter_than=5, seed=0)


def test_impossible_lengths_are_refused() -> None:
    with pytest.raises(UserError, match="only 0 of 1 distinct"):
        generate(1, longer_than=1, shorter_than=4, seed=0)
    with pytest.raises(UserError, match="only 0 of 5 distinct"):
        generate(5, longer_than=20, shorter_than=30, seed=0, max_depth=2)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"longer_than": 0}, "longer_than = 0: it must be at least 1"),
        ({"shorter_than": 11}, "shorter_than = 11: it must be at least 12"),
        ({"max_depth": 1}, "max_depth = 1"),
        ({"max_args": 1}, "max_args = 1"),
        ({"seed": -1}, "seed = -1"),
        ({"count": 0}, "count = 0"),
    ],
)
def test_invalid_arguments_are_refused(changes: dict[str, int], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        generate(**{"count": 5, "longer_than": 10, "shorter_than": 50, "seed": 0, **changes})


def test_larger_count_extends_a_smaller_one() -> None:
    first, labels = generate(300, longer_than=10, shorter_than=201, seed=0)
    again, same = generate(300, longer_than=10, shorter_than=201, seed=0)
    assert np.array_equal(first, again)
    assert np.array_equal(labels, same)
    more, _ = generate(3000, longer_than=10, shorter_than=201, seed=0)
    assert np.array_equal(first, more[:300])
    other, _ = generate(300, longer_than=10, shorter_than=201, seed=1)
    assert not np.array_equal(first, other)


def test_data_of_a_seed_is_pinned() -> None:
    """A change here changes the ListOps tasks' data: their versions must change with it."""
    tokens, labels = generate(100, longer_than=500, shorter_than=2000, seed=0)
    digest = hashlib.sha256(tokens.tobytes() + labels.astype("<i2").tobytes()).hexdigest()
    assert digest[:16] == "f5665d4420b3eabf"


def test_every_generated_label_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(tokens: np.ndarray) -> np.ndarray:
        values = evaluate_tokens(tokens)
        values[-1] = (values[-1] + 1) % 10
        return values

    monkeypatch.setattr(listops, "evaluate_tokens", wrong)
    with pytest.raises(AssertionError, match="disagree"):
        generate(20, longer_than=10, shorter_than=50, seed=0)


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


def test_import_is_light() -> None:
    heavy = "{'torch', 'pandas', 'scipy', 'pydantic'}"
    code = f"import sys, nacbench.data.sequences.listops; print(*{heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_read_tsv_checks_labels_of_cut_expressions(tmp_path: Path) -> None:
    long = f"[MAX {'1 ' * 200}9 ]"
    lines = [f"{long}\t9"] * (CHECKED_AT_ONCE + 5)
    assert read_tsv(written(tmp_path, *lines), 10)[1].tolist() == [9] * len(lines)
    lines[CHECKED_AT_ONCE + 2] = f"{long}\t1"
    with pytest.raises(UserError, match=f"line {CHECKED_AT_ONCE + 4}: the label is 1, but the expression's value is 9"):
        read_tsv(written(tmp_path, *lines), 10)
