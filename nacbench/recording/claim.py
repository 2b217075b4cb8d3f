"""Who computes a run: numbered claims, of which the highest owns it, so that of two live copies one always stops.

A process takes the next number by linking a file ``claims/000002.json`` into the run's folder, which only one can do,
and holds a lock on that file for as long as it lives. Before every write that counts it looks whether its number is
still the highest. A copy that lives on behind a cut-off node is thus outlived, never mixed up with its successor.
"""

import contextlib
import fcntl
import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nacbench.errors import UserError
from nacbench.files import sync_folder, utc_now, write_json
from nacbench.machine.process import Life, this_life
from nacbench.machine.slurm import is_job_live

CLAIMS = "claims"
HEARTBEAT = "heartbeat.json"
BEAT_SECONDS = 30.0
STALE_SECONDS = 300.0  # without a sign of life for so long, a process that cannot be asked otherwise is given up


class BusyError(UserError):
    """Somebody else computes this run: it will be done without us."""


class TakenOverError(UserError):
    """Somebody else has taken this run over: this copy must stop, and must not write anything more."""


@dataclass(frozen=True)
class Claimant:
    """What a claim's file says of the process that made it."""

    number: int
    life: Life
    since: str


class Claim:
    """A run's folder, claimed by this process; made by `hold`.

    Attributes:
        number: how often the run has been claimed, this time included.
    """

    def __init__(self, folder: Path, number: int, descriptor: int) -> None:
        self.folder = folder
        self.number = number
        self._descriptor = descriptor
        self._facts: dict[str, Any] = {}
        self._changed = time.time()

    def check(self) -> None:
        """Raise `TakenOverError` if the run has gone to another process."""
        last = _last_number(self.folder)
        if last != self.number:
            raise TakenOverError(
                f"run {self.folder.name} was taken over by another process (claim {last} after {self.number}); "
                "this copy stops"
            )

    def progress(self, **facts: Any) -> None:
        """Note how far the run is, for the next heartbeat, and check."""
        if facts != self._facts:
            self._facts, self._changed = facts, time.time()
        self.check()

    def beat(self) -> None:
        """Write a sign of life, unless the run has gone to another process."""
        with contextlib.suppress(TakenOverError, OSError):  # a full disk must not stop a run between its checkpoints
            self.check()
            beat = {"claim": self.number, "time": time.time(), "progress_time": self._changed, **self._facts}
            write_json(self.folder / HEARTBEAT, beat)

    def end(self, *, done: bool) -> None:
        """Let go of the folder."""
        if done:
            with contextlib.suppress(TakenOverError):
                self.check()
                (self.folder / HEARTBEAT).unlink(missing_ok=True)
        os.close(self._descriptor)


@contextmanager
def hold(folder: Path, *, beat_seconds: float = BEAT_SECONDS) -> Iterator[Claim]:
    """Claim a run's folder, and give signs of life, for as long as one is inside.

    Args:
        folder: of the run; made if need be.
        beat_seconds: between signs of life.

    Raises:
        BusyError: if another process computes the run.
    """
    claim = _take(folder)
    ended = threading.Event()

    def beats() -> None:
        while not ended.wait(beat_seconds):
            claim.beat()

    claim.beat()
    thread = threading.Thread(target=beats, name="heartbeat", daemon=True)
    thread.start()
    done = False
    try:
        yield claim
        done = True
    finally:
        ended.set()
        thread.join()
        claim.end(done=done)


def claimants(folder: Path) -> list[Claimant]:
    """Everyone who has claimed a run, in order; a claim that cannot be read is left out."""
    found = (_read(folder, number) for number in sorted(_numbers(folder)))
    return [claimant for claimant in found if claimant]


def claim_count(folder: Path) -> int:
    """How often a run has been claimed."""
    return _last_number(folder)


