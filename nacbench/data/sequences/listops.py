"""ListOps generator (vectorised over forests of trees) and reader of Long Range Arena's files.

Expressions are nested lists of digits under MIN, MAX, MED and SM; the answer is a digit. Nangia and Bowman 2018, arXiv
1804.06028; lengths and growth of trees follow Tay et al. 2021, arXiv 2011.04006 (lra_benchmarks/data/listops.py in
github.com/google-research/long-range-arena).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from nacbench.data.sequences.listops_evaluation import (
    CLOSING,
    MAX,
    MED,
    MIN,
    OPENING,
    SM,
    SYMBOLS,
    VOCABULARY,
    decode,
    encode,
    evaluate,
    evaluate_tokens,
)
from nacbench.errors import UserError

__all__ = ["VOCABULARY", "decode", "encode", "evaluate", "evaluate_tokens", "generate", "read_tsv"]

FOREST_TOKENS = 1 << 20  # target number of tokens in a forest, which is grown with one NumPy call per level …
FOREST_TREES = 16  # … and the minimum number of trees
PATIENCE_NODES = 1 << 27  # progress is checked after this many nodes (a spell) …
PATIENCE_SPELLS = 1000  # … and generation stops if it would take more than this many spells
TREE_WORK = 128  # fixed cost of a tree, in nodes
CHECKED_AT_ONCE = 4096  # lines of a file whose labels are checked at a time
HEADER = b"Source\tTarget"
SYMBOLS_OF_BYTES = {token.encode(): symbol for token, symbol in SYMBOLS.items()}
SPACED = bytes.maketrans(b"()", b"  ")


@dataclass(frozen=True)
class Rules:
    """Limits of trees and expressions; see `generate`."""

    longer_than: int
    shorter_than: int
    max_depth: int
    max_args: int

    def check(self) -> None:
        """Check that a tree with an operator can follow the rules.

        Raises:
            UserError: otherwise.
        """
        for name, value, least in (
            ("longer_than", self.longer_than, 1),
            ("shorter_than", self.shorter_than, self.longer_than + 2),
            ("max_depth", self.max_depth, 2),
            ("max_args", self.max_args, 2),
        ):
            if value < least:
                raise UserError(f"{name} = {value}: it must be at least {least}")


@dataclass(frozen=True)
class Level:
    """All nodes of one depth in a forest, ordered by tree, with the arguments of an operator side by side.

    Attributes:
        tree: number of each node's tree; ascending.
        symbols: uint8; a digit or an operator.
        arguments: number of arguments of each operator. The next level has them in the order of the operators.
    """

    tree: np.ndarray
    symbols: np.ndarray
    arguments: np.ndarray

    @cached_property
    def operators(self) -> np.ndarray:
        """Positions of the nodes that are operators."""
        return np.flatnonzero(self.symbols >= OPENING)

    @cached_property
    def first(self) -> np.ndarray:
        """Position of each operator's first argument on the next level."""
        return np.cumsum(self.arguments) - self.arguments

    def only(self, kept: np.ndarray) -> Level:
        """Return the level with only the nodes of some trees; ``kept`` is a boolean mask of trees."""
        nodes = kept[self.tree]
        return Level(self.tree[nodes], self.symbols[nodes], self.arguments[nodes[self.operators]])


@dataclass
class Progress:
    """Counts the expressions that were found, and stops a generation that takes too long; see `PATIENCE_NODES`."""

    rules: Rules
    wanted: int
    found: int = 0
    found_in_spell: int = 0
    work_in_spell: int = 0

    def note(self, work: int, new: int) -> None:
        """Record that trees of cost ``work`` (in nodes) had ``new`` new expressions.

        Raises:
            UserError: if the rest would take too long at this rate.
        """
        self.found += new
        self.found_in_spell += new
        self.work_in_spell += work
        if self.work_in_spell < PATIENCE_NODES:
            return
        if self.found_in_spell * PATIENCE_SPELLS < self.wanted - self.found:
            raise UserError(
                f"only {self.found} of {self.wanted} distinct expressions longer than {self.rules.longer_than} and "
                f"shorter than {self.rules.shorter_than} were found, and new ones have become too rare; widen the "
                "limits or reduce the count"
            )
        self.found_in_spell = self.work_in_spell = 0


