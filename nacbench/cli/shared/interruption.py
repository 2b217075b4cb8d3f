"""Runs that were asked to stop, as the command line tells of them."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

GO_ON = "its state is saved: give the same command again to go on"


@contextmanager
def interruption_explained(then: str = GO_ON) -> Iterator[None]:
    """Say on standard error what became of a run that was asked to stop, and exit as the signal would have.

    Args:
        then: how to go on from there.
    """
    from nacbench.training.interrupt import Interrupted

    try:
        yield
    except Interrupted as interruption:
        typer.echo(f"{interruption}; {then}", err=True)
        raise typer.Exit(128 + interruption.signal_number) from None
