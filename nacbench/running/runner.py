"""Run one configuration to its record. The command line, sweeps, Slurm jobs and the Python interface all call `run`."""

import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.contracts.given import checked_fingerprint, checked_reason, checked_spec
from nacbench.contracts.task import EvaluationTask
from nacbench.data.unreadable import unreadable_skipped
from nacbench.errors import BrokenFileError, RunFailedError, RunSkippedError, UserError
from nacbench.filesystem.files import set_file_aside
from nacbench.machine.settings import check_settings, given_settings
from nacbench.plugin_files import plugin_line
from nacbench.recording.claim import Claim, TakenOverError, hold
from nacbench.recording.record import FAILURE, RECORD, RunRecord
from nacbench.recording.store import finished, last_set_aside, refuse_links, run_folder, set_aside, tidy
from nacbench.recording.tags import NOTHING, Tags, add_tags, read_tags
from nacbench.running.computation import HelperDoneError, Job, Trained, compute
from nacbench.running.config import RunConfig
from nacbench.running.failures import cause_of, in_one_line, leave_failure
from nacbench.running.identity import Identity
from nacbench.running.outcome import Outcome
from nacbench.tracking.live import logging
from nacbench.tracking.tracker import About
from nacbench.training.interrupt import Interrupted

if TYPE_CHECKING:
    from nacbench.training.execution import Execution

STOPPED = (TakenOverError, Interrupted, KeyboardInterrupt, HelperDoneError)  # no failures: the run goes on later


def identify(config: RunConfig, data_root: Path) -> Identity:
    """Return the identity of a configuration on the existing data. Missing data is downloaded first.

    Raises:
        UserError: if the data is missing and cannot be downloaded, or the task gives no fingerprint.
    """
    trained_on = identify(config.trained_on, data_root) if config.trained_on else None
    task = config.task_plugin
    task.prepare(data_root)
    return Identity.of(config, fingerprint_of(config, data_root), trained_on)


def fingerprint_of(config: RunConfig, data_root: Path) -> str:
    """Return the fingerprint of the data of a run, which is there.

    Raises:
        UserError: if the data cannot be read, or the task gives no fingerprint.
    """
    with unreadable_skipped(config.skip_unreadable):
        return checked_fingerprint(config.task_plugin, config.task_plugin.fingerprint(data_root))


def run(
    config: RunConfig,
    *,
    store: Path,
    data_root: Path,
    execution: "Callable[[], Execution]",
    force: bool = False,
    tags: Tags = NOTHING,
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
        tags: tags and notes to give to the run, whether it is finished or not.

    Raises:
        RunSkippedError: if the model does not support the task.
        BusyError: if another process computes the run.
        UserError: if data or the model's library is missing, a setting is invalid, or a variable is set that would
            change numbers.
        RunFailedError: if the code of the task or model raises something, or calls ``exit()``; its cause is that.
        Interrupted: if a signal asked to stop; the same call resumes the run.
    """
    identity = identify(config, data_root)
    folder = run_folder(store, config.task.name, config.model.name, identity.run_id)
    record = _whole_record(folder)
    if record and not force:
        tidy(folder)
        return Outcome(record, folder, True, config, add_tags(folder, tags))
    reason = unsupported(config)
    if reason:
        leave_failure(folder, config, identity.run_id, "skipped", reason)
        raise RunSkippedError(f"{config.model.name} cannot do {config.task.name}: {reason}")
    if absent := config.model_plugin.missing():
        raise UserError(absent)
    before = (
        run(config.trained_on, store=store, data_root=data_root, execution=execution) if config.trained_on else None
    )
    refuse_links(folder)
    kept = NOTHING
    if force:
        with hold(folder):  # lock: no other process may compute the run while its folder is moved
            kept = read_tags(folder)
            set_aside(folder)
    # Only now, so that a finished run is returned without importing torch and Accelerate
    settings = execution()
    check_settings()
    from nacbench.training.execution import make_accelerator

    accelerator = make_accelerator(settings.device, config.precision)
    job = Job(config, identity, folder, data_root, settings, accelerator)
    trained = Trained(before.record, before.folder) if before else None
    with given_settings(settings.threads):
        if not accelerator.is_main_process:  # all processes train, only the main process holds the lock and writes
            return _compute_or_say_why_not(job, trained, None)
        with hold(folder, beat_seconds=settings.heartbeat_seconds) as claim:
            add_tags(folder, kept)
            tagged = add_tags(folder, tags)  # before it is computed: an interrupted run has them, too
            return replace(_finished_since(job) or _compute_or_say_why_not(job, trained, claim), tagged=tagged)


def _whole_record(folder: Path) -> RunRecord | None:
    """Return the record of a finished run, or None if it is missing or broken."""
    try:
        return finished(folder)
    except BrokenFileError:
        return None


def _finished_since(job: Job) -> Outcome | None:
    """Return the outcome if another process finished the run before this one got the lock; set a broken one aside."""
    try:
        record = finished(job.folder)
    except BrokenFileError as error:
        job.say(f"{error}: set aside as {set_file_aside(job.folder / RECORD).name}, computing the run again")
        return None
    if record is None and (kept := last_set_aside(job.folder)):
        job.say(f"{kept} holds the last finished record of this run, which was set aside; computing it again")
    return Outcome(record, job.folder, True, job.config) if record else None


def _compute_or_say_why_not(job: Job, trained: Trained | None, claim: Claim | None) -> Outcome:
    """Compute a run; on an error, write ``failure.json`` and raise one that is one line.

    Args:
        job: the run.
        trained: the run that trained the network; None to train it here.
        claim: claim on the run's folder; None in all processes but the main one.
    """
    try:
        with unreadable_skipped(job.config.skip_unreadable):
            about = About.of(job.identity.as_dict()["config"], job.identity.run_id)
            names = job.settings.log if claim else ()
            with logging(names, about, job.folder, job.say, STOPPED) as log:
                record = compute(job, trained, claim, log)
                log.finish(record)
            return Outcome(record, job.folder, False, job.config)
    except STOPPED:
        raise
    except BaseException as error:  # a plug-in can raise anything; its exit() would look like success
        if claim:
            claim.check()  # a process that was taken over must not mark its successor's run as failed
        # Of several processes the first to fail names the cause; the others only lose their connection to it
        if job.accelerator.num_processes == 1 or not (job.folder / FAILURE).exists():
            leave_failure(
                job.folder,
                job.config,
                job.identity.run_id,
                "failed",
                in_one_line(error),
                cause=cause_of(error),
                trace=traceback.format_exc(),
                attempts=claim.number if claim else 0,
            )
        # The command line explains errors of the file system, unless they are a plug-in's own
        if isinstance(error, UserError) or (isinstance(error, OSError) and plugin_line(error) is None):
            raise
        raise RunFailedError(
            f"{job.title}: {in_one_line(error)}; the traceback is in {job.folder / FAILURE}"
        ) from error


def unsupported(config: RunConfig) -> str | None:
    """Return why the model does not support the task, in a few words, or None."""
    from nacbench.contracts.model import spec_for

    task, model, training = config.task_plugin, config.model_plugin, config.training_task
    spec = checked_spec(training, training.spec())
    reason = checked_reason(model, "unsupported", model.unsupported(spec_for(model, spec)))
    # unsuited() may build the network, which takes the model's library
    if reason is None and isinstance(task, EvaluationTask) and model.missing() is None:
        reason = checked_reason(task, "unsuited", task.unsuited(model, spec))
    return reason
