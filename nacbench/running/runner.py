"""Run one configuration to its record. The command line, sweeps, Slurm jobs and the Python interface all call `run`."""

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
from nacbench.recording.store import finished, last_set_aside, refuse_links, run_folder, set_aside
from nacbench.running.computation import Job, Trained, compute
from nacbench.running.config import RunConfig
from nacbench.running.failures import cause_of, leave_failure
from nacbench.running.identity import Identity
from nacbench.training.interrupt import Interrupted

if TYPE_CHECKING:
    from nacbench.training.execution import Execution


@dataclass(frozen=True)
class Outcome:
    """Result of `run`.

    Attributes:
        record: the run's record.
        folder: the run's folder.
        was_finished: whether the record existed already.
        config: the configuration that was asked for.
    """

    record: RunRecord
    folder: Path
    was_finished: bool
    config: RunConfig


def identify(config: RunConfig, data_root: Path) -> Identity:
    """Return the identity of a configuration on the existing data. Missing data is downloaded first.

    Raises:
        UserError: if the data is missing and cannot be downloaded.
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
    """Compute a run, resume it if it was interrupted, or return its record if it is finished.

    For an evaluation task, the run that trains the network is computed first, unless it is finished.

    Args:
        config: configuration of the run.
        store: folder of runs.
        data_root: mirror of data sets.
        execution: returns device, workers and the like; called only if something has to be computed.
        force: compute a finished run again; the old one is kept in ``.replaced`` beside it. The run that trained the
            network is not computed again.

    Raises:
        RunSkippedError: if the model does not support the task.
        BusyError: if another process computes the run.
        UserError: if data is missing or a setting is invalid.
        Interrupted: if a signal asked to stop; the same call resumes the run.
    """
    identity = identify(config, data_root)
    folder = run_folder(store, config.task.name, config.model.name, identity.run_id)
    record = _whole_record(folder)
    if record and not force:
        return Outcome(record, folder, True, config)
    reason = unsupported(config)
    if reason:
        leave_failure(folder, config, identity.run_id, "skipped", reason)
        raise RunSkippedError(f"{config.model.name} cannot do {config.task.name}: {reason}")
    before = (
        run(config.trained_on, store=store, data_root=data_root, execution=execution) if config.trained_on else None
    )
    refuse_links(folder)
    if force:
        with hold(folder):  # lock: no other process may compute the run while its folder is moved
            set_aside(folder)
    # Only now, so that a finished run is returned without importing torch and Accelerate
    settings = execution()
    from nacbench.training.execution import make_accelerator

    accelerator = make_accelerator(settings.device, config.precision)
    job = Job(config, identity, folder, data_root, settings, accelerator)
    trained = Trained(before.record, before.folder) if before else None
    if not accelerator.is_main_process:  # all processes train, only the main process holds the lock and writes
        return Outcome(compute(job, trained, None), folder, False, config)
    with hold(folder, beat_seconds=settings.heartbeat_seconds) as claim:
        return _compute_or_say_why_not(job, trained, claim)


def _whole_record(folder: Path) -> RunRecord | None:
    """Return the record of a finished run, or None if it is missing or broken."""
    try:
        return finished(folder)
    except BrokenFileError:
        return None


def _compute_or_say_why_not(job: Job, trained: Trained | None, claim: Claim) -> Outcome:
    """Compute a run whose lock is held; on an error, write ``failure.json`` and raise it again."""
    # Again, under the lock: another process may have finished the run since the first look
    try:
        record = finished(job.folder)
        if record:
            return Outcome(record, job.folder, True, job.config)
    except BrokenFileError as error:
        job.say(f"{error}: set aside as {set_file_aside(job.folder / RECORD).name}, computing the run again")
    if kept := last_set_aside(job.folder):
        job.say(f"{kept} holds the last finished record of this run, which was set aside; computing it again")
    try:
        return Outcome(compute(job, trained, claim), job.folder, False, job.config)
    except (
        TakenOverError,
        Interrupted,
        KeyboardInterrupt,
        SystemExit,
    ):  # no failures: the run goes on later, or elsewhere
        raise
    except Exception as error:
        claim.check()  # a process that was taken over must not mark its successor's run as failed
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
    """Return why the model does not support the task, in a few words, or None."""
    from nacbench.contracts.model import spec_for

    task, model, spec = config.task_plugin, config.model_plugin, config.training_task.spec()
    reason = model.unsupported(spec_for(model, spec))
    return reason or (task.unsuited(model, spec) if isinstance(task, EvaluationTask) else None)
