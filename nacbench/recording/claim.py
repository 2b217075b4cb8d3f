"""Lock on a run's folder: numbered claims with fencing, heartbeat and takeover.

A process takes the next number by placing a file such as ``claims/000002.json`` in the run's folder, which only one
process can do, and holds a file lock (flock) on it while it lives. The number is a fencing token: before every
permanent write the process checks that its number is still the highest. A process that was cut off, for example on a
node that lost its network, is therefore replaced and stops at its next write, instead of mixing its files with those of
its successor.

Where the file system has no locks, the process number decides on the same machine, and the heartbeat elsewhere; a claim
that was given up has a file ``000002.ended`` beside it.
"""

import contextlib
import json
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from nacbench.errors import UserError
from nacbench.filesystem.files import sync, sync_folder, utc_now, write_json
from nacbench.filesystem.locking import place_first, try_lock
from nacbench.filesystem.owner import machine
from nacbench.filesystem.scratch import scratch_name
from nacbench.formats.reading import open_regular, read_json
from nacbench.machine.process import Life, this_life
from nacbench.machine.slurm import is_job_live
from nacbench.recording.bounded import Count, Part, Seconds, Time

CLAIMS = "claims"
CLAIM_FILE = re.compile(r"([0-9]{6})\.json")  # other files are no claims, such as the copies of tools that sync folders
HEARTBEAT = "heartbeat.json"
BEAT_SECONDS = 30.0
STALE_SECONDS = 300.0  # a heartbeat older than this means dead, for a process that can be checked in no other way


class BusyError(UserError):
    """Another process computes this run, so this one need not."""


class TakenOverError(UserError):
    """Another process has taken this run over: this one must stop without writing anything more."""


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


class Claim:
    """A claim that this process holds on a run's folder; created by `hold`.

    Attributes:
        folder: folder of the run.
        number: number of this claim, which is also the number of attempts at the run so far.
    """

    def __init__(self, folder: Path, number: int, descriptor: int, *, locked: bool) -> None:
        self.folder = folder
        self.number = number
        self._descriptor = descriptor
        self._locked = locked
        self._facts: dict[str, Any] = {}
        self._changed = time.time()

    def check(self) -> None:
        """Check the fencing token before a permanent write.

        Raises:
            TakenOverError: if another process has claimed the run since.
        """
        last = _last_number(self.folder)
        if last != self.number:
            raise TakenOverError(
                f"run {self.folder.name} was taken over by another process (claim {last} after {self.number}); "
                "this copy stops"
            )

    def progress(self, **facts: Any) -> None:
        """Store the progress for the next heartbeat; the first is written at once. Raises as `Claim.check`."""
        is_first = not self._facts
        if facts != self._facts:
            self._facts, self._changed = facts, time.time()
        self.check()
        if is_first:  # until then the heartbeat says no more than that the run is starting
            self.beat()

    def beat(self) -> None:
        """Write the heartbeat file, unless another process has taken the run over."""
        # Errors are ignored: a full disk must not stop a run between its checkpoints, and the training process itself
        # finds out by `check` that it was taken over
        with contextlib.suppress(TakenOverError, OSError):
            self.check()
            beat = {"claim": self.number, "time": time.time(), "progress_time": self._changed, **self._facts}
            write_json(self.folder / HEARTBEAT, beat)

    def end(self, *, done: bool) -> None:
        """Release the lock; if the run is done, remove its heartbeat. The claim file stays, as it counts attempts."""
        if done:
            with contextlib.suppress(TakenOverError):
                self.check()
                (self.folder / HEARTBEAT).unlink(missing_ok=True)
        if not self._locked:
            with contextlib.suppress(OSError):  # the folder may have been set aside
                _ended(self.folder, self.number).touch()
        os.close(self._descriptor)  # releases the lock, as the end of the process would


@contextmanager
def hold(folder: Path, *, beat_seconds: float = BEAT_SECONDS) -> Iterator[Claim]:
    """Hold the lock on a run's folder while inside, with a heartbeat from a background thread.

    Args:
        folder: folder of the run, created if necessary.
        beat_seconds: seconds between heartbeats.

    Raises:
        BusyError: if another process computes the run.
    """
    claim = _take(folder)
    ended = threading.Event()

    def beats() -> None:
        while not ended.wait(beat_seconds):
            claim.beat()

    claim.beat()  # at once, to replace the heartbeat of the previous claim
    thread = threading.Thread(target=beats, name="heartbeat", daemon=True)
    thread.start()
    done = False
    try:
        yield claim
        done = True
    finally:
        ended.set()
        thread.join()  # before the lock is released, or a late heartbeat could be written under it
        claim.end(done=done)


def claimants(folder: Path) -> list[Claimant]:
    """Return all claims of a run in order of their numbers, without those that cannot be read."""
    found = (_read(folder, number) for number in sorted(_numbers(folder)))
    return [claimant for claimant in found if claimant]


def last_claimant(folder: Path) -> Claimant | None:
    """Return the last claim of a run, or None if there is none or it cannot be read."""
    number = _last_number(folder)
    return _read(folder, number) if number else None


def claim_count(folder: Path) -> int:
    """Return how often a run has been claimed."""
    return _last_number(folder)


def forget_claims(claim: Claim) -> None:
    """Remove the claims before this one, where their number does not matter."""
    for number in _numbers(claim.folder):
        if number < claim.number:
            _path(claim.folder, number).unlink(missing_ok=True)
            _ended(claim.folder, number).unlink(missing_ok=True)


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
    number = _last_number(folder)
    return _is_held(folder, number, _read(folder, number)) if number else False


