"""Who computes a run, and whether that process lives, by the claims and the heartbeat in its folder.

`nacbench.recording.claim` writes both.
"""

import errno
import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from nacbench.errors import UserError
from nacbench.filesystem.locking import try_lock
from nacbench.filesystem.owner import machine
from nacbench.filesystem.scratch import scratch_name
from nacbench.formats.reading import open_regular, read_json
from nacbench.machine.process import Life
from nacbench.recording.bounded import Count, Part, Seconds, Time

CLAIMS = "claims"
CLAIM_FILE = re.compile(r"([0-9]{6})\.json")  # other files are no claims, such as the copies of tools that sync folders
HEARTBEAT = "heartbeat.json"
# of a folder in which nothing may be, or can be, written
NO_FILE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT)
STALE_SECONDS = 300.0  # a heartbeat older than this means dead, for a process that can be checked in no other way


@dataclass(frozen=True)
class Claimant:
    """Content of a claim file: the process that made the claim.

    Attributes:
        number: number of the claim, from 1.
        life: machine, process and Slurm job.
        since: time of the claim, ISO 8601 in UTC.
        locked: whether the process holds a file lock on it; false where the file system has no locks.
    """

    number: int
    life: Life
    since: str
    locked: bool = True


class _ClaimFile(Part):
    """Content of a claim file as JSON."""

    life: Life
    since: Time
    locked: bool = True

    @field_validator("life")
    @classmethod
    def _has_a_process(cls, life: Life) -> Life:
        if not 0 < life.pid < 2**31 or not 0 <= life.restart < 2**31:  # to the system, kill(-1) means every process
            raise ValueError(f"process {life.pid}, restart {life.restart} are not numbers of a process")
        return life


class _Heartbeat(BaseModel):
    """Content of ``heartbeat.json``: times in seconds since 1970, and the progress, if the run has told any."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, strict=True)  # later versions may add facts

    claim: Count
    time: Seconds
    progress_time: Seconds = 0.0
    step: Count = 0
    steps: Count = 0
    seconds: Seconds = 0.0  # of training and evaluation up to this step, over all attempts


def claimants(folder: Path) -> list[Claimant]:
    """Return all claims of a run in order of their numbers, without those that cannot be read."""
    found = (read_claim(folder, number) for number in sorted(claim_numbers(folder)))
    return [claimant for claimant in found if claimant]


def last_claimant(folder: Path) -> Claimant | None:
    """Return the last claim of a run, or None if there is none or it cannot be read."""
    number = claim_count(folder)
    return read_claim(folder, number) if number else None


def claim_count(folder: Path) -> int:
    """Return how often a run has been claimed, which is the number of its last claim."""
    return max(claim_numbers(folder), default=0)


def read_heartbeat(folder: Path) -> dict[str, Any] | None:
    """Return the last heartbeat of a run, or None if there is none or it cannot be read."""
    try:
        return read_json(folder / HEARTBEAT, _Heartbeat).model_dump(exclude_unset=True)
    except UserError:
        return None


def is_held(folder: Path) -> bool | None:
    """Whether the process of a run's last claim holds it, as this machine can see by lock or process number.

    None if it cannot see that: the process runs on another machine, and locks may not reach it.
    """
    number = claim_count(folder)
    return is_claim_held(folder, number, read_claim(folder, number)) if number else False


def is_claim_held(folder: Path, number: int, claimant: Claimant | None) -> bool | None:
    """Whether a process holds a claim, as `is_held` says it of the last one.

    Args:
        folder: of the run.
        number: of the claim.
        claimant: its content, or None if it cannot be read.
    """
    free = _is_free(claim_path(folder, number))
    if free is False:
        return True
    if claimant is None:
        return None
    if not claimant.locked and ended_path(folder, number).exists():
        return False
    if claimant.life.machine != machine():
        return None
    return False if claimant.locked and free else claimant.life.process.lives()  # flock is reliable on one machine


def seconds_since_beat(folder: Path, number: int, *, now: float | None = None) -> float:
    """Return the age in seconds of a claim's last heartbeat, or of the claim file if it has no heartbeat yet.

    Args:
        folder: folder of the run.
        number: of the claim.
        now: the time in seconds since 1970. By default the file system's clock, since the clocks of machines differ;
            to read it, a file is made and removed. Where none can be made, this machine's clock has to do.
    """
    beat = read_heartbeat(folder)
    file = folder / HEARTBEAT if beat and beat["claim"] == number else claim_path(folder, number)
    try:
        return (_now_in(folder / CLAIMS) if now is None else now) - file.stat().st_mtime
    except FileNotFoundError:
        return 0.0  # another process has just claimed the run, and removed all temporary files


def _now_in(folder: Path) -> float:
    """Return the time by the clock of a folder's file system; by this machine's where no file can be made there."""
    probe = scratch_name(folder / "now")
    try:
        probe.touch()
        return probe.stat().st_mtime
    except OSError as error:
        if error.errno not in NO_FILE:
            raise
        return time.time()
    finally:
        with suppress(OSError):
            probe.unlink()


def read_claim(folder: Path, number: int) -> Claimant | None:
    """Return a claim's content, or None if it is missing or damaged."""
    try:
        content = read_json(claim_path(folder, number), _ClaimFile)
    except UserError:
        return None
    return Claimant(number, content.life, content.since, content.locked)


def claim_numbers(folder: Path) -> list[int]:
    """Return the numbers of all claims of a run, in no order."""
    try:
        names = os.listdir(folder / CLAIMS)  # noqa: PTH208 (called before every write; Path objects would be slower)
    except OSError:
        return []
    return [int(found[1]) for name in names if (found := CLAIM_FILE.fullmatch(name))]


def claim_path(folder: Path, number: int) -> Path:
    """Return the file of a claim."""
    return folder / CLAIMS / f"{number:06d}.json"


def ended_path(folder: Path, number: int) -> Path:
    """Return the file that says, where the file system has no locks, that a claim was given up."""
    return folder / CLAIMS / f"{number:06d}.ended"


def _is_free(path: Path) -> bool | None:
    """Whether nobody holds a lock on a claim file; None if the file system has no locks."""
    try:
        with open_regular(path) as file:  # a pipe of this name would be opened for ever
            return try_lock(file.fileno(), shared=True)  # shared: two processes that test do not block each other
    except UserError:
        return True
