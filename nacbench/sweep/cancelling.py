"""Cancel queued and running runs of a sweep."""

from collections.abc import Sequence
from dataclasses import dataclass

from nacbench.filesystem.owner import Process, machine
from nacbench.machine import slurm
from nacbench.machine.ending import end_processes
from nacbench.recording.claimants import last_claimant
from nacbench.recording.record import RECORD
from nacbench.sweep.failure_files import note_cancelled
from nacbench.sweep.observer import Observer
from nacbench.sweep.plan import Place, Plan, PlannedRun
from nacbench.sweep.state import LIVE
from nacbench.sweep.submission import sole_submitter


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
        UserError: if a run that may be a job of Slurm goes on, or may do so, and Slurm does not answer.
    """
    with sole_submitter(place.store):
        observer = Observer(place.store)
        standings = observer.standings(plan.runs)
        if observer.is_silent:
            theirs = [key for key, one in standings.items() if one.state in (*LIVE, "unknown")]
            observer.require_known([key for key in theirs if observer.is_slurms(key)], "cancelled")
        live = [run for run in plan.doable if standings[run.key].state in LIVE]
        jobs = [job for run in live if (job := standings[run.key].job)]
        slurm.cancel(jobs)
        over = [run for run in live if standings[run.key].job or standings[run.key].state == "queued"]
        for run in over:  # first those that wait, or their submitter would start them as others end
            note_cancelled(run, place)
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
                note_cancelled(run, place)
                over.append(run)
    return Cancelled(over, ends.count("killed"), left)


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
