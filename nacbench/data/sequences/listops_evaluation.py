"""ListOps expressions: text, symbols, and two evaluators (one expression, or many rows of symbols at once)."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from nacbench.errors import UserError

PADDING = 0
DIGITS = tuple("0123456789")
OPERATORS = ("[MIN", "[MAX", "[MED", "[SM")
CLOSE = "]"
VOCABULARY: tuple[str, ...] = ("", *DIGITS, *OPERATORS, CLOSE)  # by symbol; 0 is padding

SYMBOLS: Mapping[str, int] = {token: symbol for symbol, token in enumerate(VOCABULARY) if token}
MIN, MAX, MED, SM = (SYMBOLS[token] for token in OPERATORS)
CLOSING = SYMBOLS[CLOSE]
OPENING = SYMBOLS[OPERATORS[0]]  # the first symbol after the digits

ROWS_TOKENS = 1 << 23  # symbols that evaluate_tokens processes at a time, to bound memory


def encode(expression: str) -> np.ndarray:
    """Convert an expression to symbols (uint8); parentheses are dropped. The syntax is not checked.

    Raises:
        UserError: for an unknown token.
    """
    return np.array([SYMBOLS[token] for token in _tokens(expression)], dtype=np.uint8)


def decode(tokens: np.ndarray) -> str:
    """Convert a row of symbols to an expression, with spaces between tokens and without the padding at the end.

    Raises:
        UserError: for an unknown symbol, or padding before the end.
    """
    symbols = np.trim_zeros(tokens, "b").tolist()
    for position, symbol in enumerate(symbols, 1):
        if not 0 < symbol < len(VOCABULARY):
            wrong = "padding before the end" if symbol == PADDING else f"{symbol} is no symbol"
            raise UserError(f"token {position}: {wrong}; symbols are 1 to {len(VOCABULARY) - 1}, 0 is padding")
    return " ".join(VOCABULARY[symbol] for symbol in symbols)


def evaluate(expression: str) -> int:
    """Return the value (0 to 9) of an expression such as ``[MAX 2 [SM 7 8 ] 4 ]``; a digit is an expression too.

    Tokens are separated by spaces. Parentheses are dropped, and not counted in the positions that errors name.

    Raises:
        UserError: for invalid syntax; names the token, its position and the reason.
    """
    tokens = _tokens(expression)
    # A stack instead of recursion, which Python limits to about 1,000 levels
    opened: list[tuple[str, str]] = []  # open operators: token, and its name in errors
    arguments: list[list[int]] = [[]]  # of the whole expression and of each open operator
    for position, token in enumerate(tokens, 1):
        name = f"token {position} {token!r}"
        if not opened and arguments[0]:
            raise UserError(f"{name} stands after the end of the expression")
        if token in COMPUTE:
            opened.append((token, name))
            arguments.append([])
        elif token == CLOSE:
            value = _close(opened, arguments.pop(), name)
            arguments[-1].append(value)
        else:
            arguments[-1].append(int(token))
    if opened:
        raise UserError(f"{opened[-1][1]} is not closed")
    if not tokens:
        raise UserError("the expression is empty")
    return arguments[0][0]


def evaluate_tokens(tokens: np.ndarray) -> np.ndarray:
    """Return the values (uint8 N, 0 to 9) of N expressions at once.

    A stack machine reads all rows in parallel, one position at a time. For each open operator it counts how often each
    digit has occurred, which determines MIN, MAX, MED and SM.

    Args:
        tokens: symbols N×length of any integer type, padded with 0 at the end.

    Raises:
        UserError: for a row with invalid syntax; names the row (from 0), and the token as in `evaluate`.
        ValueError: if ``tokens`` is not an integer array N×length.
    """
    if tokens.ndim != 2 or not np.issubdtype(tokens.dtype, np.integer):
        raise ValueError(f"tokens must be integers N×length, not {tokens.dtype} of shape {tokens.shape}")
    values = np.empty(len(tokens), dtype=np.uint8)
    size = max(1, ROWS_TOKENS // max(1, tokens.shape[1]))
    for first in range(0, len(tokens), size):
        rows = tokens[first : first + size]
        depth = _depth(rows, first)
        values[first : first + size] = _run(rows, depth)
    return values


def _tokens(expression: str) -> list[str]:
    tokens = expression.replace("(", " ").replace(")", " ").split()
    for position, token in enumerate(tokens, 1):
        if token not in SYMBOLS:
            raise UserError(f"token {position} {token!r} is unknown; there are: {' '.join(SYMBOLS)}")
    return tokens


def _close(opened: list[tuple[str, str]], arguments: list[int], name: str) -> int:
    if not opened:
        raise UserError(f"{name} closes no operator")
    operator, opening = opened.pop()
    if not arguments:
        raise UserError(f"{opening} has no arguments")
    return COMPUTE[operator](arguments)


def _median(digits: Iterable[int]) -> int:
    ordered = sorted(digits)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) // 2


COMPUTE: Mapping[str, Callable[[list[int]], int]] = {
    "[MIN": min,
    "[MAX": max,
    "[MED": _median,
    "[SM": lambda digits: sum(digits) % 10,
}


def _depth(rows: np.ndarray, first: int) -> int:
    """Check the syntax of all rows, and return the maximum nesting depth.

    Raises:
        UserError: for the first row with invalid syntax; its number is counted from ``first``.
    """
    if not rows.size:
        bad = np.ones(len(rows), dtype=bool)
        depth = 0
    else:
        operator = (rows >= OPENING) & (rows < CLOSING)
        close = rows == CLOSING
        there = rows != PADDING
        opened = np.cumsum(operator.view(np.int8) - close.view(np.int8), axis=1, dtype=np.int32)
        # Syntax as array tests: some operator is open after every token but the last, and none after that; no operator
        # is closed at once (no arguments); no padding before the end; no unknown symbol.
        bad = (opened > 0).sum(axis=1) != there.sum(axis=1) - 1
        bad |= opened[:, -1] != 0
        bad |= (operator[:, :-1] & close[:, 1:]).any(axis=1)
        bad |= (there[:, 1:] & ~there[:, :-1]).any(axis=1)
        bad |= ((rows < 0) | (rows >= len(VOCABULARY))).any(axis=1)
        depth = int(opened.max())
    for row in np.flatnonzero(bad)[:1]:  # the slow evaluator words the error
        try:
            evaluate(decode(rows[row]))
        except UserError as error:
            raise UserError(f"row {first + row}: {error}") from None
        raise AssertionError(f"row {first + row} has a value and was refused")
    return depth


def _run(rows: np.ndarray, depth: int) -> np.ndarray:
    """Return the values N of rows with valid syntax and at most ``depth`` nested operators."""
    lengths = np.count_nonzero(rows, axis=1)
    order = np.argsort(-lengths, kind="stable")  # longest first: the rows still running are then a prefix
    columns = np.ascontiguousarray(rows[order].T)
    running = np.searchsorted(-lengths[order], -np.arange(len(columns)))
    # For each row and depth a slot with the count of each digit; the first slot of a row is the whole expression.
    bottom = np.arange(len(rows)) * (depth + 1)
    counts = np.zeros((len(rows) * (depth + 1), 10), dtype=np.int32)
    operators = np.zeros(len(counts), dtype=np.uint8)
    flat = counts.reshape(-1)
    top = bottom.copy()
    for column, still in zip(columns, running, strict=True):
        column = column[:still]
        digit = np.flatnonzero(column < OPENING)
        flat[top[digit] * 10 + (column[digit] - 1)] += 1
        other = np.flatnonzero(column >= OPENING)
        closes = column[other] == CLOSING
        opening, closing = other[~closes], other[closes]
        top[opening] += 1
        operators[top[opening]] = column[opening]
        if len(closing):
            slot = top[closing]
            value = _value(operators[slot], counts[slot])
            counts[slot] = 0
            top[closing] -= 1
            flat[top[closing] * 10 + value] += 1
    values = np.empty(len(rows), dtype=np.uint8)
    values[order] = counts[bottom].argmax(axis=1)
    return values


def _value(operators: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the values N of operators N, given the counts of each digit among their arguments, N×10."""
    cumulated = counts.cumsum(axis=1)
    number = cumulated[:, -1]
    # MIN, MAX and MED are the mean of two of the sorted arguments, which may be the same one: the number of cumulated
    # counts that are at most i is the i-th smallest digit.
    lower = np.where(operators == MIN, 0, np.where(operators == MAX, number - 1, (number - 1) // 2))
    upper = np.where(operators == MED, number // 2, lower)
    value = ((cumulated <= lower[:, None]).sum(axis=1) + (cumulated <= upper[:, None]).sum(axis=1)) // 2
    return np.where(operators == SM, counts @ np.arange(10) % 10, value)
