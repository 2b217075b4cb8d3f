"""Submit runs to Slurm with submitit, as job arrays: one for each set of resources, split at MaxArraySize."""

import shlex
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from nacbench.errors import UserError
from nacbench.machine import slurm
from nacbench.machine.worker import folder_to_hand_over
from nacbench.recording.tags import NOTHING, Tags
from nacbench.sweep.job import SweepJob
from nacbench.sweep.plan import PlannedRun
from nacbench.sweep.profile import Profile, minutes
from nacbench.sweep.submission import Submission

# Slurm warns with SIGUSR2, whose default action kills the process. The launcher blocks it before Python imports
# anything, and the job unblocks it once a handler is installed, so that a warning during the imports waits.
LAUNCHER = (
    "import os,signal,sys;signal.pthread_sigmask(signal.SIG_BLOCK,[signal.SIGUSR2]);"
    "os.execv(sys.executable,[sys.executable,*sys.argv[1:]])"
)
# A warning before that, while the launcher itself starts, kills the process; then the batch script requeues the job.
# (`kill -l` turns an exit code into a signal name. It names the array's element: the array's number alone would requeue
# all elements.)
PUT_BACK = (
    'trap \'[ "$(kill -l $? 2>/dev/null)" = USR2 ] && scontrol requeue '
    '"${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}"\' EXIT'
)
MANY_TIMEOUTS = 1_000_000  # no limit: submitit counts preemptions as timeouts, too; `max_attempts` is our limit


class SlurmSubmitter:
    """Submits runs; a run that scores another run's network gets a dependency on that run's job.

    Args:
        store: folder of runs.
        data_root: mirror of data sets, for the jobs.
        sweep: name of the sweep.
        plugins: plug-in files that the jobs load first.
        tags: tags and notes that the runs get as they start.
    """

    def __init__(self, store: Path, data_root: Path, sweep: str, plugins: Sequence[str], tags: Tags = NOTHING) -> None:
        self._about: dict[str, Any] = {"sweep": sweep, "store": store, "data_root": data_root, "plugins": plugins}
        self._about["tags"] = tags
        self._largest = _largest_array()

    def submit(self, runs: Sequence[PlannedRun], running: dict[str, str]) -> list[Submission]:
        """Submit all runs and return without waiting for them.

        Args:
            runs: the runs to submit.
            running: job numbers of other runs that are queued or running already, by key.

        Raises:
            UserError: if Slurm refuses; jobs that were submitted before stay.
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
            # runs with followers come first, so that a column of followers lines up with the first indices
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
        """Submit the runs that wait for the runs of an array.

        Followers whose indices line up with the array are an array with ``aftercorr``, which pairs elements of equal
        index, so that a failed run stops only its own followers. The others are single jobs with ``afterok``.
        """
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
        """Submit runs of one shape as one array; return the submission and the job number."""
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        submission = Submission.of(runs, **self._about)
        file = submission.write()  # before sbatch: see the module's docstring of `submission`
        executor = _executor(submission, dependency)
        try:
            jobs = executor.submit_array([SweepJob(str(file), index) for index in range(len(runs))])
        except (FailedJobError, FailedSubmissionError) as error:  # keep the file: after a timeout jobs may exist
            raise UserError(f"Slurm refused the submission of {len(runs)} runs: {_last_line(str(error))}") from None
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
    """Return the parameters of submitit's Slurm executor for a profile; None is left out."""
    assert profile.time is not None
    extra: dict[str, Any] = {**profile.extra, ("requeue" if profile.requeue else "no-requeue"): True}
    if dependency:
        # otherwise Slurm keeps followers of a failed job pending for ever
        extra |= {"dependency": dependency, "kill-on-invalid-dep": "yes"}
    if profile.memory_gb:
        extra["mem"] = f"{round(profile.memory_gb * 1024)}M"
    # exports come after the profile's lines, which may set PYTHONPATH, or run Python in the working folder
    setup = [*([PUT_BACK] if profile.requeue else []), *profile.setup, *_exports()]
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
        "setup": setup,
        "srun_args": ["--kill-on-bad-exit=1"],  # otherwise the other processes wait for a dead one until the time limit
        "additional_parameters": extra,
    }
    return {key: value for key, value in given.items() if value is not None}


def _exports() -> list[str]:
    """Return shell lines that set the environment of `worker_environment` in a job.

    With PYTHONSAFEPATH, Python does not import from the working folder, which may hold a ``yaml.py`` or ``results/``.
    """
    folder = folder_to_hand_over()
    path = [] if folder is None else [f'export PYTHONPATH={shlex.quote(str(folder))}"${{PYTHONPATH:+:$PYTHONPATH}}"']
    return ["export PYTHONSAFEPATH=1", *path]


def _by_shape(runs: Iterable[PlannedRun]) -> list[list[PlannedRun]]:
    groups: dict[tuple[Any, ...], list[PlannedRun]] = defaultdict(list)
    for run in runs:
        groups[run.profile.shape].append(run)
    return list(groups.values())


def _largest_array() -> int:
    """Return the number of tasks that an array may have: indices must be smaller than MaxArraySize."""
    try:
        return max(1, int(slurm.settings().get("MaxArraySize", "1001")) - 1)
    except ValueError:
        return 1000


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), text)
