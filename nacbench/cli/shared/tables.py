"""Print tables, fitted to the terminal."""

from collections.abc import Collection, Sequence

from nacbench.formats.escape import plain_cell
from nacbench.formats.terminal import console, say

WIDTH = 160  # characters, if the output is not a terminal: rich would cut tables to 80
MANY = 300  # rows from which on columns are aligned without rich, which takes a second for a thousand


def print_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[int] = (), whole: Collection[int] = ()
) -> None:
    """Print rows of text under a head.

    Args:
        head: titles of the columns.
        rows: cells, one for each column.
        right: indices from 0 of the columns that are aligned to the right.
        whole: indices of those that are never wrapped, such as names, which the user types.
    """
    if len(rows) > MANY:
        _print_many(head, rows, right)
        return
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, title in enumerate(head):
        table.add_column(
            plain_cell(title), justify="right" if index in right else "left", overflow="fold", no_wrap=index in whole
        )
    for row in rows:
        table.add_row(*map(plain_cell, row))
    out = console()
    if not out.is_terminal:
        out.width = WIDTH
    out.print(table)


def _print_many(head: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[int]) -> None:
    """Print rows that are not fitted to the terminal: a line each, however long."""
    lines = [[plain_cell(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    sides = [">" if index in right else "<" for index in range(len(head))]
    form = "  ".join(f"{{:{side}{width}}}" for side, width in zip(sides, widths, strict=True))
    say(*(f" {form.format(*line)}".rstrip() for line in lines))


def counted(number: int, what: str) -> str:
    """Return number and noun, as ``1 run`` or ``2 runs``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def size_text(size: int) -> str:
    """Return a number of bytes as text in decimal units (1 kB = 1000 B), as data sets state their sizes."""
    amount = float(size)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:,.1f} GB"
