"""Why a run has no record: what kind of failure it was, and the file that is left in its place."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nacbench.files import utc_now, write_json
from nacbench.recording.record import FAILURE, Cause, Failure
from nacbench.recording.store import LOG, tail

if TYPE_CHECKING:
    from nacbench.running.config import RunConfig


def cause_of(error: BaseException) -> Cause:
    """What kind of failure an exception is."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "oom"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "disk"
    return "error"


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
    """Write beside a run's files why it has no record."""
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
