"""Evaluation of ListOps against a plain recursive one."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nacbench.data.sequences import listops_evaluation
from nacbench.data.sequences.listops import (
    VOCABULARY,
    decode,
    encode,
    evaluate,
    evaluate_tokens,
    generate,
)
from nacbench.errors import UserError

from .listops_trees import OPERATORS, Tree, length_of, padded, pairs_of, text_of, trees, value_of


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


def test_import_is_light() -> None:
    heavy = "{'torch', 'pandas', 'scipy', 'pydantic'}"
    code = f"import sys, nacbench.data.sequences.listops; print(*{heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
