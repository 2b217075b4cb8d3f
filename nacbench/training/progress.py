"""Progress reports: a progress bar on a terminal, plain lines elsewhere, and both in the run's log file."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from nacbench.filesystem.files import append_to
from nacbench.formats.escape import visible
from nacbench.formats.terminal import console, say
from nacbench.formats.text import duration

PLAIN_SECONDS = 30.0  # between two plain progress lines


class Progress:
    """Reports progress to a log file and, optionally, to a stream.

    Args:
        title: shown before every line.
        total: total number of steps.
        log: file that lines are appended to.
        show: write to ``stream`` as well.
        stream: standard error by default.
    """

    def __init__(self, title: str, total: int, log: Path, *, show: bool = True, stream: TextIO | None = None) -> None:
        self._title = title
        self._total = total
        self._log = log
        self._stream = stream or sys.stderr
        self._show = show
        self._started = self._last_line = time.monotonic()
        self._first_step: int | None = None
        self._bar = _Bar(title, total) if show and self._stream.isatty() else None

    def step(self, done: int, facts: Mapping[str, str]) -> None:
        """Report that ``done`` steps are finished; ``facts``, such as the loss, are shown beside."""
        now = time.monotonic()
        if self._first_step is None:
            # The time left is estimated from here on: a resumed run does not start at 0, and the first report includes
            # start-up costs
            self._first_step, self._started = done, now
        if self._bar:
            self._bar.update(done, "  ".join(f"{name} {value}" for name, value in facts.items()))
        if now - self._last_line >= PLAIN_SECONDS:
            self._last_line = now
            self.say(f"step {done}/{self._total}, {self._remaining(done, now)}, {_listed(facts)}", bar_shows_it=True)

    def say(self, text: str, *, bar_shows_it: bool = False) -> None:
        """Write one line to the log, and to the stream unless ``bar_shows_it`` and a progress bar is shown."""
        with append_to(self._log) as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {visible(text)}\n")
        if self._bar:
            if not bar_shows_it:
                self._bar.line(f"{self._title}: {text}")
        elif self._show:
            say(f"{self._title}: {text}", stream=self._stream)

    def close(self) -> None:
        """Remove the progress bar."""
        if self._bar:
            self._bar.close()

    def _remaining(self, done: int, now: float) -> str:
        assert self._first_step is not None
        if done <= self._first_step:
            return "estimating"
        seconds = (now - self._started) / (done - self._first_step) * (self._total - done)
        return f"{duration(seconds)} left"


class _Bar:
    """A rich progress bar on standard error."""

    def __init__(self, title: str, total: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress
        from rich.table import Column

        self._progress = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=8),
            MofNCompleteColumn(table_column=Column(min_width=len(f"{total}/{total}"))),
            TimeElapsedColumn(table_column=Column(min_width=7)),
            TimeRemainingColumn(table_column=Column(min_width=7)),
            TextColumn("{task.fields[facts]}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
            console=console(err=True),
        )
        self._progress.start()
        self._task = self._progress.add_task(visible(title), total=total, facts="")

    def update(self, done: int, facts: str) -> None:
        self._progress.update(self._task, completed=done, facts=visible(facts))

    def line(self, text: str) -> None:
        self._progress.console.print(visible(text))

    def close(self) -> None:
        self._progress.stop()


def _listed(facts: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items())
