"""Cores that this process may use: the scheduler's affinity mask and the CPU quota of its control groups."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from nacbench.errors import UserError

MOST_THREADS = 1024  # more is a mistake: torch would try to start them all
GROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")


def granted_cores(groups: Path = GROUPS, own: Path = OWN_GROUPS) -> int:
    """Return how many cores this process may use, at least 1.

    It is the smallest of the affinity mask, which Slurm, taskset and Docker's ``--cpuset-cpus`` set, of the quota of
    control groups, which Kubernetes and Docker's ``--cpus`` set (2.5 cores count as 2), and of ``SLURM_CPUS_PER_TASK``,
    as not every cluster binds its jobs.

    Args:
        groups: where control groups are mounted.
        own: file that names this process's groups.
    """
    # macOS has no mask; os.cpu_count() counts the whole machine
    mask = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    slurm = os.environ.get("SLURM_CPUS_PER_TASK", "")
    told = [int(slurm)] if slurm.isascii() and slurm.isdigit() and len(slurm) < 6 else []
    return max(1, min([mask, *told, *(int(quota) for quota in _quotas(groups, own))]))


def default_threads(environ: Mapping[str, str] = os.environ) -> int:
    """Return the threads that a run computes with by default: ``OMP_NUM_THREADS`` if it is set, else the granted cores.

    Raises:
        UserError: if ``OMP_NUM_THREADS`` is not a whole number from 1 to ``MOST_THREADS``.
    """
    text = environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()  # a list: one number per level of nesting
    if not text:
        return min(granted_cores(), MOST_THREADS)
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST_THREADS):
        raise UserError(
            f"OMP_NUM_THREADS={environ['OMP_NUM_THREADS']} is set: it must be a whole number of threads from 1 to "
            f"{MOST_THREADS}; correct or unset it"
        )
    return int(text)


def _quotas(groups: Path, own: Path) -> Iterator[float]:
    """Yield the quotas in cores that hold for this process: those of its groups and of all groups around them."""
    for line in _text(own).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:  # version 2
            mounts = [groups, groups / "unified"]
        elif "cpu" in controllers.split(","):  # version 1
            mounts = [groups / controllers, groups / "cpu"]
        else:
            continue
        inside = PurePosixPath(path.strip().lstrip("/"))
        # A container may see the path of the host, which does not exist inside it; its own group is then the root
        for mount in mounts:
            for folder in (mount / inside, *(mount / parent for parent in inside.parents)):
                quota = _quota(folder)
                if quota is not None:
                    yield quota


def _quota(folder: Path) -> float | None:
    """Return the quota of one group in cores; None if it has none."""
    words = _text(folder / "cpu.max").split() or [
        _text(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")
    ]
    try:
        quota, period = (float(word) for word in words)  # "max", or -1 in version 1: no limit
    except ValueError:
        return None
    return quota / period if quota > 0 and period > 0 else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
