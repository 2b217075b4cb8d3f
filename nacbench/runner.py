"""One run, from its configuration to its record: the function that the command line and every cluster call."""

import errno
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nacbench.config import RunConfig
from nacbench.environment import git_state, library_versions, python_and_platform
from nacbench.errors import BrokenFileError, RunSkippedError, UserError
from nacbench.files import digest_of, set_file_aside, write_json, write_text
from nacbench.hardware import describe, peak_memory
from nacbench.identity import Identity
from nacbench.results.claim import Claim, TakenOverError, hold
from nacbench.results.record import (
    FAILURE,
    RECORD,
    Cause,
    Cost,
    Data,
    Environment,
    Failure,
    RunRecord,
    Selection,
    SourceRun,
)
from nacbench.results.store import (
    CONFIG,
    LASTING,
    LOG,
    PREDICTIONS,
    SCORES,
    WEIGHTS,
    finished,
    read_state,
    run_folder,
    set_aside,
    tail,
    write_state,
)
from nacbench.task import Evaluation, LiveTask, ScoredTask
from nacbench.training.interrupt import Interrupted, stop_on_signals

if TYPE_CHECKING:
    from accelerate import Accelerator
    from torch import Tensor

    from nacbench.network import Network
    from nacbench.training.execution import Execution
    from nacbench.training.interrupt import StopRequest
    from nacbench.training.loop import Trainer


@dataclass(frozen=True)
class Outcome:
    """A run's record, where it lies, and whether it was there already."""

    record: RunRecord
    folder: Path
    was_finished: bool


@dataclass(frozen=True)
class _Job:
    """A run that has to be computed: what, where, and how."""

    config: RunConfig
    identity: Identity
    folder: Path
    data_root: Path
    settings: "Execution"
    accelerator: "Accelerator"

    @property
    def title(self) -> str:
        return f"{self.config.task.name} · {self.config.model.name} · seed {self.config.seed}"

    def say(self, text: str) -> None:
        """One line for the log, and for people."""
        from nacbench.training.progress import Progress

        Progress(self.title, 0, self.folder / LOG, show=self.settings.show_progress).say(text)


def identify(config: RunConfig, data_root: Path) -> Identity:
    """The identity of a configuration on the data at hand, which is fetched first if it is missing.

    Raises:
        UserError: if the data cannot be had.
    """
    source = identify(config.source, data_root) if config.source else None
    task = config.build_task()
    task.prepare(data_root)
    return Identity.of(config, task.fingerprint(data_root), source)


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
        force: compute again what is done; the old run is kept in ``.replaced`` beside it. Its source is not done again.

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
    source = run(config.source, store=store, data_root=data_root, execution=execution) if config.source else None
    if force:
        with hold(folder):  # nobody else may be at it
            set_aside(folder)
    settings = execution()
    from nacbench.training.execution import make_accelerator

    accelerator = make_accelerator(settings.device, config.precision)
    job = _Job(config, identity, folder, data_root, settings, accelerator)
    if not accelerator.is_main_process:  # all processes compute, one holds the folder and writes
        return _compute(job, source, None)
    with hold(folder, beat_seconds=settings.heartbeat_seconds) as claim:
        return _compute_or_say_why_not(job, source, claim)


def _whole_record(folder: Path) -> RunRecord | None:
    """The record of a finished run; None where there is none that can be used."""
    try:
        return finished(folder)
    except BrokenFileError:
        return None


def _compute_or_say_why_not(job: _Job, source: Outcome | None, claim: Claim) -> Outcome:
    """Compute, unless somebody has finished meanwhile; leave a failure beside the run's files if that fails."""
    try:
        record = finished(job.folder)
        if record:
            return Outcome(record, job.folder, True)
    except BrokenFileError as error:
        job.say(f"{error}: set aside as {set_file_aside(job.folder / RECORD).name}, computing the run again")
    try:
        return _compute(job, source, claim)
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


