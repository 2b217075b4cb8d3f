"""Warnings of the command line: one line each, on standard error."""

from collections.abc import Iterable

import typer


def warn(lines: Iterable[str]) -> None:
    """Print what was found that does not count, such as broken records: a line each."""
    for line in lines:
        typer.echo(f"warning: {line}", err=True)
