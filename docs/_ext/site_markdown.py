"""Small pieces of Markdown: tables, escaped text, and what a docstring says of each option."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence

SECTION = re.compile(r"^(Args|Attributes|Raises|Returns|Yields):$")
ENTRY = re.compile(r"^    (\w+(?:, \w+)*): (.*)")


def escaped(text: object) -> str:
    """Text as one line that Markdown takes as it stands; pairs of backticks stay code."""
    parts = re.split(r"(``[^`]+``|`[^`]+`)", " ".join(str(text).split()))
    for number, part in enumerate(parts):
        if number % 2:
            parts[number] = "`" + part.strip("`").replace("|", "\\|") + "`"
        else:
            parts[number] = re.sub(r"([\\*_|<>\[\]$#])", r"\\\1", part)
    return "".join(parts)


def code(value: object) -> str:
    """A value as code; nothing for nothing."""
    text = str(value).replace("|", "\\|")
    return f"`{text}`" if text else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> str:
    """A table of cells that are Markdown already.

    Args:
        head: of each column.
        rows: of as many cells.
        right: numbers of the columns that are aligned to the right.
    """
    aligned = set(right)
    rule = ["--:" if column in aligned else "---" for column in range(len(head))]
    lines = [head, rule, *([" ".join(cell.split()) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def prose(cls: type) -> str:
    """A class's own docstring up to its first section, as Markdown; empty where it has none of its own."""
    own = cls.__dict__.get("__doc__") or ""
    if own.startswith(f"{cls.__name__}("):  # what dataclass writes where nobody did
        return ""
    lines: list[str] = []
    for line in inspect.cleandoc(own).splitlines():
        if SECTION.match(line):
            break
        lines.append(line)
    paragraphs = "\n".join(lines).strip().split("\n\n")
    return "\n\n".join(escaped(paragraph) for paragraph in paragraphs if paragraph)


def explained(cls: type) -> dict[str, str]:
    """What the docstrings of a class and its bases say of arguments and attributes, by name."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        name = ""
        section = ""
        for line in inspect.cleandoc(base.__dict__.get("__doc__") or "").splitlines():
            if match := SECTION.match(line):
                section, name = match[1], ""
            elif section not in ("Args", "Attributes"):
                continue
            elif match := ENTRY.match(line):
                name = match[1]
                found |= dict.fromkeys(name.split(", "), match[2])
            elif name and line.startswith("     "):
                found |= {one: f"{found[one]} {line.strip()}" for one in name.split(", ")}
            elif line and not line.startswith(" "):
                section = ""
    return {name: text.rstrip(".") for name, text in found.items()}
