"""Progress bars with an estimate of the time left, on a terminal alone."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from nacbench.formats.escape import visible
from nacbench.formats.terminal import console


@contextmanager
def progress(
    title: str, total: int | None, unit: Literal["bytes", "items"] = "bytes"
) -> Iterator[Callable[[int], None]]:
    """Yield a function to call with each number of bytes or items done.

    It moves a progress bar if standard error is a terminal; otherwise it does nothing.

    Args:
        title: what is done.
        total: number of bytes or items; None if it is not known, which leaves out the estimate.
        unit: of the total.
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    amount = DownloadColumn() if unit == "bytes" else MofNCompleteColumn()
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), amount, TimeRemainingColumn())
    with Progress(*columns, console=console(err=True), transient=True) as bar:
        row = bar.add_task(visible(title), total=total)
        yield lambda count: bar.advance(row, count)
