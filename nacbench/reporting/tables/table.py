"""Format a table as Markdown, LaTeX or text for a terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
        return self._lined_up(_markdown, "  ")  # two spaces are a line break in Markdown

    def text(self) -> str:
        """Return the same for a terminal, without escapes."""
        return self._lined_up(_line, "")

    def _lined_up(self, escape: Callable[[str], str], end: str) -> str:
        body = self._cells(escape, "**{}**")
        heads = [column.head for column in self.columns]
        widths = [max(len(line[i]) for line in [heads, *body]) for i in range(len(heads))]

        def line(row: Sequence[str]) -> str:
            padded = [
                cell.rjust(width) if column.number else cell.ljust(width)
                for column, cell, width in zip(self.columns, row, widths, strict=True)
            ]
            return f"| {' | '.join(padded)} |"

        rule = [
            f"{'-' * (width - 1)}:" if column.number else "-" * width
            for column, width in zip(self.columns, widths, strict=True)
        ]
        lines = [line(heads), line(rule), *(line(row) for row in body)]
        return "\n".join([*lines, "", *(f"{escape(note)}{end}" for note in self.notes)]).rstrip() + "\n"

    def latex(self) -> str:
        """Return a booktabs table, with the notes as comments below; it needs ``\\usepackage{booktabs}``."""
        alignment = "".join("r" if column.number else "l" for column in self.columns)
        lines = [
            f"% {_latex(self.title)}; needs \\usepackage{{booktabs}}",
            f"\\begin{{tabular}}{{{alignment}}}",
            "\\toprule",
            " & ".join(_latex(column.head) for column in self.columns) + r" \\",
            "\\midrule",
            *(" & ".join(row) + r" \\" for row in self._cells(_latex, r"\textbf{{{}}}")),
            "\\bottomrule",
            "\\end{tabular}",
            "",
            *(f"% {_latex(note)}" for note in self.notes),
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
    """Return a fraction in per cent with its interval, as ``61.20 ± 0.45``; without interval for a single seed."""
    value = f"{100 * mean.value:.2f}"
    value = value.removeprefix("-") if float(value) == 0 else value  # not "-0.00"
    return value if math.isnan(mean.half_width) else f"{value} ± {100 * mean.half_width:.2f}"


def _markdown(text: str) -> str:
    """Escape text for a cell of a Markdown table."""
    return _line(text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;"))


def _line(text: str) -> str:
    return text.replace("\n", " ")


LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "—": "---",
    "·": r"$\cdot$",
    "\n": " ",
}


def _latex(text: str) -> str:
    return "".join(LATEX.get(character, character) for character in text)
