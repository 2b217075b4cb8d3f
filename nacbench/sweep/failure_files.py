"""Write failure.json for runs that cannot do it themselves: killed by Slurm, cancelled, or unsuited to their task."""

from nacbench.recording.claimants import claim_count
from nacbench.recording.record import FAILURE, Cause
from nacbench.sweep.observer import Observer
from nacbench.sweep.plan import Place, Plan, PlannedRun
from nacbench.sweep.state import Standing

_WORDS: dict[Cause, str] = {
    "error": "an error",
    "diverged": "diverged",
    "oom": "out of memory",
    "disk": "disk full",
    "timeout": "the time limit was reached",
    "node": "the node failed",
    "attempts": "too many attempts",
}


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


def note_cancelled(run: PlannedRun, place: Place) -> None:
    """Write failure.json for a run that is cancelled, so that submit does not start it until resume."""
    from nacbench.running.failures import leave_failure

    folder = run.folder(place.store)
    leave_failure(folder, run.config, folder.name, "cancelled", "cancelled by nacbench sweep cancel")


def note_unsuited(plan: Plan, place: Place) -> None:
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
