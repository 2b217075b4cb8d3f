"""Submitting to Slurm through submitit: job arrays, cut to the cluster's limit, one for each shape of resources."""

import shlex
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from nacbench.errors import UserError
from nacbench.machine import slurm
from nacbench.sweep.job import SweepJob
from nacbench.sweep.plan import PlannedRun
from nacbench.sweep.profile import Profile, minutes
from nacbench.sweep.submission import Submission

# Python is started with the warning signal blocked, and the job unblocks it once somebody is there to take it: a
# warning that comes while modules are imported waits, where it would else kill the process and lose the job's place.
LAUNCHER = (
    "import os,signal,sys;signal.pthread_sigmask(signal.SIG_BLOCK,[signal.SIGUSR2]);"
    "os.execv(sys.executable,[sys.executable,*sys.argv[1:]])"
)
# A warning that comes earlier still, while the launcher itself starts, kills the process: then this puts the job back.
# (Bash tells a signal's name from an exit code; an element's number is never the array's, which stands for all of it.)
PUT_BACK = (
    'trap \'[ "$(kill -l $? 2>/dev/null)" = USR2 ] && scontrol requeue '
    '"${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}"\' EXIT'
)
MANY_TIMEOUTS = 1_000_000  # submitit counts them; our own limit is on attempts


class SlurmSubmitter:
    """Submits runs, those after the runs that they take their network from.

    Args:
        store: folder of runs.
        data_root: mirror of data sets, for the jobs.
        sweep: its name.
        plugins: files that the jobs load first.
    """

    def __init__(self, store: Path, data_root: Path, sweep: str, plugins: Sequence[str]) -> None:
        self._about: dict[str, Any] = {"sweep": sweep, "store": store, "data_root": data_root, "plugins": plugins}
        self._largest = _largest_array()

    def submit(self, runs: Sequence[PlannedRun], running: dict[str, str]) -> list[Submission]:
        """Submit all runs; returns at once.

        Args:
            runs: to be done.
            running: jobs of other runs that are queued or running already, by key.

        Raises:
            UserError: if Slurm refuses; what was submitted before stays.
        """
        keys = {run.key for run in runs}
        waiting: dict[str, list[PlannedRun]] = defaultdict(list)
        alone: list[tuple[PlannedRun, str]] = []
        free = []
        for run in runs:
            if run.trained_on in keys:
                waiting[run.trained_on].append(run)
            elif run.trained_on in running:
                alone.append((run, running[run.trained_on]))
            else:
                free.append(run)
        done: list[Submission] = []
        for group in _by_shape(free):
            group.sort(key=lambda run: -len(waiting[run.key]))
            for first in range(0, len(group), self._largest):
                chunk = group[first : first + self._largest]
                submission, job = self._array(chunk)
                done.append(submission)
                done += self._followers(submission, job, [waiting[run.key] for run in chunk])
        for run, job in alone:
            done.append(self._array([run], f"afterok:{job}")[0])
        return done

    def _followers(self, before: Submission, job: str, followers: Sequence[Sequence[PlannedRun]]) -> list[Submission]:
        """Runs that wait for the runs of an array: those that line up with it as arrays of their own."""
        done = []
        left = [list(some) for some in followers]
        while any(left):
            shape = next(some[0] for some in left if some).profile.shape
            column = [next((run for run in some if run.profile.shape == shape), None) for some in left]
            lined_up = [run for run in column if run is not None]
            for some, run in zip(left, column, strict=True):
                if run:
                    some.remove(run)
            in_line = len(lined_up) > 1 and None not in column[: len(lined_up)]
            if in_line:
                done.append(self._array(lined_up, f"aftercorr:{job}")[0])
                continue
            for index, one in enumerate(column):
                if one:
                    element = f"{job}_{index}" if len(before.runs) > 1 else job
                    done.append(self._array([one], f"afterok:{element}")[0])
        return done

    def _array(self, runs: Sequence[PlannedRun], dependency: str | None = None) -> tuple[Submission, str]:
        """Submit runs of one shape as one array; the submission is written down first."""
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        submission = Submission.of(runs, **self._about)
        file = submission.write()
        executor = _executor(submission, dependency)
        try:
            jobs = executor.submit_array([SweepJob(str(file), index) for index in range(len(runs))])
        except (FailedJobError, FailedSubmissionError) as error:  # the file stays: after a time-out jobs may be there
            raise UserError(f"Slurm refuses the submission of {len(runs)} runs: {_last_line(str(error))}") from None
        number = jobs[0].job_id.partition("_")[0]
        submission.write_job(number)
        return submission, number


def _executor(submission: Submission, dependency: str | None) -> Any:
    from submitit import SlurmExecutor

    profile = submission.profile
    python = f"{shlex.quote(sys.executable)} -c {shlex.quote(LAUNCHER)}"
    executor = SlurmExecutor(folder=submission.jobs_folder(), max_num_timeout=MANY_TIMEOUTS, python=python)
    executor.update_parameters(**sbatch_parameters(profile, submission.sweep, submission.token, dependency))
    return executor


def sbatch_parameters(profile: Profile, sweep: str, token: str, dependency: str | None) -> dict[str, Any]:
    """What submitit's Slurm executor is told of a profile."""
    assert profile.time is not None
    extra: dict[str, Any] = {**profile.extra, ("requeue" if profile.requeue else "no-requeue"): True}
    if dependency:
        extra |= {"dependency": dependency, "kill-on-invalid-dep": "yes"}
    if profile.memory_gb:
        extra["mem"] = f"{round(profile.memory_gb * 1024)}M"
    setup = [*([PUT_BACK] if profile.requeue else []), *profile.setup]
    given = {
        "job_name": f"nacbench-{sweep}",
        "comment": token,
        "partition": profile.partition,
        "account": profile.account,
        "qos": profile.qos,
        "constraint": profile.constraint,
        "time": minutes(profile.time),
        "nodes": profile.nodes,
        "ntasks_per_node": profile.tasks_per_node,
        "cpus_per_task": profile.cpus,
        "gpus_per_node": profile.gpus or None,
        "array_parallelism": profile.array_parallelism,
        "signal_delay_s": profile.signal_seconds,
        "setup": setup or None,
        "srun_args": ["--kill-on-bad-exit=1"],
        "additional_parameters": extra,
    }
    return {key: value for key, value in given.items() if value is not None}


def _by_shape(runs: Iterable[PlannedRun]) -> list[list[PlannedRun]]:
    groups: dict[tuple[Any, ...], list[PlannedRun]] = defaultdict(list)
    for run in runs:
        groups[run.profile.shape].append(run)
    return list(groups.values())


def _largest_array() -> int:
    """Tasks that an array may have: the largest index is one less than MaxArraySize."""
    try:
        return max(1, int(slurm.settings().get("MaxArraySize", "1001")) - 1)
    except ValueError:
        return 1000


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), text)
