"""Failures of runs: kept for people, put aside for a retry, and written down when only Slurm knows the cause."""

from pathlib import Path

from nacbench.errors import UserError
from nacbench.machine.slurm import Verdict
from nacbench.recording.record import FAILURE, Cause, Failure, read_failure

PAST = "failures"  # in a run's folder: those that were retried

SIGNS_OF_OOM = ("oom-kill", "oom_kill", "out of memory", "exceeded memory limit", "exceeded job memory limit")


def failure_of(folder: Path) -> Failure | None:
    """Why a run has no record, if it was written down; a broken file counts for nothing."""
    path = folder / FAILURE
    try:
        return read_failure(path) if path.exists() else None
    except UserError:
        return None


def put_aside(folder: Path) -> None:
    """Move a run's failure to its past ones, so that it may be tried again."""
    path = folder / FAILURE
    if path.exists():
        past = folder / PAST
        past.mkdir(exist_ok=True)
        path.rename(past / f"{_past(folder) + 1:03d}.json")


def allowance(folder: Path, max_attempts: int) -> int:
    """How many attempts a run has in all: so many at first, and as many again each time somebody retried it."""
    return max_attempts * (1 + _past(folder))


def cause_by_slurm(verdict: Verdict | None, log: list[str]) -> Cause | None:
    """Why a job ended that could not say so itself, or None if Slurm has no word for it either."""
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
