"""Format a table as Markdown, LaTeX or text for a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nacbench.contracts.metric import ACCURACY
from nacbench.formats.escape import latex_cell, latex_comment, markdown_cell, markdown_line, plain_cell
from nacbench.statistics import Mean

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Column:
    """A column's head, and whether it has numbers, which are aligned to the right."""

    head: str
    number: bool = False


@dataclass(frozen=True)
class Table:
    """A table that can be printed in every format.

    Attributes:
        name: of its files, without extension.
        title: heading.
        columns: one for each cell of a row.
        rows: text of the cells.
        notes: lines below the table.
        frame: unformatted numbers for the CSV file.
        bold: row and column indices of cells in bold.
    """

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str]
    frame: pd.DataFrame
    bold: frozenset[tuple[int, int]] = frozenset()

    def markdown(self) -> str:
        """Return Markdown with aligned columns, readable as plain text, and the notes."""
        return self._lined_up(markdown_cell, markdown_line, "  ")  # two spaces are a line break in Markdown

    def text(self) -> str:
        """Return the same for a terminal, without the escapes of Markdown."""
        return self._lined_up(plain_cell, plain_cell, "")

    def _lined_up(self, escape: Callable[[str], str], escape_line: Callable[[str], str], end: str) -> str:
        body = self._cells(escape, "**{}**")
        heads = [escape(column.head) for column in self.columns]
        widths = [max(_width(line[i]) for line in [heads, *body]) for i in range(len(heads))]

        def line(row: Sequence[str]) -> str:
            padded = [
                _padded(cell, width, to_the_right=column.number)
                for column, cell, width in zip(self.columns, row, widths, strict=True)
            ]
            return f"| {' | '.join(padded)} |"

        rule = [
            f"{'-' * (width - 1)}:" if column.number else "-" * width
            for column, width in zip(self.columns, widths, strict=True)
        ]
        lines = [line(heads), line(rule), *(line(row) for row in body)]
        return "\n".join([*lines, "", *(f"{escape_line(note)}{end}" for note in self.notes)]).rstrip() + "\n"

    def latex(self) -> str:
        """Return a booktabs table, with the notes as comments below; it needs ``\\usepackage{booktabs}``."""
        alignment = "".join("r" if column.number else "l" for column in self.columns)
        lines = [
            f"% {latex_comment(self.title)}; needs \\usepackage{{booktabs}}",
            f"\\begin{{tabular}}{{{alignment}}}",
            "\\toprule",
            " & ".join(latex_cell(column.head) for column in self.columns) + r" \\",
            "\\midrule",
            *(" & ".join(row) + r" \\" for row in self._cells(latex_cell, r"\textbf{{{}}}")),
            "\\bottomrule",
            "\\end{tabular}",
            "",
            *(f"% {latex_comment(note)}" for note in self.notes),
        ]
        return "\n".join(lines) + "\n"

    def _cells(self, escape: Callable[[str], str], bold: str) -> list[list[str]]:
        return [
            [
                bold.format(escape(cell)) if (number, column) in self.bold else escape(cell)
                for column, cell in enumerate(row)
            ]
            for number, row in enumerate(self.rows)
        ]


def percent(mean: Mean) -> str:
    """Return a fraction in per cent with its interval, as ``61.20 ± 0.45``; without interval for a single seed.

    An interval that is cut at the ends of the range is shown by its ends, as ``97.00 (90.12 to 100.00)``, since it does
    not lie evenly about the mean.
    """
    return ACCURACY.text(mean)


def points(half_width: float) -> str:
    """Return half the width of an interval of a fraction in points, as ``0.45``: 0.01 at least if it is not 0."""
    return f"{max(ACCURACY.scaled(half_width), 0.01):.2f}" if half_width else "0.00"


def _padded(text: str, width: int, *, to_the_right: bool) -> str:
    space = " " * (width - _width(text))
    return f"{space}{text}" if to_the_right else f"{text}{space}"


def _width(text: str) -> int:
    """Return the columns of a terminal that text takes: Chinese characters, say, take two each, accents none."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


def frame_of(rows: Sequence[Mapping[str, Any]], columns: list[str] | None = None) -> pd.DataFrame:
    """Return rows as a data frame in which counts stay whole numbers where other rows have none.

    pandas makes floats of them, so that a column of a CSV file would be written otherwise as soon as a row is added.

    Args:
        rows: values by column; missing ones are None, NaN or left out.
        columns: which there are, in their order; by default those of the rows.
    """
    import pandas as pd

    frame = pd.DataFrame(rows, columns=columns)
    for name in frame.columns[frame.isna().any()]:
        there = [value for row in rows if not pd.isna(value := row.get(name))]
        if there and all(type(value) is int for value in there):
            frame[name] = frame[name].astype("Int64")
    return frame
