"""What a run without a record is known by: the stamps of its files, of which one changes whenever it does something."""

from __future__ import annotations

import os

from nacbench.recording.claimants import CLAIMS, HEARTBEAT
from nacbench.recording.record import FAILURE
from nacbench.recording.store import CURVE

Stamp = tuple[int, int, int, int]  # file number, size, and times of the last change of content and of anything
Signs = tuple[Stamp | None, ...]
NAMES = (FAILURE, CLAIMS, HEARTBEAT)


def signs_of(place: str) -> Signs:
    """Return the stamps of a run's folder and of the files that tell its state; empty if the folder is not there."""
    top = stamp_of(place)
    return (top, *(stamp_of(f"{place}/{name}") for name in NAMES)) if top else ()


def curve_stamp(place: str) -> str:
    """Return a text that changes with a run's curve; empty if it has none."""
    stamp = stamp_of(f"{place}/{CURVE}")
    return "-".join(map(str, stamp)) if stamp else ""


def stamp_of(path: str) -> Stamp | None:
    """Return what a file or folder is known by; None if it is not there or cannot be looked at."""
    try:
        found = os.stat(path)  # noqa: PTH116 (plain strings: there may be very many)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