def read_heartbeat(folder: Path) -> dict[str, Any] | None:
    """The last sign of life of a run, or None where there is none that can be read."""
    try:
        beat = json.loads((folder / HEARTBEAT).read_text(encoding="utf-8"))
        return {**beat, "claim": int(beat["claim"]), "time": float(beat["time"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_held(folder: Path) -> bool:
    """Whether a process that this machine can see holds the run's last claim."""
    number = _last_number(folder)
    return number > 0 and _is_locked(_path(folder, number))


def _take(folder: Path) -> Claim:
    (folder / CLAIMS).mkdir(parents=True, exist_ok=True)
    life = this_life()
    while True:
        last = _last_number(folder)
        if last:
            _refuse_if_live(folder, last, life)
        descriptor = _make_claim(folder, last + 1, life)
        if descriptor is not None:
            _remove_leftovers(folder)
            return Claim(folder, last + 1, descriptor)


def _make_claim(folder: Path, number: int, life: Life) -> int | None:
    """The open and locked file of a new claim, or None if another process was faster."""
    path = _path(folder, number)
    aside = path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}.tmp"
    descriptor = os.open(aside, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # before anybody can see it
        content = {"life": asdict(life), "since": utc_now()}
        os.write(descriptor, (json.dumps(content, indent=2) + "\n").encode())
        os.fsync(descriptor)
        os.link(aside, path)
        sync_folder(path.parent)
    except (FileExistsError, FileNotFoundError):  # somebody was faster, and has perhaps tidied up already
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    finally:
        aside.unlink(missing_ok=True)
    return descriptor


def _refuse_if_live(folder: Path, number: int, life: Life) -> None:
    """Raise `BusyError` if the last claimant lives, unless it is an earlier life of this very job.

    What is asked, in this order: the job's own history; the lock; the machine, if it is this one; Slurm; the heartbeat.
    """
    last = _read(folder, number)
    if last is not None and life.succeeds(last.life):
        return
    if _is_locked(_path(folder, number)):
        raise BusyError(_busy(folder, last))
    if last is not None and last.life.machine == life.machine:
        return
    live = is_job_live(last.life.job) if last is not None and last.life.job else None
    if live is None:
        live = seconds_since_beat(folder, number) < STALE_SECONDS
    if live:
        raise BusyError(_busy(folder, last))


def _busy(folder: Path, last: Claimant | None) -> str:
    where = f" ({last.life.text()}, since {last.since})" if last else ""
    return f"run {folder.name} is being computed by another process{where}; see {folder / 'log.txt'}"


def seconds_since_beat(folder: Path, number: int) -> float:
    """By the file system's own clock, as machines' clocks differ; endless where the last claimant never gave a sign."""
    beat = read_heartbeat(folder)
    file = folder / HEARTBEAT if beat and beat["claim"] == number else _path(folder, number)
    probe = folder / CLAIMS / f".now.{uuid.uuid4().hex[:8]}.tmp"
    try:
        probe.touch()
        return probe.stat().st_mtime - file.stat().st_mtime
    except FileNotFoundError:
        return 0.0  # somebody has claimed the run just now, and tidied up
    finally:
        probe.unlink(missing_ok=True)


def _remove_leftovers(folder: Path) -> None:
    """Delete half-written files that killed processes left: what is not renamed yet counts for nothing."""
    for file in folder.rglob(".*.tmp"):
        file.unlink(missing_ok=True)


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: those who ask do not mistake each other
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _read(folder: Path, number: int) -> Claimant | None:
    try:
        content = json.loads(_path(folder, number).read_text(encoding="utf-8"))
        return Claimant(number, Life(**content["life"]), str(content["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _numbers(folder: Path) -> list[int]:
    try:
        names = os.listdir(folder / CLAIMS)  # noqa: PTH208 (names alone, and often)
    except OSError:
        return []
    return [int(name.removesuffix(".json")) for name in names if name.endswith(".json") and name[0] != "."]


def _last_number(folder: Path) -> int:
    return max(_numbers(folder), default=0)


def _path(folder: Path, number: int) -> Path:
    return folder / CLAIMS / f"{number:06d}.json"
