"""Which process this is: machine, process number, and which life of which Slurm job."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

TOKEN = "NACBENCH_SUBMISSION"  # noqa: S105 (names a submission to Slurm; not a secret)


@dataclass(frozen=True)
class Life:
    """One life of a process.

    Attributes:
        host: name of the machine, for people.
        machine: the same for processes of one running machine, and for them alone.
        pid: of the process.
        job: of Slurm, ``123`` or ``123_7``; empty outside.
        restart: how often that job was requeued before.
        submission: which submission it came from, as job numbers can come back after a controller's crash.
    """

    host: str
    machine: str
    pid: int
    job: str = ""
    restart: int = 0
    submission: str = ""

    def succeeds(self, other: "Life") -> bool:
        """Whether this is the same Slurm job, restarted: the other life is over, or must be."""
        if not self.job or self.job != other.job:
            return False
        return self.submission != other.submission or self.restart > other.restart

    def text(self) -> str:
        """For people."""
        job = f"Slurm job {self.job} on " if self.job else ""
        return f"{job}{self.host}, process {self.pid}"


def this_life() -> Life:
    """Of the process that asks."""
    host = socket.gethostname()
    return Life(
        host=os.environ.get("SLURMD_NODENAME", host),
        machine=f"{host}/{_boot()}",
        pid=os.getpid(),
        job=slurm_job(),
        restart=int(os.environ.get("SLURM_RESTART_COUNT", "0") or 0),
        submission=os.environ.get(TOKEN, ""),
    )


def slurm_job() -> str:
    """This job's number as Slurm's commands show it; empty outside of Slurm."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID", "")


def _boot() -> str:
    """What changes with every boot, where the system tells: containers on two machines may share a host's name."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
