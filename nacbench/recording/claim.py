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
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nacbench.errors import UserError
from nacbench.filesystem.files import sync, sync_folder, utc_now, write_json
from nacbench.filesystem.locking import place_first, try_lock
from nacbench.filesystem.scratch import scratch_name
from nacbench.machine.process import Life, this_life
from nacbench.machine.slurm import is_job_live
from nacbench.recording.claimants import (
    CLAIMS,
    HEARTBEAT,
    STALE_SECONDS,
    Claimant,
    claim_count,
    claim_numbers,
    claim_path,
    ended_path,
    is_claim_held,
    read_claim,
    seconds_since_beat,
)

BEAT_SECONDS = 30.0


class BusyError(UserError):
    """Another process computes this run, so this one need not."""


class TakenOverError(UserError):
    """Another process has taken this run over: this one must stop without writing anything more."""


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
            TakenOverError: if another process has claimed the run since, or its folder is gone.
        """
        last = claim_count(self.folder)
        if last < self.number:  # others only add claims
            raise TakenOverError(
                f"the folder of run {self.folder.name} was moved or deleted while it was computed, or a plug-in has "
                f"changed the working folder: {self.folder} has no claim {self.number} any more; this copy stops"
            )
        if last > self.number:
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
                ended_path(self.folder, self.number).touch()
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


def forget_claims(claim: Claim) -> None:
    """Remove the claims before this one, where their number does not matter."""
    for number in claim_numbers(claim.folder):
        if number < claim.number:
            claim_path(claim.folder, number).unlink(missing_ok=True)
            ended_path(claim.folder, number).unlink(missing_ok=True)


def _take(folder: Path) -> Claim:
    """Make the next claim; raises BusyError as `hold`."""
    (folder / CLAIMS).mkdir(parents=True, exist_ok=True)
    life = this_life()
    while True:  # a process that loses the race for a number looks at the winner's claim, and then raises BusyError
        last = claim_count(folder)
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
    path = claim_path(folder, number)
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
    last = read_claim(folder, number)
    # Before the lock: when Slurm requeues a job, its old process may still run for a while and hold the lock
    if last is not None and life.succeeds(last.life):
        return
    live = is_claim_held(folder, number, last)
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


def _remove_leftovers(folder: Path) -> None:
    """Delete temporary files of killed processes. A file counts only once it is renamed or linked into place."""
    for file in folder.rglob(".*.tmp"):
        file.unlink(missing_ok=True)
