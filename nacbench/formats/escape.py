"""Escape text that others may have written, for each reader: terminal, Markdown, LaTeX, spreadsheet, figure, script.

Names, notes, reasons and paths come from records, file names and logs, so none of them is trusted. Every function
makes characters visible that a reader cannot see or that control it (`visible`), and then quotes what has a meaning in
the reader's own language. Ordinary names stay as they are. HTML is escaped by the page's template, and words of a shell
by ``shlex``.
"""

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

# Printable for Python, but without ink or width: joiners, fillers, the blank of Braille, variation selectors.
INKLESS = "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef"
HIDDEN = re.compile(f"[{INKLESS}]")
# What begins or ends something in CommonMark or GitHub's Markdown, in any place of a line. An underscore inside a word
# does not, so that learning_rate stays as it is.
MARKDOWN = re.compile(r"[\\`*|~\[\]$]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)")
# What would make a line a heading, a quotation, a list, a rule or the underline of a heading.
OPENING = re.compile(r"(?:#{1,6}|[-+])(?= |$)|>|[-=]+ *$")
ORDINAL = re.compile(r"^(\d{1,9})([.)])(?= |$)")
FORMULA = re.compile(r"'* *[=+\-@\uff0b\uff0d\uff1d\uff20]")  # also in full width, which Excel takes for the same
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")

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
}
# In a cell besides: the default fonts have other signs in these places, and the end of a row before takes [ and * for
# its own arguments.
LATEX_CELL = {
    **LATEX,
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    "[": "{[}",
    "*": "{*}",
}
LATEX_PARTS = re.compile("(-(?=-))|.")  # LaTeX joins two hyphens to a dash
# Letters and signs that pdflatex takes in UTF-8, with its default fonts; at any other it stops.
LATEX_LETTERS = re.compile(
    r"[ -~À-ÏÑ-ÖØ-Ýß-ïñ-öø-ýÿĀ-ăĆ-ďĒ-ĕĖėĚ-ģĤĥĨ-ĭİıĴ-ķĹ-ľŁ-ňŌ-őŒ-šŢ-ťŨ-űŴ-ž–—‘’“”†‡…•£§¶©®°²³µ¼½¾€™·×÷±]"
)


def visible(text: str, keep: str = "") -> str:
    r"""Return text in which every character can be seen: others become escapes such as ``\x1b`` or ``\u202e``.

    These are control characters, line breaks, marks of direction, characters without width, spaces other than the
    ordinary one, and bytes of a file name that are not UTF-8. The result is one line and can be encoded. A backslash
    stays as it is, so the result of this function is not changed by it again.

    Args:
        text: any text.
        keep: characters that stay, such as a tab.
    """
    if text.isprintable() and not HIDDEN.search(text):
        return text
    return "".join(c if c in keep or (c.isprintable() and not HIDDEN.match(c)) else _escape(c) for c in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def plain_cell(text: str) -> str:
    """Return text for one line of plain text, as in a table for a terminal; line breaks become spaces."""
    return visible(text.replace("\n", " "))


def markdown_cell(text: str) -> str:
    """Return text for a cell of a Markdown table, where only what is inside a line has a meaning."""
    escaped = MARKDOWN.sub(lambda found: "&amp;" if found[0] == "&" else f"\\{found[0]}", plain_cell(text))
    return escaped.replace("<", "&lt;")


def markdown_line(text: str) -> str:
    """Return text for a whole line of Markdown, where its first characters have a meaning as well."""
    escaped = ORDINAL.sub(r"\1\\\2", markdown_cell(text).lstrip(" "))  # four spaces would make it a block of code
    return f"\\{escaped}" if OPENING.match(escaped) else escaped


def latex_comment(text: str) -> str:
    """Return text for a comment of LaTeX, escaped so that it can be moved into the document."""
    return "".join(LATEX.get(character, character) for character in plain_cell(text))


def latex_cell(text: str) -> str:
    """Return text for a cell of a LaTeX table, outside of mathematics.

    A character that pdflatex does not know is shown by its number, as any other would stop it.
    """
    known = "".join(c if LATEX_LETTERS.fullmatch(c) else _escape(c) for c in plain_cell(text))
    return LATEX_PARTS.sub(lambda found: "-{}" if found[1] else LATEX_CELL.get(found[0], found[0]), known)


def csv_of(frame: "pd.DataFrame") -> str:
    """Return a table as CSV, without the index, that is safe to open in a spreadsheet.

    Text that a spreadsheet would take for a formula (it begins with ``=``, ``+``, ``-`` or ``@``, perhaps after spaces,
    and is no number) gets a leading apostrophe; numbers stay numbers. Text that begins with apostrophes before such a
    character gets one more, so that a program finds the text again by taking one apostrophe away. Each row is one
    line: characters that are not `visible` are escaped.
    """
    return str(frame.map(_spreadsheet).rename(columns=_spreadsheet).to_csv(index=False))


def _spreadsheet(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    shown = visible(value)
    return f"'{shown}" if FORMULA.match(shown) and not NUMBER.fullmatch(shown.strip()) else shown


def figure_text(text: str, most: int = 60) -> str:
    """Return text for a title or label of a figure: without mathematics, in at most ``most`` characters.

    Args:
        text: any text.
        most: characters that are shown; longer text ends in an ellipsis.
    """
    shown = visible(text)
    shown = shown if len(shown) <= most else f"{shown[: most - 1]}…"
    shown = f" {shown}" if shown.startswith("_") else shown  # matplotlib leaves such labels out of legends
    return shown.replace("$", r"\$")


def script_json(data: Any) -> str:
    """Return JSON for a script element of HTML: no text in it can end the element.

    Raises:
        ValueError: for NaN and infinity, which JSON does not have.
    """
    return json.dumps(data, allow_nan=False).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def terminal_json(data: Any, indent: int | None = 2) -> str:
    """Return JSON in ASCII without control characters, for a terminal as for a program."""
    return json.dumps(data, indent=indent).replace("\x7f", "\\u007f")  # the only one that json leaves as it is


def all_visible(data: Any) -> Any:
    """Return JSON's values with all texts and keys made `visible`."""
    if isinstance(data, str):
        return visible(data)
    if isinstance(data, dict):
        return {all_visible(key): all_visible(value) for key, value in data.items()}
    return [all_visible(value) for value in data] if isinstance(data, list | tuple) else data
