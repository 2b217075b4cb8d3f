"""Tell trackers of a run while it is computed, by a process of its own.

The libraries of trackers draw random numbers, set variables and handlers, start threads, and wait for servers. In
another process none of that can change a number of the run, delay it or end it.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from os import environ
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import IO, Any

from nacbench.errors import told
from nacbench.machine.worker import worker_environment
from nacbench.recording.record import RunRecord
from nacbench.tracking.numbers import final_scalars
from nacbench.tracking.tracker import About, State

Say = Callable[[str], None]
PATIENCE_SECONDS = 30.0  # for trackers to write everything out when a run ends; then they are stopped


class NoLog:
    """The log of a run that no tracker is told of."""

    def row(self, row: Mapping[str, Any]) -> None:
        """Log a row of the learning curve, or do nothing."""

    def finish(self, record: RunRecord) -> None:
        """Log the metrics of the finished run, or do nothing."""


class LiveLog(NoLog):
    """The log of a run that a process writes; its methods return at once, and never raise.

    Args:
        about: the run.
        folder: the run's folder.
        names: of the trackers.
        say: told one line for each tracker that fails.
    """

    def __init__(self, about: About, folder: Path, names: Sequence[str], say: Say) -> None:
        self._say = say
        self._messages: SimpleQueue[Any] = SimpleQueue()  # without bound: a run has a few hundred rows
        self._process = subprocess.Popen(
            [sys.executable, "-m", "nacbench.tracking.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**environ, **worker_environment()},
            start_new_session=True,  # Ctrl-C is for the run, which then says how it ended
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._threads = (
            Thread(target=self._pass_on, args=(self._process.stdin,), daemon=True),
            Thread(target=self._listen, args=(self._process.stdout,), daemon=True),
        )
        for thread in self._threads:
            thread.start()
        self._messages.put({"about": vars(about), "folder": str(folder.absolute()), "trackers": list(names)})

    def row(self, row: Mapping[str, Any]) -> None:
        self._messages.put({"row": dict(row)})

    def finish(self, record: RunRecord) -> None:
        self.close("finished", final_scalars(record))

    def close(self, state: State, metrics: Mapping[str, float]) -> None:
        """Tell the trackers how the run ended, and wait until they have written everything; only the first call counts.

        After ``PATIENCE_SECONDS`` they are stopped.
        """
        if self._process.returncode is not None:
            return
        self._messages.put({"state": state, "metrics": dict(metrics)})
        self._messages.put(None)
        try:
            self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        for thread in self._threads:
            thread.join(1.0)

    def _pass_on(self, pipe: IO[bytes]) -> None:
        with suppress(OSError), pipe:  # the process has ended; `_listen` says so
            while (message := self._messages.get()) is not None:
                pipe.write(json.dumps(message).encode() + b"\n")
                pipe.flush()

    def _listen(self, pipe: IO[bytes]) -> None:
        for line in pipe:
            self._warn(line.decode(errors="replace").strip())
        if code := self._process.wait():
            self._warn(f"trackers have not got everything of the run: their process ended with {code}")

    def _warn(self, text: str) -> None:
        with suppress(Exception):  # a full disk under the run's log, for example
            self._say(f"warning: {text}")


@contextmanager
def logging(names: Sequence[str], about: About, folder: Path, say: Say, stopped: tuple[type, ...]) -> Iterator[NoLog]:
    """Log a run in some trackers while it is computed; a run that ends without `NoLog.finish` has failed.

    Args:
        names: of the trackers, which `nacbench.tracking.known.check_trackers` has accepted.
        about: the run.
        folder: the run's folder, in which each tracker gets a folder with its name.
        say: told one line if something goes wrong; the run goes on.
        stopped: exceptions after which the run can be resumed, so that it has not failed.
    """
    log = _started(names, about, folder, say) if names else None
    if log is None:
        yield NoLog()
        return
    try:
        yield log
    except BaseException as error:
        log.close("interrupted" if isinstance(error, stopped) else "failed", {})
        raise


def _started(names: Sequence[str], about: About, folder: Path, say: Say) -> LiveLog | None:
    try:
        return LiveLog(about, folder, names, say)
    except OSError as error:
        say(f"warning: the run is not logged by {', '.join(names)}: {told(error)}")
        return None
