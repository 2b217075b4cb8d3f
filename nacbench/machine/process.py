"""Process identity: machine, process id, and Slurm job with its restart count."""

import os
import socket
from dataclasses import dataclass

from nacbench.filesystem.owner import Process, machine, this_process

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
        submission: token of the submission that started the process; empty for a run by hand.
        born: when the process started (`nacbench.filesystem.owner.Process`); empty in claims of older versions.
    """

    host: str
    machine: str
    pid: int
    job: str = ""
    restart: int = 0
    submission: str = ""
    born: str = ""

    @property
    def process(self) -> Process:
        """The process; only on its own machine its number means anything."""
        return Process(self.pid, self.born)

    def succeeds(self, other: "Life") -> bool:
        """Whether this is a later life of the same Slurm job, so that the other one has ended or must end.

        Only requeueing makes one. Another process of the same job, such as a second command in an interactive job, is
        none, whatever started it.
        """
        return bool(self.job) and self.job == other.job and self.restart > other.restart

    def text(self) -> str:
        """Return a description for people: Slurm job, host and process id."""
        job = f"Slurm job {self.job} on " if self.job else ""
        return f"{job}{self.host}, process {self.pid}"


def this_life() -> Life:
    """Return the identity of the current process."""
    own = this_process()
    return Life(
        host=os.environ.get("SLURMD_NODENAME", socket.gethostname()),
        machine=machine(),
        pid=own.pid,
        job=slurm_job(),
        restart=_restarts(),
        submission=os.environ.get(TOKEN, ""),
        born=own.born,
    )


def slurm_job() -> str:
    """Return the current Slurm job's id as Slurm's commands show it (``123`` or ``123_7``); empty outside Slurm."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID", "")


def _restarts() -> int:
    text = os.environ.get("SLURM_RESTART_COUNT", "")
    return int(text) if text.isdecimal() and len(text) < 7 else 0
