"""The live page's twin for a terminal: a table of the runs that fits it, those that go on first."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from nacbench.formats.escape import plain_cell
from nacbench.formats.terminal import console
from nacbench.formats.text import duration
from nacbench.watching.rows import Row
from nacbench.watching.watcher import Watcher

if TYPE_CHECKING:
    import rich.table

# States in the order of the table, the same as that of the page
ORDER = (
    *("running", "failed", "lost", "unreadable", "unknown", "preempted", "queued", "planned"),
    *("done", "cancelled", "skipped", "no data"),
)
HEADS = ("run", "task", "seed", "state", "epoch", "loss", "score", "left", "remarks")
WIDE = ("run", "task", "remarks")
RIGHT = ("seed", "epoch", "loss", "score", "left")
AROUND = 6  # lines of a terminal that are not rows of the table
FEW = 5  # rows that are shown however low a terminal is


def show(watcher: Watcher, every: float) -> None:
    """Show the runs until the process is interrupted.

    Args:
        watcher: which has looked.
        every: seconds between two looks.
    """
    from rich.live import Live

    out = console()
    with Live(console=out, auto_refresh=False, screen=out.is_terminal) as live:
        while True:
            live.update(table_of(watcher, max(FEW, out.height - AROUND)), refresh=True)
            time.sleep(every)
            watcher.look()


def table_of(watcher: Watcher, most: int) -> rich.table.Table:
    """Return a table for rich of at most so many runs, with the number of runs in each state above it."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    news = watcher.changes()
    rows = sorted(news["rows"], key=lambda row: (ORDER.index(row["state"]), -(row["when"] or 0), row["n"]))
    counts = Counter(row["state"] for row in rows)
    told = ", ".join(f"{counts[state]:,} {state}" for state in ORDER if counts[state]) or "no run yet"
    left_out = f"{len(rows) - most:,} more runs are not shown" if len(rows) > most else None
    table = Table(
        title=plain_cell(f"{news['title']}: {told}"), caption=left_out, box=box.SIMPLE_HEAD, title_justify="left"
    )
    for head in HEADS:
        # rich takes room from columns that may wrap, from the widest first; their cells keep to one line all the same
        table.add_column(head, justify="right" if head in RIGHT else "left", no_wrap=head not in WIDE)
    for row in rows[:most]:
        cells = map(plain_cell, _cells(row, news["now"]))
        table.add_row(*(Text(cell, no_wrap=True, overflow="ellipsis") for cell in cells))
    return table


def _cells(row: Row, now: float) -> tuple[str, ...]:
    epoch = f"{row['epoch']:.1f}/{row['epochs']}" if row["epoch"] is not None and row["epochs"] else ""
    ends = row.get("ends")
    left = max(0.0, ends - now) if ends is not None else None if row["state"] == "running" else row["expected"]
    return (
        ", ".join(filter(None, (row["label"], row["variant"]))),
        f"{row['task']} · {row['scale']}" if row["scale"] else row["task"],
        "" if row["seed"] is None else str(row["seed"]),
        row["state"],
        epoch,
        "" if row["loss"] is None else f"{row['loss']:.3f}",
        row["score"] or row["check"] or "",
        "" if left is None else duration(left),
        row["why"],
    )