def cause_of(error: BaseException) -> Cause:
    """What kind of failure an exception is."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "oom"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "disk"
    return "error"


def unsupported(config: RunConfig) -> str | None:
    """Why this model cannot do this task, or None."""
    from nacbench.model import spec_for

    task, model = config.build_task(), config.build_model()
    trained = config.source.build_task() if config.source else task
    spec = trained.spec()
    return model.unsupported(spec_for(model, spec)) or (task.unsuited(model, spec) if config.source else None)


def _compute(job: _Job, source: Outcome | None, claim: Claim | None) -> Outcome:
    begun = time.monotonic()
    started = _begin_attempt(job) if claim else ""
    with stop_on_signals() as stop:
        done = _train_and_score(job, stop, claim) if source is None else _score_source(job, source, stop, claim)
    assert claim is not None  # the other processes have left
    config, live, scored = job.config, done.live, done.scored
    task = config.build_task()
    metrics = {split: dict(evaluation.metrics) for split, evaluation in scored.items()}
    record = RunRecord(
        run_id=job.identity.run_id,
        task=config.task.name,
        model=config.model.name,
        size=config.model.size,
        scale=config.scale,
        seed=config.seed,
        precision=config.precision,
        protocol=task.protocol,
        source=source and SourceRun(task=source.record.task, run_id=source.record.run_id),
        metric=task.metric,
        metrics={**metrics, "test": dict(task.headline(metrics))},
        details={split: dict(evaluation.details) for split, evaluation in scored.items()},
        selection=done.selection,
        data=Data(
            fingerprint=job.identity.data,
            splits=dict(live.split_sizes),
            classes=live.spec.classes,
            modality=live.spec.modality,
            notes=list(live.notes),
            partial=list(live.partial),
        ),
        cost=_cost(job, done, time.monotonic() - begun),
        environment=_environment(job),
        identity=job.identity.as_dict(),
        files={name: digest_of(job.folder / name) for name in LASTING if (job.folder / name).exists()},
        attempts=claim.number,
        started=started,
        finished=_now(),
    )
    claim.check()
    try:
        write_json(job.folder / RECORD, record.model_dump(mode="json"), first_wins=True)
    except FileExistsError:  # by a copy that had been cut off and came back in between: the first whole record counts
        raise TakenOverError(f"run {record.run_id} has been finished by another process; this copy stops") from None
    (job.folder / FAILURE).unlink(missing_ok=True)
    _discard(job.folder, done.trainer)
    if source is None:
        job.accelerator.wait_for_everyone()
    return Outcome(record, job.folder, False)


@dataclass(frozen=True)
class _Done:
    """What a computed run has to tell.

    Attributes:
        live: the task that was scored.
        net: the network whose cost is counted, and the inputs that it was counted with.
        scored: the evaluation of every split.
        selection: which weights count.
        trainer: None where nothing was trained.
    """

    live: ScoredTask
    net: "Network"
    inputs: "Mapping[str, Tensor]"
    scored: Mapping[str, Evaluation]
    selection: Selection
    trainer: "Trainer | None" = None


def _train_and_score(job: _Job, stop: "StopRequest", claim: Claim | None) -> _Done:
    from nacbench.network import build_network
    from nacbench.training.checkpoint import module_tensors, save_tensors
    from nacbench.training.loop import Trainer
    from nacbench.training.progress import Progress

    config, accelerator = job.config, job.accelerator
    task = config.build_task()
    recipe: Any = config.training
    live = task.build(job.data_root, recipe)
    net = build_network(task, live.spec, config.build_model(), config.seed)
    trainer = Trainer(
        task=live,
        net=net,
        recipe=recipe,
        seed=config.seed,
        metric=task.metric,
        folder=job.folder,
        run_id=job.identity.run_id,
        accelerator=accelerator,
        execution=job.settings,
        stop=stop,
        pulse=lambda steps: claim.progress(step=steps, steps=trainer.total_steps) if claim else None,
    )
    show = job.settings.show_progress and accelerator.is_main_process
    progress = Progress(job.title, trainer.total_steps, job.folder / LOG, show=show)
    try:
        best = trainer.train(progress)
    finally:
        progress.close()
    if not accelerator.is_main_process:
        accelerator.wait_for_everyone()
        raise SystemExit(0)
    assert claim is not None
    started = time.monotonic()
    scored = _score(job, live, best, claim)
    trainer.status.evaluate_seconds += time.monotonic() - started
    save_tensors(job.folder / WEIGHTS, module_tensors("model", best), {"run_id": job.identity.run_id})
    return _Done(live, net, _some_inputs(live, recipe.batch_size), scored, Selection(**trainer.selection()), trainer)


def _score_source(job: _Job, source: Outcome, stop: "StopRequest", claim: Claim | None) -> _Done:
    """Score the network that another run ended with."""
    from nacbench.network import build_network, take_weights
    from nacbench.training.checkpoint import load_tensors, part
    from nacbench.training.progress import Progress

    if claim is None:
        raise SystemExit(0)
    config = job.config
    assert config.source is not None
    trained = config.source.build_task()
    task = config.build_task()
    live = task.build_on(trained, job.data_root, config.training)
    net = build_network(trained, live.spec, config.build_model(), config.seed)
    weights, meta = load_tensors(source.folder / WEIGHTS)
    if meta["run_id"] != source.record.run_id:
        raise BrokenFileError(f"{source.folder / WEIGHTS} belongs to run {meta['run_id']}; delete {source.folder}")
    take_weights(net, part(weights, "model"), keep_head=task.protocol != "low-shot")
    net.to(job.accelerator.device).eval()
    progress = Progress(job.title, len(live.split_sizes), job.folder / LOG, show=job.settings.show_progress)

    def before_each(done: int, split: str) -> None:
        if stop.signal_number is not None:
            raise Interrupted(stop.signal_number, done)
        progress.step(done, {"split": split})
        claim.progress(step=done, steps=len(live.split_sizes))

    try:
        scored = _score(job, live, net, claim, before_each)
    finally:
        progress.close()
    recipe: Any = config.source.training
    inputs = _some_inputs(trained.build(job.data_root, recipe), config.training.batch_size)
    return _Done(live, net, inputs, scored, source.record.selection)


def _score(
    job: _Job, live: ScoredTask, net: Any, claim: Claim, before_each: Any = lambda done, split: None
) -> dict[str, Evaluation]:
    from nacbench.scoring import score_splits, write_predictions

    with job.accelerator.autocast():
        scored = score_splits(
            live, net, job.config.training.batch_size, job.folder / SCORES, job.identity.run_id, before_each
        )
    claim.check()
    write_predictions(job.folder / PREDICTIONS, scored)
    return scored


def _some_inputs(live: LiveTask, batch_size: int) -> "Mapping[str, Tensor]":
    """One example to count operations with."""
    count = min(batch_size, live.split_sizes["train"])
    return live.train_batches(count, 0)[0].part(0, count).inputs


def _begin_attempt(job: _Job) -> str:
    """Write what is known of the run before it starts; returns when it was first started."""
    started = str(read_state(job.folder).get("started", _now()))
    write_state(job.folder, {"started": started, "identity": job.identity.as_dict()})
    write_text(job.folder / CONFIG, job.config.as_yaml())
    (job.folder / FAILURE).unlink(missing_ok=True)
    return started


def _discard(folder: Path, trainer: "Trainer | None") -> None:
    """Remove the files that only a resumed run needs."""
    import shutil

    if trainer:
        trainer.discard()
    shutil.rmtree(folder / SCORES, ignore_errors=True)


def _cost(job: _Job, done: _Done, seconds: float) -> Cost:
    import torch

    from nacbench.profiling.cost import count_parameters, forward_flops

    inputs = {name: tensor.to(job.accelerator.device) for name, tensor in done.inputs.items()}
    scoring = sum(float(evaluation.details["seconds"]) for evaluation in done.scored.values())
    trainer = done.trainer
    train_seconds = trainer.status.train_seconds if trainer else 0.0
    return Cost(
        parameters=count_parameters(done.net),
        core_parameters=count_parameters(done.net.core),
        forward_flops=forward_flops(done.net, inputs),
        flops_input={name: list(tensor.shape) for name, tensor in inputs.items()},
        train_seconds=round(train_seconds, 3),
        evaluate_seconds=round(trainer.status.evaluate_seconds if trainer else scoring, 3),
        total_seconds=round(seconds, 3),
        examples_per_second=round(trainer.total_steps * trainer.recipe.batch_size / train_seconds, 1)
        if trainer
        else None,
        peak_memory_bytes=torch.cuda.max_memory_allocated() if job.settings.device == "cuda" else peak_memory(),
    )


def _environment(job: _Job) -> Environment:
    python, system = python_and_platform()
    commit, dirty = git_state()
    return Environment(
        hardware=describe(job.settings.device),
        processes=job.accelerator.num_processes,
        compiled=job.settings.compile,
        python=python,
        platform=system,
        versions=library_versions(),
        git_commit=commit,
        git_dirty=dirty,
    )


def leave_failure(
    folder: Path,
    config: RunConfig,
    run_id: str,
    status: Literal["failed", "skipped", "cancelled"],
    reason: str,
    *,
    cause: Cause = "error",
    trace: str | None = None,
    log: Sequence[str] = (),
    attempts: int = 0,
) -> None:
    """Write beside a run's files why it has no record."""
    failure = Failure(
        status=status,
        cause=cause,
        run_id=run_id,
        task=config.task.name,
        model=config.model.name,
        size=config.model.size,
        scale=config.scale,
        seed=config.seed,
        reason=reason,
        traceback=trace,
        log=list(log) or tail(folder / LOG),
        attempts=attempts,
        when=_now(),
    )
    write_json(folder / FAILURE, failure.model_dump(mode="json"))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