def generate(
    count: int, *, longer_than: int, shorter_than: int, seed: int, max_depth: int = 10, max_args: int = 10
) -> tuple[np.ndarray, np.ndarray]:
    """Generate distinct expressions and their values.

    A node is a digit with probability 3/4, and always at the depth limit; otherwise an operator with 2 to ``max_args``
    arguments. Digits, operators and numbers of arguments are uniform. The length of an expression counts 1 for a digit
    and 2 for an operator with its bracket; expressions outside the limits are dropped. Every value is computed a second
    time by `evaluate_tokens`, another algorithm.

    Args:
        count: number of expressions.
        longer_than, shorter_than: limits of the length, both exclusive; ``longer_than`` is at least 1.
        seed: of the random numbers, at least 0.
        max_depth: of a node; the root has depth 1.
        max_args: maximum number of arguments of an operator.

    Returns:
        Symbols (uint8 count×(shorter_than - 1), padded with 0 at the end) and values (int16 count, 0 to 9).

    Raises:
        UserError: if an argument is out of range, or there are too few such expressions to be found in reasonable time.
    """
    rules = Rules(longer_than, shorter_than, max_depth, max_args)
    rules.check()
    if count < 1 or seed < 0:
        raise UserError(f"count = {count}, seed = {seed}: count must be at least 1 and seed at least 0")
    tokens = np.zeros((count, shorter_than - 1), dtype=np.uint8)
    labels = np.empty(count, dtype=np.int16)
    progress = Progress(rules, count)
    forests = _distinct(rules, seed)
    while progress.found < count:
        work, new_tokens, new_labels = next(forests)
        new = min(len(new_labels), count - progress.found)
        part = slice(progress.found, progress.found + new)
        tokens[part], labels[part] = new_tokens[:new], new_labels[:new]
        progress.note(work, new)
    assert np.array_equal(evaluate_tokens(tokens), labels), "two ways to compute the expressions disagree"
    return tokens, labels


def read_tsv(path: Path, max_length: int) -> tuple[np.ndarray, np.ndarray]:
    """Read one of Long Range Arena's files, with the columns ``Source`` and ``Target``.

    Parentheses are dropped. Every label is compared with the value of the whole expression, also if it is cut.

    Args:
        path: of the file.
        max_length: expressions are cut to this number of tokens.

    Returns:
        Symbols (uint8 N×max_length, padded with 0 at the end) and labels (int16 N, 0 to 9).

    Raises:
        UserError: if the file cannot be read, has another format or a wrong label; names the line and the reason.
    """
    if max_length < 1:
        raise UserError(f"max_length = {max_length}: it must be at least 1")
    tokens, labels = bytearray(), []  # a bytearray, since 96,000 lists of 2,000 integers would need gigabytes
    whole: list[bytes] = []  # uncut expressions whose labels have not been checked yet
    try:
        with path.open("rb") as lines:
            header = next(lines, b"").rstrip(b"\r\n")
            if header != HEADER:
                wrong = f"the header is {_shown(header)}" if header else "the header is missing"
                raise UserError(f"{path}: line 1: {wrong}; expected 'Source', a tab and 'Target'")
            for number, line in enumerate(lines, 2):
                try:
                    row, label = _parse(line)
                except UserError as error:
                    raise UserError(f"{path}: line {number}: {error}") from None
                tokens += row[:max_length].ljust(max_length, b"\0")
                labels.append(label)
                whole.append(row)
                if len(whole) == CHECKED_AT_ONCE:
                    _check_labels(path, whole, labels)
                    whole.clear()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    if not labels:
        raise UserError(f"{path}: line 2: there is no example after the header")
    _check_labels(path, whole, labels)
    return np.frombuffer(tokens, dtype=np.uint8).reshape(-1, max_length), np.array(labels, dtype=np.int16)


