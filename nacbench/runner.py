"""One run, from its configuration to its record: the function that the command line and every cluster call."""

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacbench.config import RunConfig
from nacbench.environment import git_state, library_versions, python_and_platform
from nacbench.errors import RunSkippedError, UserError
from nacbench.files import write_json, write_text
from nacbench.hardware import describe, peak_memory
from nacbench.identity import Identity
from nacbench.results.record import FAILURE, RECORD, Cost, Data, Environment, Failure, RunRecord, Selection, SourceRun
from nacbench.results.store import (
    CONFIG,
    LOG,
    PREDICTIONS,
    SCORES,
    WEIGHTS,
    finished,
    read_state,
    run_folder,
    set_aside,
    sole_process,
    write_state,
)
from nacbench.task import Evaluation, LiveTask, ScoredTask

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
    record = finished(folder)
    if record and not force:
        return Outcome(record, folder, True)
    reason = _unsupported(config)
    if reason:
        _leave_failure(folder, config, identity, "skipped", reason)
        raise RunSkippedError(f"{config.model.name} cannot do {config.task.name}: {reason}")
    source = run(config.source, store=store, data_root=data_root, execution=execution) if config.source else None
    if force:
        set_aside(folder)
    settings = execution()
    from nacbench.training.execution import make_accelerator

    accelerator = make_accelerator(settings.device, config.precision)
    job = _Job(config, identity, folder, data_root, settings, accelerator)
    if not accelerator.is_main_process:  # all processes compute, one holds the folder and writes
        return _compute(job, source)
    with sole_process(folder):
        try:
            return _compute(job, source)
        except (UserError, KeyboardInterrupt, SystemExit):
            raise
        except Exception as error:
            from nacbench.training.interrupt import Interrupted

            if not isinstance(error, Interrupted):
                reason = f"{type(error).__name__}: {error}"
                _leave_failure(folder, config, identity, "failed", reason, traceback.format_exc())
            raise


def _unsupported(config: RunConfig) -> str | None:
    """Why this model cannot do this task, or None."""
    from nacbench.network import spec_for

    task, model = config.build_task(), config.build_model()
    trained = config.source.build_task() if config.source else task
    spec = trained.spec()
    return model.unsupported(spec_for(model, spec)) or (task.unsuited(model, spec) if config.source else None)


def _compute(job: _Job, source: Outcome | None) -> Outcome:
    from nacbench.training.interrupt import stop_on_signals

    begun = time.monotonic()
    state = _begin_attempt(job) if job.accelerator.is_main_process else {}
    with stop_on_signals() as stop:
        done = _train_and_score(job, stop) if source is None else _score_source(job, source, stop)
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
        attempts=state["attempts"],
        started=state["started"],
        finished=_now(),
    )
    write_json(job.folder / RECORD, record.model_dump(mode="json"))
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


def _train_and_score(job: _Job, stop: "StopRequest") -> _Done:
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
    started = time.monotonic()
    scored = _score(job, live, best)
    trainer.status.evaluate_seconds += time.monotonic() - started
    save_tensors(job.folder / WEIGHTS, module_tensors("model", best), {"run_id": job.identity.run_id})
    return _Done(live, net, _some_inputs(live, recipe.batch_size), scored, Selection(**trainer.selection()), trainer)


def _score_source(job: _Job, source: Outcome, stop: "StopRequest") -> _Done:
    """Score the network that another run ended with."""
    from nacbench.network import build_network, take_weights
    from nacbench.training.checkpoint import load_tensors, part
    from nacbench.training.interrupt import Interrupted
    from nacbench.training.progress import Progress

    if not job.accelerator.is_main_process:
        raise SystemExit(0)
    config = job.config
    assert config.source is not None
    trained = config.source.build_task()
    task = config.build_task()
    live = task.build_on(trained, job.data_root, config.training)
    net = build_network(trained, live.spec, config.build_model(), config.seed)
    weights, meta = load_tensors(source.folder / WEIGHTS)
    if meta["run_id"] != source.record.run_id:
        raise UserError(f"{source.folder / WEIGHTS} belongs to run {meta['run_id']}; delete {source.folder}")
    take_weights(net, part(weights, "model"), keep_head=task.protocol != "low-shot")
    net.to(job.accelerator.device).eval()
    progress = Progress(job.title, len(live.split_sizes), job.folder / LOG, show=job.settings.show_progress)

    def before_each(done: int, split: str) -> None:
        if stop.signal_number is not None:
            raise Interrupted(stop.signal_number, done)
        progress.step(done, {"split": split})

    try:
        scored = _score(job, live, net, before_each)
    finally:
        progress.close()
    recipe: Any = config.source.training
    inputs = _some_inputs(trained.build(job.data_root, recipe), config.training.batch_size)
    return _Done(live, net, inputs, scored, source.record.selection)


def _score(job: _Job, live: ScoredTask, net: Any, before_each: Any = lambda done, split: None) -> dict[str, Evaluation]:
    from nacbench.scoring import score_splits, write_predictions

    with job.accelerator.autocast():
        scored = score_splits(
            live, net, job.config.training.batch_size, job.folder / SCORES, job.identity.run_id, before_each
        )
    write_predictions(job.folder / PREDICTIONS, scored)
    return scored


def _some_inputs(live: LiveTask, batch_size: int) -> "Mapping[str, Tensor]":
    """One example to count operations with."""
    count = min(batch_size, live.split_sizes["train"])
    return live.train_batches(count, 0)[0].part(0, count).inputs


def _begin_attempt(job: _Job) -> dict[str, Any]:
    """Write what is known of the run before it starts, and count the attempt."""
    state = read_state(job.folder)
    state = {
        "attempts": int(state.get("attempts", 0)) + 1,
        "started": state.get("started", _now()),
        "identity": job.identity.as_dict(),
    }
    write_state(job.folder, state)
    write_text(job.folder / CONFIG, job.config.as_yaml())
    (job.folder / FAILURE).unlink(missing_ok=True)
    return state


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


def _leave_failure(
    folder: Path, config: RunConfig, identity: Identity, status: str, reason: str, trace: str | None = None
) -> None:
    failure = Failure.model_validate(
        {
            "status": status,
            "run_id": identity.run_id,
            "task": config.task.name,
            "model": config.model.name,
            "size": config.model.size,
            "scale": config.scale,
            "seed": config.seed,
            "reason": reason,
            "traceback": trace,
            "when": _now(),
        }
    )
    write_json(folder / FAILURE, failure.model_dump(mode="json"))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
