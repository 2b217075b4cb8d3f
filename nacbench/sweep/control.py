"""Submit missing runs of a sweep, retry failed ones, cancel queued and running ones, and estimate the time left."""

import signal
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import NamedTuple

from nacbench.errors import UserError
from nacbench.filesystem.owner import Process, machine
from nacbench.machine import slurm
from nacbench.machine.ending import end_processes
from nacbench.recording.claim import claim_count, last_claimant
from nacbench.recording.record import FAILURE, RECORD, Cause
from nacbench.recording.row import Run
from nacbench.recording.tags import add_tags
from nacbench.sweep.crew import forget_dead_crews
from nacbench.sweep.lost import put_aside
from nacbench.sweep.plan import Plan, PlannedRun
from nacbench.sweep.state import LIVE, MISSING, Observer, Standing, State
from nacbench.sweep.submission import Submission, folder_of_submissions, sole_submitter
from nacbench.tracking.known import check_trackers

Say = Callable[[str], None]


class Held(NamedTuple):
    """A run that waits for the run that trains its network.

    Attributes:
        run: the run.
        network: key of the other.
        state: of the other; if it is live, the run can be started as soon as that is done.
    """

    run: PlannedRun
    network: str
    state: State


@dataclass(frozen=True)
class Submitted:
    """Outcome of `submit`.

    Attributes:
        started: number of runs.
        done: how many of them are done; None if all went to Slurm, which is not awaited.
        submissions: of the runs that were started.
        held: runs that were not started although they are missing, with the reason.
    """

    started: int
    done: int | None
    submissions: tuple[Submission, ...] = ()
    held: Sequence[Held] = ()

    @property
    def keys(self) -> Iterator[str]:
        """Keys of the runs that were started."""
        return (run.key for submission in self.submissions for run in submission.runs)


@dataclass(frozen=True)
class Place:
    """The folder of runs and the mirror of data sets."""

    store: Path
    data_root: Path


def submit(
    plan: Plan,
    place: Place,
    say: Say,
    *,
    only: Sequence[PlannedRun] | None = None,
    also: Collection[State] = (),
    retry: Collection[Cause] = (),
    warn: Callable[[Sequence[str]], None] = lambda lines: None,
) -> Submitted:
    """Start all runs of a plan that are missing: not done, queued, running, failed or cancelled.

    Args:
        plan: of the sweep.
        place: store and data.
        say: called with lines of progress.
        only: runs of the plan; others are not started, but those that train their networks are looked at, to tell
            whether a network is there or to come.
        also: other states whose runs are started.
        retry: causes of failure whose runs are started again; their earlier failures are kept.
        warn: called with a line for each file of a run that cannot be read.

    Raises:
        UserError: if Slurm does not answer or refuses, or a tracker of a profile cannot be used.
    """
    wanted = plan.doable if only is None else only
    plan = plan if only is None else plan.part(only)
    check_trackers(name for run in wanted for name in run.profile.log)
    with sole_submitter(place.store):
        observer = Observer(place.store)
        _release_held(observer, say)  # these jobs are live, so they are not submitted again below
        _remove_leftovers(observer)
        standings = observer.standings(plan.runs)
        warn(observer.broken)
        if any(standing.state == "unknown" for standing in standings.values()):
            # no answer does not mean no job: submitting now could start a second copy of a running one
            raise UserError("Slurm does not answer, so running jobs are not known; nothing was submitted")
        note_failures(plan, place, observer, standings)
        _note_unsuited(plan, place)
        _tag_those_there(plan, place, say)
        states = set(MISSING) | set(also)
        todo, held = ready([run for run in wanted if _is_due(run, standings, states, retry)], standings)
        for run in todo:
            put_aside(run.folder(place.store))
        if not todo:
            return Submitted(0, None, (), held)
        running = {key: s.job for key, s in standings.items() if s.state in LIVE and s.job}
        groups = _by_executor(todo)
        submitted = _submit_to_slurm(groups.pop("slurm", []), running, plan, place)
    return replace(_carry_out(groups, submitted, plan, place, say), held=held)


def _tag_those_there(plan: Plan, place: Place, say: Say) -> None:
    """Give the sweep's tags and notes to runs that have a folder; the others get them from their jobs as they start."""
    if not plan.sweep.marks:
        return
    there = [folder for run in plan.doable if (folder := run.folder(place.store)).is_dir()]
    added = [new for folder in there if (new := add_tags(folder, plan.sweep.marks))]
    if added:
        say(f"{plan.sweep.marks}: added to {len(added)} of {len(there)} runs that are there")


