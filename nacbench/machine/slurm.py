"""Slurm commands with retries: squeue, sacct, scontrol, scancel. A missing answer is never taken for "no such job"."""

import shutil
import subprocess
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from nacbench.errors import UserError

LIVE = {
    "CONFIGURING",
    "COMPLETING",
    "NODE_FAIL",
    "PENDING",
    "PREEMPTED",
    "REQUEUED",
    "REQUEUE_FED",
    "REQUEUE_HOLD",
    "RESIZING",
    "RUNNING",
    "SIGNALING",
    "SPECIAL_EXIT",
    "STAGE_OUT",
    "STOPPED",
    "SUSPENDED",
}
"""States in which ``squeue`` lists a job that runs, will run, or may run again (after NODE_FAIL or PREEMPTED)."""

PAUSES = (0.5, 1.0, 2.0, 4.0)  # seconds between retries
MANY = 500  # jobs per command, to stay under the limit on a command line's length


class SlurmSilentError(UserError):
    """Slurm did not answer, so the state of its jobs is unknown."""


class SlurmRefusedError(UserError):
    """Slurm answered with an error."""


@dataclass(frozen=True)
class QueuedJob:
    """A line of squeue: a job, or one task of an array (``123_7``)."""

    job: str
    state: str
    reason: str
    comment: str

    @property
    def is_live(self) -> bool:
        """Whether the job runs, will run, or may run again."""
        return self.state in LIVE

    @property
    def is_held(self) -> bool:
        """Whether the job was requeued and held after a failed launch, and waits for ``scontrol release``."""
        # squeue's reasons: "launch failed requeued held", "job requeued in held state"
        return "held" in self.reason and "requeued" in self.reason


@dataclass(frozen=True)
class Verdict:
    """A job's final state in the accounting, such as ``TIMEOUT``, and its ``exit code:signal``."""

    state: str
    exit_code: str


def is_available() -> bool:
    """Whether Slurm's commands are installed on this machine."""
    return shutil.which("squeue") is not None


def queue(users: Collection[str] = ()) -> dict[str, QueuedJob]:
    """Return all jobs that Slurm's controller knows by job id, with array tasks listed separately.

    Args:
        users: only jobs of these users; of all users if empty.

    Raises:
        SlurmSilentError: if Slurm does not answer.
        SlurmRefusedError: if Slurm answers with an error.
    """
    command = ["squeue", "--noheader", "--array", "--states=all", "--format=%i|%T|%r|%k"]
    if users:
        command.append(f"--user={','.join(sorted(users))}")
    jobs = (QueuedJob(*line.split("|", 3)) for line in ask(command).splitlines() if line.count("|") >= 3)
    return {job.job: job for job in jobs}


def is_job_live(job: str) -> bool | None:
    """Whether a job runs, will run, or may run again; None if Slurm does not answer."""
    if not is_available():
        return None
    command = ["squeue", "--noheader", "--array", "--states=all", "--format=%T", f"--jobs={job}"]
    try:
        answer = ask(command, pauses=PAUSES[:2])
    except SlurmRefusedError as error:
        return False if "Invalid job id" in str(error) else None  # squeue's error for a job that it no longer keeps
    except SlurmSilentError:
        return None
    return any(state.strip() in LIVE for state in answer.splitlines())


def verdicts(jobs: Iterable[str]) -> dict[str, Verdict]:
    """Return what sacct says of jobs; unknown ones are left out, and all of them without accounting."""
    found: dict[str, Verdict] = {}
    wanted = sorted({job.partition("_")[0] for job in jobs})
    for first in range(0, len(wanted), MANY):
        some = ",".join(wanted[first : first + MANY])
        command = ["sacct", "-X", "--noheader", "--parsable2", "--format=JobID,State,ExitCode", f"--jobs={some}"]
        try:
            answer = ask(command, pauses=PAUSES[:2])
        except (SlurmSilentError, SlurmRefusedError):  # no accounting on this cluster, or none at the moment
            return found
        for line in answer.splitlines():
            job, state, exit_code = line.split("|")[:3]
            # the first word: sacct writes "CANCELLED by 1000"
            found |= {one: Verdict(state.split()[0] if state else "", exit_code) for one in _expanded(job)}
    return found


def settings() -> dict[str, str]:
    """Return the controller's configuration (``scontrol show config``).

    Raises:
        SlurmSilentError: if Slurm does not answer.
        SlurmRefusedError: if Slurm answers with an error.
    """
    pairs = (line.partition("=") for line in ask(["scontrol", "show", "config"]).splitlines())
    return {key.strip(): value.strip() for key, equals, value in pairs if equals}


def cancel(jobs: Collection[str]) -> None:
    """Cancel jobs (scancel); jobs that have ended already are ignored."""
    for some in _portions(jobs):
        ask(["scancel", "--quiet", *some])


def release(jobs: Collection[str]) -> None:
    """Release jobs that were requeued and held after a failed launch (scontrol release)."""
    for some in _portions(jobs):
        ask(["scontrol", "release", ",".join(some)])


def ask(command: list[str], *, pauses: Collection[float] = PAUSES) -> str:
    """Run a Slurm command and return its output; retry after growing pauses if the controller does not answer.

    Raises:
        SlurmSilentError: if there is no answer after the last retry.
        SlurmRefusedError: if Slurm answers with an error.
    """
    problem = ""
    for pause in (*pauses, None):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
        except FileNotFoundError:
            raise SlurmSilentError(f"no {command[0]} on this machine; run this where Slurm is installed") from None
        except subprocess.TimeoutExpired:
            problem = "no answer within 60 s"
        else:
            problem = done.stderr.strip() or done.stdout.strip()
            if done.returncode == 0:
                return done.stdout
            if not _is_silence(problem):
                raise SlurmRefusedError(f"{command[0]}: {problem}")
        if pause is not None:
            time.sleep(pause)
    raise SlurmSilentError(f"{command[0]}: {problem}")


def _is_silence(problem: str) -> bool:
    # Slurm exits with 1 for both, so that only its text tells a controller that is down from a refusal
    signs = ("Unable to contact", "Connection refused", "Socket timed out", "Connection timed out", "Zero Bytes", "try")
    # Slurm is installed here, but nothing says where its controller is
    nowhere = ("establish a configuration source", "fetch_config", "could not open slurm.conf")
    return any(sign in problem for sign in (*signs, *nowhere))


def _portions(jobs: Collection[str]) -> list[list[str]]:
    ordered = sorted(jobs)
    return [ordered[first : first + MANY] for first in range(0, len(ordered), MANY)]


def _expanded(job: str) -> list[str]:
    """Expand an array's pending tasks: ``12_[0-2,5%3]`` → ``12_0``, ``12_1``, ``12_2``, ``12_5``."""
    array, bracket, rest = job.partition("_[")
    if not bracket:
        return [job]
    tasks: list[str] = []
    for part in rest.rstrip("]").partition("%")[0].split(","):
        first, _, last = part.partition("-")
        if first.isdigit():
            tasks += [f"{array}_{number}" for number in range(int(first), int(last or first) + 1)]
    return tasks
