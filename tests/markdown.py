"""Tables of the project's own pages."""

import itertools


def table_after(text: str, heading: str = "") -> list[list[str]]:
    """The cells of the first table after a heading, without the rule below its head."""
    after = text[text.index(heading) :].splitlines()
    lines = itertools.dropwhile(lambda line: not line.startswith("|"), after)
    return [cells(line) for line in itertools.takewhile(lambda line: line.startswith("|"), lines) if "---" not in line]


def cells(line: str) -> list[str]:
    """The cells of one line."""
    return [cell.strip() for cell in line.strip("|").split("|")]