def _is_due(
    run: PlannedRun, standings: dict[str, Standing], wanted: Collection[State], retry: Collection[Cause]
) -> bool:
    standing = standings[run.key]
    return standing.state in wanted or (standing.state == "failed" and standing.cause in retry)


def ready(due: Sequence[PlannedRun], standings: Mapping[str, Standing]) -> tuple[list[PlannedRun], list[Held]]:
    """Return the runs that can be started, and those that have to wait for the network that they need.

    A network is there if its run is done, or comes: from a run that is started now by the same executor, or from a job
    of Slurm on which another job can depend. That of a failed or cancelled run does not come, and for a run of another
    process nobody here would wait.

    Args:
        due: runs that are to be started, after the runs that train their networks.
        standings: of these and of all those that train their networks.
    """
    found: dict[str, PlannedRun] = {}
    held = []
    for run in due:
        before = run.trained_on
        if before is None:
            found[run.key] = run
            continue
        standing = standings.get(before) or Standing(state="planned")
        comes = before in found and found[before].profile.executor == run.profile.executor
        waits = standing.state in LIVE and standing.job is not None and run.profile.executor == "slurm"
        if standing.state == "done" or comes or waits:
            found[run.key] = run
        else:
            held.append(Held(run, before, standing.state))
    return list(found.values()), held


def _submit_to_slurm(runs: Sequence[PlannedRun], running: dict[str, str], plan: Plan, place: Place) -> list[Submission]:
    if not runs:
        return []
    if not slurm.is_available():
        raise UserError("no Slurm on this machine (squeue not found); use --profile local, or a login node")
    from nacbench.sweep.arrays import SlurmSubmitter

    try:
        sweep = plan.sweep
        submitter = SlurmSubmitter(place.store, place.data_root, sweep.name, sweep.plugins, sweep.marks)
        return submitter.submit(runs, running)
    except (slurm.SlurmSilentError, slurm.SlurmRefusedError) as error:
        raise UserError(f"{error}; jobs submitted before this stay, submit again for the rest") from None


def _carry_out(
    groups: dict[str, list[PlannedRun]], submitted: list[Submission], plan: Plan, place: Place, say: Say
) -> Submitted:
    from nacbench.sweep.local import run_here, run_in_processes

    started = sum(len(submission.runs) for submission in submitted)
    done: int | None = None
    for executor, runs in groups.items():
        one = Submission.of(
            runs,
            profile=plan.sweep.profile if plan.sweep.profile.executor == executor else None,
            sweep=plan.sweep.name,
            store=place.store,
            data_root=place.data_root,
            plugins=plan.sweep.plugins,
            tags=plan.sweep.marks,
        )
        with _stop_by_exception():
            finished = (run_here if executor == "debug" else run_in_processes)(one, runs, say)
        started += len(runs)
        done = (done or 0) + finished
        submitted.append(one)
    return Submitted(started, done, tuple(submitted))


