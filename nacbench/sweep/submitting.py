"""Start the missing runs of a sweep, and failed or cancelled ones on demand."""

import signal
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from nacbench.errors import UserError
from nacbench.machine import slurm
from nacbench.recording.record import Cause
from nacbench.recording.tags import add_tags
from nacbench.sweep.crew import forget_dead_crews
from nacbench.sweep.failure_files import note_failures, note_unsuited
from nacbench.sweep.lost import put_aside
from nacbench.sweep.observer import Observer
from nacbench.sweep.plan import Place, Plan, PlannedRun
from nacbench.sweep.state import LIVE, MISSING, Standing, State, causes_of_failure
from nacbench.sweep.submission import Submission, folder_of_submissions, sole_submitter
from nacbench.tracking.known import check_trackers

Say = Callable[[str], None]


class Held(NamedTuple):
    """A run that waits for the run that trains its network.

    Attributes:
        run: the run.
        network: key of the other.
        state: of the other; if it is live, the run can be started as soon as that is done.
        cause: of its failure.
    """

    run: PlannedRun
    network: str
    state: State
    cause: Cause | None = None


@dataclass(frozen=True)
class Submitted:
    """Outcome of `submit`.

    Attributes:
        started: number of runs.
        done: how many of them are done; None if all went to Slurm, which is not awaited.
        submissions: of the runs that were started.
        held: runs that were not started although they are missing, with the reason.
        failed: how many runs that have failed are left as they are, by the cause.
    """

    started: int
    done: int | None
    submissions: tuple[Submission, ...] = ()
    held: Sequence[Held] = ()
    failed: Mapping[Cause, int] = field(default_factory=dict)

    @property
    def keys(self) -> Iterator[str]:
        """Keys of the runs that were started."""
        return (run.key for submission in self.submissions for run in submission.runs)


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
        UserError: if a run is known to Slurm alone, which does not answer, or Slurm refuses, or a tracker of a profile
            cannot be used.
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
        # no answer does not mean no job: submitting now could start a second copy of a running one
        observer.require_known([key for key, one in standings.items() if one.state == "unknown"], "submitted")
        note_failures(plan, place, observer, standings)
        note_unsuited(plan, place)
        _tag_those_there(plan, place, say)
        states = set(MISSING) | set(also)
        due = [run for run in wanted if _is_due(run, standings, states, retry)]
        failed = causes_of_failure(standings[run.key] for run in wanted if standings[run.key].cause not in retry)
        todo, held = ready(due, standings)
        for run in todo:
            put_aside(run.folder(place.store))
        if not todo:
            return Submitted(0, None, (), held, failed)
        running = {key: s.job for key, s in standings.items() if s.state in LIVE and s.job}
        groups = _by_executor(todo)
        submitted = _submit_to_slurm(groups.pop("slurm", []), running, plan, place)
    return replace(_carry_out(groups, submitted, plan, place, say), held=held, failed=failed)


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
            held.append(Held(run, before, standing.state, standing.cause))
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
