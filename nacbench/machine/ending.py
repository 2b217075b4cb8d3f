"""End processes that we started: SIGTERM, so that they save checkpoints, and SIGKILL for those that do not end."""

import signal
import time
from collections.abc import Sequence
from typing import Literal

from nacbench.filesystem.owner import Process, leads_a_session, session_of

PATIENCE_SECONDS = 30.0  # from SIGTERM to SIGKILL, for a step and a checkpoint
KILL_SECONDS = 5.0  # within which the system removes a killed process, unless it waits for a disk

End = Literal["ended", "killed", "left"]


def end_processes(processes: Sequence[Process], seconds: float | None = None) -> list[End]:
    """Send SIGTERM to processes, and SIGKILL to those that are alive after some seconds.

    What else runs in their sessions, such as data loaders, is killed once they have ended. Each process is known by
    its start time, so that another one that has its number by now gets no signal.

    Args:
        processes: of this machine.
        seconds: by default ``PATIENCE_SECONDS``.

    Returns:
        For each: ended by itself, killed, or left, as it is another user's or hangs in the system.
    """
    leaders = [process.pid for process in processes if process.lives() and leads_a_session(process.pid)]
    asked = [process for process in processes if process.send(signal.SIGTERM)]
    _wait(asked, PATIENCE_SECONDS if seconds is None else seconds)
    killed = {process for process in processes if process.send(signal.SIGKILL)}
    members = [member for pid in leaders for member in session_of(pid) if member.send(signal.SIGKILL)]
    _wait([*killed, *members], KILL_SECONDS)
    return ["left" if p.lives() else "killed" if p in killed else "ended" for p in processes]


def _wait(processes: Sequence[Process], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(process.lives() for process in processes) and time.monotonic() < deadline:
        time.sleep(0.05)