def _check_labels(path: Path, rows: Sequence[bytes], labels: Sequence[int]) -> None:
    """Compare the last labels with the values of the last rows.

    Raises:
        UserError: for the first expression without a value or with a wrong label; names its line.
    """
    width = max(map(len, rows), default=0)
    tokens = np.frombuffer(b"".join(row.ljust(width, b"\0") for row in rows), dtype=np.uint8).reshape(len(rows), width)
    first = len(labels) - len(rows)
    given = np.array(labels[first:])
    try:
        values = evaluate_tokens(tokens)
    except UserError:
        # Evaluate row by row, to name the line in the file instead of the row in this portion
        for number, row in enumerate(tokens):
            try:
                evaluate_tokens(row[None])
            except UserError as error:
                reason = str(error).removeprefix("row 0: ")
                raise UserError(f"{path}: line {first + number + 2}: {reason}") from None
        raise
    wrong = np.flatnonzero(values != given)
    if len(wrong):
        row = wrong[0]
        raise UserError(
            f"{path}: line {first + row + 2}: the label is {given[row]}, but the expression's value is {values[row]}"
        )


def _parse(line: bytes) -> tuple[bytes, int]:
    """Parse one line into symbols and label."""
    source, tab, target = line.rstrip(b"\r\n").partition(b"\t")
    if not tab:
        raise UserError("there is no tab between an expression and its label")
    row = symbols_in(source)
    try:
        label = int(target)
    except ValueError:
        raise UserError(f"the label {_shown(target)} is not a number") from None
    if not 0 <= label <= 9:
        raise UserError(f"the label {label} is not in 0 to 9")
    return row, label


def symbols_in(source: bytes) -> bytes:
    """Return the symbols of an expression, a byte each; parentheses are dropped, and the syntax is not checked.

    Raises:
        UserError: if there is none, or a token is unknown.
    """
    words = source.translate(SPACED).split()
    if not words:
        raise UserError("there is no expression")
    try:
        return bytes(map(SYMBOLS_OF_BYTES.__getitem__, words))
    except KeyError as error:
        raise UserError(f"token {words.index(error.args[0]) + 1} {_shown(error.args[0])} is unknown") from None


def _shown(content: bytes) -> str:
    return repr(content[:40].decode(errors="replace"))


