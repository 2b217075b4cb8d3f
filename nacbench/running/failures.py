"""Classify a failed run and write ``failure.json``."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nacbench.errors import DivergedError, UserError, told
from nacbench.filesystem.files import utc_now, write_json
from nacbench.machine.memory import is_out_of_memory, out_of_memory_line
from nacbench.plugin_files import plugin_line
from nacbench.recording.record import FAILURE, Cause, Failure
from nacbench.recording.store import LOG, tail

if TYPE_CHECKING:
    from nacbench.running.config import RunConfig


def cause_of(error: BaseException) -> Cause:
    """Return the kind of failure of an exception: diverged, out of memory, disk full, or another error."""
    if isinstance(error, DivergedError):
        return "diverged"
    if is_out_of_memory(error):
        return "oom"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "disk"
    return "error"


def in_one_line(error: BaseException) -> str:
    """Return an exception as one line: a ``UserError``'s message, or what was raised and where in a plug-in."""
    if isinstance(error, UserError):
        return " ".join(str(error).split())
    if is_out_of_memory(error):
        return out_of_memory_line(error)
    place = plugin_line(error)
    where = f" ({place})" if place else ""
    if isinstance(error, SystemExit):
        code = "" if error.code is None else repr(error.code)
        return f"the plug-in called exit({code}){where}; it must return or raise an error"
    return f"{told(error)}{where}"


def leave_failure(
    folder: Path,
    config: RunConfig,
    run_id: str,
    status: Literal["failed", "skipped", "cancelled"],
    reason: str,
    *,
    cause: Cause = "error",
    trace: str | None = None,
    log: Sequence[str] = (),
    attempts: int = 0,
) -> None:
    """Write ``failure.json`` into a run's folder.

    Args:
        folder: folder of the run.
        config: configuration of the run.
        run_id: id of the run.
        status: what happened to it.
        reason: one line for tables.
        cause: kind of error, for status ``failed``.
        trace: traceback, if an exception was raised.
        log: last lines of the log; read from the run's own log file if empty.
        attempts: number of times that the run was started.
    """
    failure = Failure(
        status=status,
        cause=cause,
        run_id=run_id,
        task=config.task.name,
        model=config.model.name,
        size=config.model.size,
        scale=config.scale,
        seed=config.seed,
        reason=reason,
        traceback=trace,
        log=list(log) or tail(folder / LOG),
        attempts=attempts,
        when=utc_now(),
    )
    write_json(folder / FAILURE, failure.model_dump(mode="json"))
