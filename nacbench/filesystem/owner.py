"""Processes that own something: found again by number and start time, as the system uses numbers again."""

import hashlib
import os
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """A process of this machine.

    Attributes:
        pid: process id.
        born: namespace of process ids, and start in clock ticks since boot; empty if unknown (not on Linux).
    """

    pid: int
    born: str = ""

    def lives(self) -> bool | None:
        """Whether it runs; a zombie does not. None if that cannot be seen from here, as from another container."""
        if not self.born:
            return _has_number(self.pid)
        space, _, _ = self.born.partition(" ")
        if space != _space():
            return None
        found = _stat(self.pid)
        return found is not None and found[0] not in "ZX" and f"{space} {found[2]}" == self.born

    def send(self, number: int) -> bool:
        """Send a signal; return false if it has ended, cannot be told from another one, or is another user's."""
        if not self.lives() or (not self.born and PROC.is_dir()):
            return False
        try:
            os.kill(self.pid, number)
        except OSError:
            return False
        return True


def this_process() -> Process:
    """Return the current process."""
    return process(os.getpid())


def process(pid: int) -> Process:
    """Return the process that has this number now."""
    found = _stat(pid)
    return Process(pid, f"{_space()} {found[2]}" if found else "")


def leads_a_session(pid: int) -> bool:
    """Whether a process leads a session, as workers do: all others in it descend from it."""
    try:
        return os.getsid(pid) == pid
    except OSError:
        return False


def session_of(pid: int) -> list[Process]:
    """Return the live processes of a session by its leader's number, also after the leader has ended."""
    try:
        numbers = [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]
    except OSError:
        return []
    found = ((number, _stat(number)) for number in numbers)
    return [Process(n, f"{_space()} {stat[2]}") for n, stat in found if stat and stat[1] == pid and stat[0] not in "ZX"]


@cache
def machine() -> str:
    """Return a text that two processes share if and only if they run on one machine since the same boot."""
    # The host name alone is not unique: containers on two machines may share it
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot = ""
    return f"{socket.gethostname()}/{boot}"


@cache
def digest_of_machine() -> str:
    """Return eight hexadecimal digits for the machine since its boot, and for the namespace of process ids."""
    return hashlib.sha256(f"{machine()} {_space()}".encode()).hexdigest()[:8]


@cache
def _space() -> str:
    """Return the namespace of process ids: containers of one machine number their processes independently."""
    try:
        return str((PROC / "self/ns/pid").readlink())
    except OSError:
        return "pid"


def _stat(pid: int) -> tuple[str, int, str] | None:
    """Return state, session and start in clock ticks of a process, or None if there is none of this number."""
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold blanks and brackets
    return fields[0], int(fields[3]), fields[19]


def _has_number(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OverflowError:
        return False
    except OSError:  # it is another user's
        return True
    return True
