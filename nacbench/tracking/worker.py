"""The process that tells trackers of a run: reads messages of `nacbench.tracking.live` until its input ends.

Each is a line of JSON: first what the run is, then rows of its curve, and last how it ended. Without the last one the
run was killed. On standard output it writes a line for each tracker that fails.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from nacbench.tracking.session import Session, failure_line, places_in
from nacbench.tracking.tracker import About

# Slurm sends signals to all processes of a job; this one ends when the run does
IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


def main() -> None:
    """Read messages from standard input; libraries that print write to standard error, which is discarded."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    with os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1) as reports:
        os.dup2(2, 1)
        _follow(sys.stdin.buffer, lambda name, error: print(failure_line(name, error), file=reports))
    os._exit(0)  # threads of a tracker that has failed could go on waiting for its server


def _follow(lines: Iterable[bytes], failed: Callable[[str, Exception], None]) -> None:
    messages = map(json.loads, lines)
    first = next(messages, None)
    if first is None:
        return
    session = Session(About(**first["about"]), places_in(Path(first["folder"]), tuple(first["trackers"])), failed)
    for message in messages:
        if "row" in message:
            session.row(message["row"])
        else:
            session.finish(message["metrics"], message["state"])
            return
    session.finish({}, "interrupted")


if __name__ == "__main__":
    main()