def _distinct(rules: Rules, seed: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield for each forest, without end: its cost in nodes, and symbols and values of its new expressions."""
    rng = np.random.default_rng(seed)
    trees = max(FOREST_TREES, FOREST_TOKENS // rules.shorter_than)
    seen: set[bytes] = set()
    while True:
        levels, kept = _grow(rng, trees, rules)
        work = TREE_WORK * trees + sum(len(level.symbols) for level in levels)
        levels = [level.only(kept) for level in levels]
        tokens = _write(levels, int(kept.sum()), rules.shorter_than - 1)
        new = []
        for number, row in enumerate(tokens):
            # Digests of 16 bytes instead of the rows themselves, which would double the memory
            digest = hashlib.blake2b(row, digest_size=16).digest()
            if digest not in seen:
                seen.add(digest)
                new.append(number)
        yield work, tokens[new], _values(levels)[new]


def _grow(rng: np.random.Generator, trees: int, rules: Rules) -> tuple[list[Level], np.ndarray]:
    """Grow a forest; return its levels from the root down, and a mask of the trees whose length is within the limits.

    Every root is drawn as an operator, since a single digit is too short to be kept. Trees that are already too long
    stop growing.
    """
    tree = np.arange(trees)
    length = np.ones(trees, dtype=np.int64)  # a lower bound: counts nodes that are not drawn yet as digits
    levels = []
    for depth in range(1, rules.max_depth + 1):
        level = _draw(rng, tree, rules.max_args, depth == 1, depth == rules.max_depth)
        levels.append(level)
        owners = tree[level.operators]
        length += np.bincount(owners, weights=level.arguments + 1, minlength=trees).astype(np.int64)
        growing = (length < rules.shorter_than)[owners]
        tree = np.repeat(owners[growing], level.arguments[growing])
        if not len(tree):
            break
    return levels, (length > rules.longer_than) & (length < rules.shorter_than)


def _draw(rng: np.random.Generator, tree: np.ndarray, max_args: int, is_root: bool, is_last: bool) -> Level:
    symbols = rng.integers(SYMBOLS["0"], SYMBOLS["9"], len(tree), dtype=np.uint8, endpoint=True)
    if is_root:
        operators = np.arange(len(tree))
    elif is_last:
        operators = np.arange(0)
    else:
        operators = np.flatnonzero(rng.integers(0, 4, len(tree), dtype=np.uint8) == 0)
    symbols[operators] = rng.integers(OPENING, CLOSING, len(operators), dtype=np.uint8)
    return Level(tree, symbols, rng.integers(2, max_args, len(operators), endpoint=True))


def _write(levels: Sequence[Level], rows: int, width: int) -> np.ndarray:
    """Return the symbols of a forest, uint8 rows×width: each tree as text from left to right, then padding."""
    sizes = _sizes(levels)
    tokens = np.zeros(rows * width, dtype=np.uint8)
    start = np.arange(rows) * width
    for level, size, below in zip(levels, sizes, [*sizes[1:], np.zeros(0, np.int64)], strict=True):
        tokens[start] = level.symbols
        inside = start[level.operators]
        tokens[inside + size[level.operators] - 1] = CLOSING
        before = np.cumsum(below) - below
        start = np.repeat(inside + 1 - before[level.first], level.arguments) + before
    return tokens.reshape(rows, width)


def _sizes(levels: Sequence[Level]) -> list[np.ndarray]:
    """Return the number of tokens of each node with its subtree, by level."""
    sizes: list[np.ndarray] = []
    for level in reversed(levels):
        size = np.ones(len(level.symbols), dtype=np.int64)
        if len(level.operators):
            size[level.operators] = 2 + np.add.reduceat(sizes[-1], level.first)
        sizes.append(size)
    return sizes[::-1]


def _values(levels: Sequence[Level]) -> np.ndarray:
    """Return the values of a forest's roots, computed from the leaves up."""
    value = np.zeros(0, dtype=np.uint8)
    for level in reversed(levels):
        below, value = value, level.symbols - SYMBOLS["0"]
        if len(level.operators):
            value[level.operators] = _computed(level, below)
    return value


def _computed(level: Level, below: np.ndarray) -> np.ndarray:
    """Return the values of a level's operators, given the values of all nodes of the next level."""
    operators = level.symbols[level.operators]
    values = np.empty(len(operators), dtype=np.uint8)
    for operator, results in (
        (MIN, np.minimum.reduceat(below, level.first)),
        (MAX, np.maximum.reduceat(below, level.first)),
        (SM, np.add.reduceat(below, level.first, dtype=np.int64) % 10),
    ):
        values[operators == operator] = results[operators == operator]
    medians = operators == MED
    values[medians] = _medians(below, level.first[medians], level.arguments[medians])
    return values


def _medians(digits: np.ndarray, first: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Return the medians, rounded down, of the runs of ``number`` digits that begin at ``first``."""
    # Pad all runs to the longest with 10, which sorts behind every digit
    place = np.arange(number.max(initial=0))
    stretches = np.where(
        place < number[:, None], digits[np.minimum(first[:, None] + place, len(digits) - 1)], np.uint8(10)
    )
    stretches.sort(axis=1)
    stretch = np.arange(len(first))
    return (stretches[stretch, (number - 1) // 2] + stretches[stretch, number // 2]) // 2