@contextmanager
def _stop_by_exception() -> Iterator[None]:
    """Turn SIGTERM into KeyboardInterrupt, so that worker processes are stopped and save checkpoints before exit."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    try:
        old = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread, where Python allows no handler
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, old)


@dataclass(frozen=True)
class Cancelled:
    """Outcome of `cancel`.

    Attributes:
        runs: runs that have ended, or that will not be started.
        killed: how many of them did not end by themselves.
        left: a line for each run that goes on, with the reason.
    """

    runs: Sequence[PlannedRun]
    killed: int = 0
    left: Sequence[str] = ()


def cancel(plan: Plan, place: Place) -> Cancelled:
    """Cancel queued and running runs, and write that down, so that submit does not start them until resume.

    Processes of this machine get SIGTERM, save checkpoints and exit; those that do not are killed after
    ``PATIENCE_SECONDS``. Runs that no sweep started, and those of other machines, go on.

    Raises:
        UserError: if Slurm does not answer.
    """
    with sole_submitter(place.store):
        observer = Observer(place.store)
        if observer.is_silent:
            raise UserError("Slurm does not answer; nothing was cancelled")
        standings = observer.standings(plan.runs)
        live = [run for run in plan.doable if standings[run.key].state in LIVE]
        jobs = [job for run in live if (job := standings[run.key].job)]
        slurm.cancel(jobs)
        over = [run for run in live if standings[run.key].job or standings[run.key].state == "queued"]
        for run in over:  # first those that wait, or their submitter would start them as others end
            _note_cancelled(run, place)
        ours, left = [], []
        for run in live:
            if run not in over:
                process = _process_of(run, place, observer)
                ours += [(run, process)] if isinstance(process, Process) else []
                left += [f"{run.title}: {process}"] if isinstance(process, str) else []
        ends = end_processes([process for _, process in ours])
        for (run, process), end in zip(ours, ends, strict=True):
            if end == "left":
                left.append(f"{run.title}: process {process.pid} cannot be ended from here")
            elif not (run.folder(place.store) / RECORD).exists():  # it may have finished in the meantime
                _note_cancelled(run, place)
                over.append(run)
    return Cancelled(over, ends.count("killed"), left)


def _note_cancelled(run: PlannedRun, place: Place) -> None:
    from nacbench.running.failures import leave_failure

    folder = run.folder(place.store)
    leave_failure(folder, run.config, folder.name, "cancelled", "cancelled by nacbench sweep cancel")


def _process_of(run: PlannedRun, place: Place, observer: Observer) -> Process | str:
    """Return the process of a run on this machine, or why it is left alone, in a few words."""
    if worker := observer.worker_of(run.key):
        return worker
    last = last_claimant(run.folder(place.store))
    if last is None:
        return "its process is not known"
    if last.life.machine != machine():
        return f"it runs on another machine ({last.life.text()}); cancel it there"
    if last.life.submission not in {submission.token for submission in observer.submissions}:
        return f"it was not started by a sweep of this folder ({last.life.text()})"
    return last.life.process


def note_failures(plan: Plan, place: Place, observer: Observer, standings: dict[str, Standing]) -> None:
    """Write failure.json for runs that Slurm killed (time limit, out of memory, node failure).

    Such a run cannot write it itself, and Slurm forgets jobs after some time.
    """
    from nacbench.running.failures import leave_failure

    for run in plan.doable:
        standing = standings[run.key]
        if standing.state == "failed" and not standing.is_noted and standing.cause:
            leave_failure(
                run.folder(place.store),
                run.config,
                str(run.run_id),
                "failed",
                f"{_WORDS[standing.cause]} ({standing.detail})",
                cause=standing.cause,
                log=observer.log_of(run),
                attempts=claim_count(run.folder(place.store)),
            )


def _note_unsuited(plan: Plan, place: Place) -> None:
    """Write failure.json for one run of each model that cannot do a task, so that tables say why it is missing."""
    from nacbench.running.failures import leave_failure

    cells: dict[tuple[str, ...], PlannedRun] = {}
    for run in plan.runs:
        config = run.config
        if run.is_unsuited and run.run_id:
            cells.setdefault((config.task.name, config.model.name, config.model.size, config.scale), run)
    for run in cells.values():
        folder = run.folder(place.store)
        if not (folder / FAILURE).exists():
            leave_failure(folder, run.config, str(run.run_id), "skipped", str(run.problem))


_WORDS: dict[Cause, str] = {
    "error": "an error",
    "diverged": "diverged",
    "oom": "out of memory",
    "disk": "disk full",
    "timeout": "the time limit was reached",
    "node": "the node failed",
    "attempts": "too many attempts",
}


def _release_held(observer: Observer, say: Say) -> None:
    """Release jobs that Slurm requeued and held after a failed launch; they would stay pending for ever."""
    held = [job.job for job in observer.jobs.values() if job.is_live and job.is_held]
    if held:
        slurm.release(held)
        say(f"released {len(held)} jobs that Slurm held after a failed launch")


def _remove_leftovers(observer: Observer) -> None:
    """Remove half-written pickles of submitit whose jobs are over, and what killed local submitters left."""
    forget_dead_crews(folder_of_submissions(observer.store))
    live = {job.comment for job in observer.jobs.values() if job.is_live}
    for submission in observer.submissions:
        if submission.token not in live and not observer.is_silent:
            for file in submission.jobs_folder().glob("*.save_tmp"):
                file.unlink(missing_ok=True)


def _by_executor(runs: Sequence[PlannedRun]) -> dict[str, list[PlannedRun]]:
    groups: dict[str, list[PlannedRun]] = {}
    for run in runs:
        groups.setdefault(run.profile.executor, []).append(run)
    return groups


def durations(runs: Iterable[Run]) -> dict[tuple[str, str, str, str], float]:
    """Return the median seconds of training and evaluation by task, model, size and scale."""
    groups: dict[tuple[str, str, str, str], list[float]] = {}
    for run in runs:
        place = (run.task, run.model, run.model_size, run.scale)
        groups.setdefault(place, []).append(run.train_seconds + run.evaluate_seconds)
    return {place: median(values) for place, values in groups.items()}


def counts(standings: dict[str, Standing]) -> Counter[State]:
    """Return the number of runs in each state."""
    return Counter(standing.state for standing in standings.values())
