"""Process identity: machine, process id, and Slurm job with its restart count."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

TOKEN = "NACBENCH_SUBMISSION"  # noqa: S105 (names a submission to Slurm; not a secret)


@dataclass(frozen=True)
class Life:
    """Identity of a process that computes a run; a requeued Slurm job is another life of the same job.

    Attributes:
        host: name of the machine, for people.
        machine: equal for two processes if and only if they run on the same machine since the same boot.
        pid: process id.
        job: Slurm job id, ``123`` or ``123_7``; empty outside Slurm.
        restart: how often the job was requeued before.
        submission: token of the submission, since Slurm can reuse job ids after its controller lost its state.
    """

    host: str
    machine: str
    pid: int
    job: str = ""
    restart: int = 0
    submission: str = ""

    def succeeds(self, other: "Life") -> bool:
        """Whether this is a later life of the same Slurm job, so that the other one has ended or must end."""
        if not self.job or self.job != other.job:
            return False
        return self.submission != other.submission or self.restart > other.restart

    def text(self) -> str:
        """Return a description for people: Slurm job, host and process id."""
        job = f"Slurm job {self.job} on " if self.job else ""
        return f"{job}{self.host}, process {self.pid}"


def this_life() -> Life:
    """Return the identity of the current process."""
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
    """Return the current Slurm job's id as Slurm's commands show it (``123`` or ``123_7``); empty outside Slurm."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID", "")


def _boot() -> str:
    """Return Linux's boot id, or an empty string on other systems."""
    # The host name alone is not unique: containers on two machines may share it
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
