"""Variables by which a launcher (torchrun, mpirun, srun) tells a process that it is one of several.

Accelerate believes them. Left over in a shell, they make it wait for processes that never come, or raise something from
its inside; so they are checked first.
"""

import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from nacbench.errors import UserError

WAY_OUT = "or start all processes with torchrun"
PATIENCE_SECONDS = 20.0  # processes of one launch meet within seconds

# How many processes, which of them, and which on its node, by launcher; in the order in which Accelerate looks
FAMILIES = (
    ("WORLD_SIZE", "RANK", "LOCAL_RANK"),
    ("PMI_SIZE", "PMI_RANK", "MPI_LOCALRANKID"),
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_RANK"),
    ("MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_LOCAL_RANK"),
)
MEETING = ("MASTER_ADDR", "MASTER_PORT")


def check_launch(environ: Mapping[str, str] = os.environ) -> int:
    """Return the number of processes that are to compute together, by what a launcher has set; 1 without one.

    Raises:
        UserError: if the variables are incomplete or contradict each other, so that the processes could not meet.
    """
    sizes = {family: _number(environ, family[0], 1) for family in FAMILIES if environ.get(family[0])}
    for family, size in sizes.items():
        if size is not None and size > 1:
            _check_family(environ, family, size)
            return size
    if environ.get("LOCAL_RANK"):  # Accelerate takes this for a launch, whatever the number of processes
        _check_family(environ, FAMILIES[0], _number(environ, "WORLD_SIZE", 1))
    return 1


@contextmanager
def waiting_explained(processes: int, environ: Mapping[str, str] = os.environ) -> Iterator[None]:
    """Say on standard error what is waited for if the block, in which the processes meet, takes long."""
    where = ":".join(environ.get(name, "?") for name in MEETING)
    text = (
        f"waiting for {processes} processes to meet at {where}, as this one's environment says; if you did not start "
        f"several, stop it and unset {', '.join(n for f in FAMILIES for n in f if environ.get(n))}"
    )
    timer = threading.Timer(PATIENCE_SECONDS, lambda: print(text, file=sys.stderr, flush=True))  # noqa: T201
    timer.daemon = True
    if processes > 1:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _check_family(environ: Mapping[str, str], family: tuple[str, str, str], size: int | None) -> None:
    name = family[0] if environ.get(family[0]) else family[2]
    set_to = f"{name}={environ[name]}"
    needed = [*(family if family is FAMILIES[0] else family[:2]), "MASTER_ADDR"]
    needed += ["MASTER_PORT"] if family is FAMILIES[0] else []  # Accelerate has a default for other launchers
    missing = [other for other in needed if not environ.get(other)]
    if missing:
        raise UserError(
            f"{set_to} is set, as by a launcher of several processes, but {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not: unset {name}, {WAY_OUT}"
        )
    for other in family[1:]:
        rank = _number(environ, other, 0)
        if size is not None and rank is not None and rank >= size:
            raise UserError(
                f"{other}={rank} is set, but there are {size} processes ({family[0]}): unset {other} and "
                f"{family[0]}, {WAY_OUT}"
            )
    port = _number(environ, "MASTER_PORT", 1)
    if port is not None and port > 65535:
        raise UserError(f"MASTER_PORT={port} is set, which is no port (1 to 65535): unset it, {WAY_OUT}")


def _number(environ: Mapping[str, str], name: str, least: int) -> int | None:
    """Return a variable as a whole number; None if it is not set.

    Raises:
        UserError: if it is not a whole number of at least ``least``.
    """
    text = environ.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= least):
        raise UserError(
            f"{name}={environ[name]} is set, which is no whole number from {least} on: unset {name}, {WAY_OUT}"
        )
    return int(text)
