"""Computing one run whose folder is ours: training or another run's network, scores, cost, and the record."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacbench.contracts.task import Evaluation, EvaluationTask, LiveTask, ScoredTask, ScoresAnotherNetwork
from nacbench.errors import BrokenFileError
from nacbench.files import digest_of, utc_now, write_json, write_text
from nacbench.machine.hardware import describe, peak_memory
from nacbench.machine.software import git_state, library_versions, python_and_platform
from nacbench.recording.claim import Claim, TakenOverError
from nacbench.recording.record import FAILURE, RECORD, Cost, Data, Environment, RunRecord, Selection, TrainedOn
from nacbench.recording.store import CONFIG, LASTING, LOG, PREDICTIONS, SCORES, WEIGHTS, read_state, write_state
from nacbench.running.config import RunConfig
from nacbench.running.identity import Identity
from nacbench.training.interrupt import Interrupted, stop_on_signals

if TYPE_CHECKING:
    from accelerate import Accelerator
    from torch import Tensor

    from nacbench.nn.network import Network
    from nacbench.training.execution import Execution
    from nacbench.training.interrupt import StopRequest
    from nacbench.training.loop import Trainer


@dataclass(frozen=True)
class Job:
    """A run that has to be computed: what, where, and how."""

    config: RunConfig
    identity: Identity
    folder: Path
    data_root: Path
    settings: Execution
    accelerator: Accelerator

    @property
    def title(self) -> str:
        return f"{self.config.task.name} · {self.config.model.name} · seed {self.config.seed}"

    def say(self, text: str) -> None:
        """One line for the log, and for people."""
        from nacbench.training.progress import Progress

        Progress(self.title, 0, self.folder / LOG, show=self.settings.show_progress).say(text)


@dataclass(frozen=True)
class Trained:
    """The finished run that a network is taken from: its record, and where it lies."""

    record: RunRecord
    folder: Path


def compute(job: Job, trained: Trained | None, claim: Claim | None) -> RunRecord:
    """Train a network or take another run's, score it, and write the record.

    Args:
        job: what to compute.
        trained: the run that the network is taken from, if it is not trained here.
        claim: on the run's folder; None in processes that only help to compute, which leave by `SystemExit`.

    Raises:
        TakenOverError: another process has the run now.
        Interrupted: a signal asked to stop.
    """
    begun = time.monotonic()
    started = _begin_attempt(job) if claim else ""
    with stop_on_signals() as stop:
        done = _train_and_score(job, stop, claim) if trained is None else _score_trained(job, trained, stop, claim)
    assert claim is not None  # the other processes have left
    config, live, scored = job.config, done.live, done.scored
    task = config.task_plugin
    metrics = {split: dict(evaluation.metrics) for split, evaluation in scored.items()}
    measured = {split: dict(evaluation.measured) for split, evaluation in scored.items() if evaluation.measured}
    as_a_whole = dict(task.measured_headline(metrics, measured))
    record = RunRecord(
        run_id=job.identity.run_id,
        task=config.task.name,
        model=config.model.name,
        size=config.model.size,
        scale=config.scale,
        seed=config.seed,
        precision=config.precision,
        protocol=task.protocol,
        trained_on=trained and TrainedOn(task=trained.record.task, run_id=trained.record.run_id),
        metric=task.metric,
        metrics={**metrics, "test": dict(task.headline(metrics))},
        details={split: dict(evaluation.details) for split, evaluation in scored.items()},
        measured={**measured, "test": as_a_whole} if as_a_whole else measured,
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
        environment=_environment(job, done),
        identity=job.identity.as_dict(),
        files={name: digest_of(job.folder / name) for name in LASTING if (job.folder / name).exists()},
        attempts=claim.number,
        started=started,
        finished=utc_now(),
    )
    claim.check()
    try:
        write_json(job.folder / RECORD, record.model_dump(mode="json"), first_wins=True)
    except FileExistsError:  # by a copy that had been cut off and came back in between: the first whole record counts
        raise TakenOverError(f"run {record.run_id} has been finished by another process; this copy stops") from None
    (job.folder / FAILURE).unlink(missing_ok=True)
    _discard(job.folder, done.trainer)
    if trained is None:
        job.accelerator.wait_for_everyone()
    return record


@dataclass(frozen=True)
class Done:
    """What a computed run has to tell.

    Attributes:
        live: the task that was scored.
        net: the network whose cost is counted, and the inputs that it was counted with.
        scored: the evaluation of every split.
        selection: which weights count.
        trainer: None where nothing was trained.
    """

    live: ScoredTask
    net: Network
    inputs: Mapping[str, Tensor]
    scored: Mapping[str, Evaluation]
    selection: Selection
    trainer: Trainer | None = None


def _train_and_score(job: Job, stop: StopRequest, claim: Claim | None) -> Done:
    from nacbench.nn.network import build_network
    from nacbench.training.checkpoint import module_tensors, save_tensors
    from nacbench.training.loop import Trainer
    from nacbench.training.progress import Progress

    config, accelerator = job.config, job.accelerator
    task = config.training_task
    recipe: Any = config.training
    live = task.build(job.data_root, recipe)
    net = build_network(task, live.spec, config.model_plugin, config.seed)
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
    return Done(live, net, _some_inputs(live, recipe.batch_size), scored, Selection(**trainer.selection()), trainer)


def _score_trained(job: Job, trained: Trained, stop: StopRequest, claim: Claim | None) -> Done:
    """Score the network that another run ended with."""
    from nacbench.nn.network import build_network, take_weights
    from nacbench.training.checkpoint import load_tensors, part
    from nacbench.training.progress import Progress

    if claim is None:
        raise SystemExit(0)
    config = job.config
    task, base = config.task_plugin, config.training_task
    assert isinstance(task, EvaluationTask) and config.trained_on is not None  # `resolve` sees to both
    live = task.build_on(base, job.data_root, config.training)
    net = build_network(base, live.spec, config.model_plugin, config.seed)
    weights, meta = load_tensors(trained.folder / WEIGHTS)
    if meta["run_id"] != trained.record.run_id:
        raise BrokenFileError(f"{trained.folder / WEIGHTS} belongs to run {meta['run_id']}; delete {trained.folder}")
    made_with = trained.record.environment.versions
    take_weights(net, part(weights, "model"), keep_head=task.keep_head, made_with=made_with)
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
    recipe: Any = config.trained_on.training
    inputs = _some_inputs(base.build(job.data_root, recipe), config.training.batch_size)
    counted = live.scored_network(net) if isinstance(live, ScoresAnotherNetwork) else net
    return Done(live, counted, inputs, scored, trained.record.selection)


def _score(
    job: Job, live: ScoredTask, net: Any, claim: Claim, before_each: Any = lambda done, split: None
) -> dict[str, Evaluation]:
    from nacbench.running.scoring import score_splits, write_predictions

    with job.accelerator.autocast():
        scored = score_splits(
            live, net, job.config.training.batch_size, job.folder / SCORES, job.identity.run_id, before_each
        )
    claim.check()
    write_predictions(job.folder / PREDICTIONS, scored)
    return scored


def _some_inputs(live: LiveTask, batch_size: int) -> Mapping[str, Tensor]:
    """One example to count operations with."""
    count = min(batch_size, live.split_sizes["train"])
    return live.train_batches(count, 0)[0].part(0, count).inputs


def _begin_attempt(job: Job) -> str:
    """Write what is known of the run before it starts; returns when it was first started."""
    started = str(read_state(job.folder).get("started", utc_now()))
    write_state(job.folder, {"started": started, "identity": job.identity.as_dict()})
    write_text(job.folder / CONFIG, job.config.as_yaml())
    (job.folder / FAILURE).unlink(missing_ok=True)
    return started


def _discard(folder: Path, trainer: Trainer | None) -> None:
    """Remove the files that only a resumed run needs."""
    import shutil

    if trainer:
        trainer.discard()
    shutil.rmtree(folder / SCORES, ignore_errors=True)


def _cost(job: Job, done: Done, seconds: float) -> Cost:
    import torch

    from nacbench.profiling.counting import count_parameters, forward_flops

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


def _environment(job: Job, done: Done) -> Environment:
    python, system = python_and_platform()
    commit, dirty = git_state()
    return Environment(
        hardware=describe(job.settings.device),
        processes=job.accelerator.num_processes,
        compiled=job.settings.compile,
        cuda_graphs=bool(done.trainer and done.trainer.captured),
        python=python,
        platform=system,
        versions=library_versions(),
        git_commit=commit,
        git_dirty=dirty,
    )
