"""Warnings of the command line: one line each, on standard error."""

from collections.abc import Iterable

from nacbench.formats.terminal import say


def warn(lines: Iterable[str]) -> None:
    """Print what was found that does not count, such as broken records: a line each."""
    for line in lines:
        say(f"warning: {line}", err=True)