def _is_held(folder: Path, number: int, last: Claimant | None) -> bool | None:
    free = _is_free(_path(folder, number))
    if free is False:
        return True
    if last is None:
        return None
    if not last.locked and _ended(folder, number).exists():
        return False
    if last.life.machine != machine():
        return None
    return False if last.locked and free else last.life.process.lives()  # flock is reliable on one machine


def _take(folder: Path) -> Claim:
    """Make the next claim; raises BusyError as `hold`."""
    (folder / CLAIMS).mkdir(parents=True, exist_ok=True)
    life = this_life()
    while True:  # a process that loses the race for a number looks at the winner's claim, and then raises BusyError
        last = _last_number(folder)
        if last:
            _refuse_if_live(folder, last, life)
        claim = _make_claim(folder, last + 1, life)
        if claim is not None:
            _remove_leftovers(folder)  # only now that we hold the lock: before, they could be a live process's files
            return claim


def _make_claim(folder: Path, number: int, life: Life) -> Claim | None:
    """Write, lock and place the file of a new claim.

    Returns:
        The claim, or None if another process took the number first.
    """
    path = _path(folder, number)
    aside = scratch_name(path)
    descriptor = os.open(aside, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o644)
    try:
        locked = try_lock(descriptor) is True  # before it has its name: no process may see the claim without its lock
        content = {"life": asdict(life), "since": utc_now(), "locked": locked}
        os.write(descriptor, (json.dumps(content, indent=2) + "\n").encode())
        sync(descriptor)  # before it has its name, or a crash could leave a claim without content
        place_first(aside, path)
        sync_folder(path.parent)
    # FileExistsError: another process took the number. FileNotFoundError: and its _remove_leftovers deleted our file
    except (FileExistsError, FileNotFoundError):
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    finally:
        aside.unlink(missing_ok=True)
    return Claim(folder, number, descriptor, locked=locked)


def _refuse_if_live(folder: Path, number: int, life: Life) -> None:
    """Decide whether the process of the last claim is alive, by the most reliable evidence available.

    In this order: an earlier start of this Slurm job counts as dead; what this machine sees (`is_held`); Slurm's
    answer; the age of the heartbeat.

    Raises:
        BusyError: if it is alive.
    """
    last = _read(folder, number)
    # Before the lock: when Slurm requeues a job, its old process may still run for a while and hold the lock
    if last is not None and life.succeeds(last.life):
        return
    live = _is_held(folder, number, last)
    if live is None and last is not None:
        live = _is_live_by_slurm(last.life, life)
    if live is None:  # no Slurm job, or Slurm did not answer
        live = seconds_since_beat(folder, number) < STALE_SECONDS
    if live:
        raise BusyError(_busy(folder, last))


def _is_live_by_slurm(last: Life, own: Life) -> bool | None:
    if not last.job:
        return None
    if last.job == own.job:  # Slurm's answer would be about this job, which runs: it may have the number of a dead one
        return True if last.submission == own.submission and last.succeeds(own) else None
    return is_job_live(last.job)


def _busy(folder: Path, last: Claimant | None) -> str:
    where = f" ({last.life.text()}, since {last.since})" if last else ""
    return f"run {folder.name} is being computed by another process{where}; see {folder / 'log.txt'}"


def seconds_since_beat(folder: Path, number: int, *, now: float | None = None) -> float:
    """Return the age in seconds of a claim's last heartbeat, or of the claim file if it has no heartbeat yet.

    Args:
        folder: folder of the run.
        number: of the claim.
        now: the time in seconds since 1970. By default the file system's clock, since the clocks of machines differ;
            to read it, a file is made and removed.
    """
    beat = read_heartbeat(folder)
    file = folder / HEARTBEAT if beat and beat["claim"] == number else _path(folder, number)
    if now is not None:
        return now - file.stat().st_mtime if file.exists() else 0.0
    probe = scratch_name(folder / CLAIMS / "now")
    try:
        probe.touch()
        return probe.stat().st_mtime - file.stat().st_mtime
    except FileNotFoundError:
        return 0.0  # another process has just claimed the run, and its _remove_leftovers deleted the probe
    finally:
        probe.unlink(missing_ok=True)


def _remove_leftovers(folder: Path) -> None:
    """Delete temporary files of killed processes. A file counts only once it is renamed or linked into place."""
    for file in folder.rglob(".*.tmp"):
        file.unlink(missing_ok=True)


def _is_free(path: Path) -> bool | None:
    """Whether nobody holds a lock on a claim file; None if the file system has no locks."""
    try:
        with open_regular(path) as file:  # a pipe of this name would be opened for ever
            return try_lock(file.fileno(), shared=True)  # shared: two processes that test do not block each other
    except UserError:
        return True


def _read(folder: Path, number: int) -> Claimant | None:
    """Return a claim's content, or None if it is missing or damaged."""
    try:
        content = read_json(_path(folder, number), _ClaimFile)
    except UserError:
        return None
    return Claimant(number, content.life, content.since, content.locked)


def _numbers(folder: Path) -> list[int]:
    try:
        names = os.listdir(folder / CLAIMS)  # noqa: PTH208 (called before every write; Path objects would be slower)
    except OSError:
        return []
    return [int(found[1]) for name in names if (found := CLAIM_FILE.fullmatch(name))]


def _last_number(folder: Path) -> int:
    return max(_numbers(folder), default=0)


def _path(folder: Path, number: int) -> Path:
    return folder / CLAIMS / f"{number:06d}.json"


def _ended(folder: Path, number: int) -> Path:
    return folder / CLAIMS / f"{number:06d}.ended"
