"""ListOps expressions as trees: a plain recursive generator, parser and evaluation."""

import random
import statistics
from collections.abc import Iterator, Sequence

import numpy as np
from hypothesis import strategies as st

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
