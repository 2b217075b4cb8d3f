"""Report interrupted runs (Ctrl-C, SIGTERM) on the command line."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from nacbench.formats.terminal import say

GO_ON = "its state is saved: run the same command again to resume"


@contextmanager
def interruption_explained(then: str = GO_ON) -> Iterator[None]:
    """Turn `Interrupted` into a message on standard error and exit code 128 + signal number, as shells expect.

    Args:
        then: how to resume.
    """
    from nacbench.training.interrupt import Interrupted

    try:
        yield
    except Interrupted as interruption:
        say(f"{interruption}; {then}", err=True)
        raise typer.Exit(128 + interruption.signal_number) from None
