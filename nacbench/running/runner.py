"""One run, from its configuration to its record: the function that the command line and every cluster call."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.contracts.task import EvaluationTask
from nacbench.errors import BrokenFileError, RunSkippedError, UserError
from nacbench.files import set_file_aside
from nacbench.recording.claim import Claim, TakenOverError, hold
from nacbench.recording.record import RECORD, RunRecord
from nacbench.recording.store import finished, run_folder, set_aside
from nacbench.running.computation import Job, Trained, compute
from nacbench.running.config import RunConfig
from nacbench.running.failures import cause_of, leave_failure
from nacbench.running.identity import Identity
from nacbench.training.interrupt import Interrupted

if TYPE_CHECKING:
    from nacbench.training.execution import Execution


@dataclass(frozen=True)
class Outcome:
    """A run's record, where it lies, and whether it was there already."""

    record: RunRecord
    folder: Path
    was_finished: bool


def identify(config: RunConfig, data_root: Path) -> Identity:
    """The identity of a configuration on the data at hand, which is fetched first if it is missing.

    Raises:
        UserError: if the data cannot be had.
    """
    trained_on = identify(config.trained_on, data_root) if config.trained_on else None
    task = config.task_plugin
    task.prepare(data_root)
    return Identity.of(config, task.fingerprint(data_root), trained_on)


def run(
    config: RunConfig,
    *,
    store: Path,
    data_root: Path,
    execution: "Callable[[], Execution]",
    force: bool = False,
) -> Outcome:
    """Do a run, or go on with one that was interrupted, unless it is done already.

    The run that its network comes from, if there is one, is done first, unless it is done already.

    Args:
        config: what to compute.
        store: folder of runs.
        data_root: mirror of data sets.
        execution: gives device, workers and the like; asked only if there is something to compute.
        force: compute again what is done; the old run is kept in ``.replaced`` beside it. The run that its
            network comes from is not done again.

    Raises:
        RunSkippedError: the model cannot do this task.
        UserError: what is asked for cannot be done.
        Interrupted: a signal asked to stop; the same call goes on from there.
    """
    identity = identify(config, data_root)
    folder = run_folder(store, config.task.name, config.model.name, identity.run_id)
    record = _whole_record(folder)
    if record and not force:
        return Outcome(record, folder, True)
    reason = unsupported(config)
    if reason:
        leave_failure(folder, config, identity.run_id, "skipped", reason)
        raise RunSkippedError(f"{config.model.name} cannot do {config.task.name}: {reason}")
    before = (
        run(config.trained_on, store=store, data_root=data_root, execution=execution) if config.trained_on else None
    )
    if force:
        with hold(folder):  # no other process may compute the run while its folder is moved
            set_aside(folder)
    settings = execution()
    from nacbench.training.execution import make_accelerator

    accelerator = make_accelerator(settings.device, config.precision)
    job = Job(config, identity, folder, data_root, settings, accelerator)
    trained = Trained(before.record, before.folder) if before else None
    if not accelerator.is_main_process:  # all processes compute, one holds the folder and writes
        return Outcome(compute(job, trained, None), folder, False)
    with hold(folder, beat_seconds=settings.heartbeat_seconds) as claim:
        return _compute_or_say_why_not(job, trained, claim)


def _whole_record(folder: Path) -> RunRecord | None:
    """The record of a finished run; None where there is none that can be used."""
    try:
        return finished(folder)
    except BrokenFileError:
        return None


def _compute_or_say_why_not(job: Job, trained: Trained | None, claim: Claim) -> Outcome:
    """Compute, unless somebody has finished meanwhile; leave a failure beside the run's files if that fails."""
    try:
        record = finished(job.folder)
        if record:
            return Outcome(record, job.folder, True)
    except BrokenFileError as error:
        job.say(f"{error}: set aside as {set_file_aside(job.folder / RECORD).name}, computing the run again")
    try:
        return Outcome(compute(job, trained, claim), job.folder, False)
    except (TakenOverError, Interrupted, KeyboardInterrupt, SystemExit):
        raise
    except Exception as error:
        claim.check()
        reason = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        leave_failure(
            job.folder,
            job.config,
            job.identity.run_id,
            "failed",
            reason,
            cause=cause_of(error),
            trace=traceback.format_exc(),
            attempts=claim.number,
        )
        raise


def unsupported(config: RunConfig) -> str | None:
    """Why this model cannot do this task, or None."""
    from nacbench.contracts.model import spec_for

    task, model, spec = config.task_plugin, config.model_plugin, config.training_task.spec()
    reason = model.unsupported(spec_for(model, spec))
    return reason or (task.unsuited(model, spec) if isinstance(task, EvaluationTask) else None)
