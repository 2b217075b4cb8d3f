"""Failures of a sweep's runs: read failure.json, move it aside for a retry, and classify jobs that Slurm killed."""

from pathlib import Path

from nacbench.errors import UserError
from nacbench.machine.slurm import Verdict
from nacbench.recording.read_record import read_failure
from nacbench.recording.record import FAILURE, Cause, Failure

PAST = "failures"  # folder in a run's folder: earlier failures, one for each retry

SIGNS_OF_OOM = ("oom-kill", "oom_kill", "out of memory", "exceeded memory limit", "exceeded job memory limit")


def failure_of(folder: Path) -> Failure | None:
    """Return the content of a run's failure.json, or None if it is missing or broken."""
    path = folder / FAILURE
    try:
        return read_failure(path) if path.exists() else None
    except UserError:
        return None


def is_cancelled(folder: Path) -> bool:
    """Whether a run was cancelled since it was last submitted."""
    failure = failure_of(folder)
    return failure is not None and failure.status == "cancelled"


def put_aside(folder: Path) -> None:
    """Move a run's failure.json to its earlier failures, so that the run can be started again."""
    path = folder / FAILURE
    if path.exists():
        past = folder / PAST
        past.mkdir(exist_ok=True)
        path.rename(past / f"{_past(folder) + 1:03d}.json")


def allowance(folder: Path, max_attempts: int) -> int:
    """Return the number of attempts that a run may have in all: ``max_attempts``, and as many again for each retry."""
    return max_attempts * (1 + _past(folder))


def cause_by_slurm(verdict: Verdict | None, log: list[str]) -> Cause | None:
    """Return the cause of death of a job that wrote no failure.json, or None if neither Slurm nor the log shows it."""
    # the log, too, as Slurm without cgroups reports a job killed for its memory as FAILED
    text = "\n".join(log).lower()
    state = verdict.state if verdict else ""
    if state == "OUT_OF_MEMORY" or any(sign in text for sign in SIGNS_OF_OOM):
        return "oom"
    if state in ("TIMEOUT", "DEADLINE"):
        return "timeout"
    if state in ("NODE_FAIL", "BOOT_FAIL"):
        return "node"
    return None


def _past(folder: Path) -> int:
    return len(list((folder / PAST).glob("*.json")))
