"""Compute one run in a folder that is already locked: train or load the network, evaluate it, write the record."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacbench.contracts.given import checked_live, named
from nacbench.contracts.given_scores import check_ranges, checked_numbers
from nacbench.contracts.metric import ACCURACY
from nacbench.contracts.task import (
    AnyTask,
    Evaluation,
    EvaluationTask,
    LiveTask,
    ScoredTask,
    ScoresAnotherNetwork,
)
from nacbench.errors import UserError
from nacbench.filesystem.files import digest_of, utc_now, write_bytes, write_json, write_text
from nacbench.formats.weights_file import run_that_wrote
from nacbench.machine.hardware import describe, peak_memory
from nacbench.machine.settings import recorded
from nacbench.machine.software import git_state, library_versions, python_and_platform
from nacbench.recording.claim import Claim, TakenOverError
from nacbench.recording.metric_facts import MetricFacts
from nacbench.recording.record import (
    FAILURE,
    RECORD,
    Cost,
    Data,
    Environment,
    Hardware,
    Initial,
    RunRecord,
    Selection,
    TrainedOn,
)
from nacbench.recording.store import (
    CONFIG,
    INITIAL,
    LASTING,
    LOG,
    PREDICTIONS,
    SCORES,
    WEIGHTS,
    State,
    read_state,
    tidy,
    write_state,
)
from nacbench.running.config import RunConfig
from nacbench.running.identity import Identity
from nacbench.running.settings_note import note_on_settings
from nacbench.running.weights import weights_of
from nacbench.tracking.live import NoLog
from nacbench.training.interrupt import Interrupted, stop_on_signals

if TYPE_CHECKING:
    from accelerate import Accelerator
    from torch import Tensor

    from nacbench.kernels.path import KernelPath
    from nacbench.nn.network import Network
    from nacbench.training.execution import Execution
    from nacbench.training.interrupt import StopRequest
    from nacbench.training.loop import Trainer


@dataclass(frozen=True)
class Job:
    """A run to compute.

    Attributes:
        config: its configuration.
        identity: its identity, for the id and the record.
        folder: its folder.
        data_root: mirror of data sets.
        settings: device, workers, compilation and the like, which do not count for the id.
        accelerator: Accelerate's, for devices, processes and autocast.
    """

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
        """Write one line to the run's log, and to the terminal if progress is shown."""
        from nacbench.training.progress import Progress

        Progress(self.title, 0, self.folder / LOG, show=self.settings.show_progress).say(text)


class HelperDoneError(SystemExit):
    """Ends a process that has helped the main one to train; only that one evaluates and writes."""


@dataclass(frozen=True)
class Trained:
    """The finished run that trained the network: its record and folder."""

    record: RunRecord
    folder: Path


def compute(job: Job, trained: Trained | None, claim: Claim | None, log: NoLog) -> RunRecord:
    """Train a network, or load that of another run, evaluate it, and write the record.

    Args:
        job: the run.
        trained: the run that trained the network; None to train it here.
        claim: claim on the run's folder; None in all processes but the main one. These end with `HelperDoneError`.
        log: told of the learning curve.

    Raises:
        TakenOverError: if another process has taken the run over.
        Interrupted: if a signal asked to stop; a checkpoint is saved.
        UserError: if the task or the model gives something else than it should.
        DivergedError: if a loss, a weight or a score is not finite.
    """
    from nacbench.kernels.path import path_of_run  # loads torch, which whoever lists runs does not need
    from nacbench.running.scoring import answers_of

    begun = time.monotonic()
    started = _begin_attempt(job) if claim else ""
    with stop_on_signals() as stop, path_of_run() as path:
        if trained is None:
            done = _train_and_score(job, path, stop, claim, log)
        else:
            done = _score_trained(job, path, trained, stop, claim)
    assert claim is not None  # the other processes have ended in _train_and_score or _score_trained
    config, live, scored = job.config, done.live, done.scored
    task = config.task_plugin
    metrics = {split: dict(evaluation.metrics) for split, evaluation in scored.items()}
    measured = {split: dict(evaluation.measured) for split, evaluation in scored.items() if evaluation.measured}
    where = named(task)
    headline = checked_numbers(f"{where}.headline()", "metrics", task.headline(metrics), [task.metric])
    for split, numbers in {**metrics, "test": headline}.items():
        check_ranges(f"{where} on {split}", numbers, task.metrics)
    as_a_whole = checked_numbers(f"{where}.measured_headline()", "measured", task.measured_headline(metrics, measured))
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
        initial=done.initial,
        metric=task.metric,
        metric_facts={metric.name: MetricFacts.of(metric) for metric in task.metrics},
        metrics={**metrics, "test": headline},
        details={split: dict(evaluation.details) for split, evaluation in scored.items()},
        measured={**measured, "test": as_a_whole} if as_a_whole else measured,
        answers=answers_of(scored, live.spec.classes) if task.metric == ACCURACY.name else None,
        selection=done.selection,
        data=Data(
            fingerprint=job.identity.data,
            splits=dict(live.split_sizes),
            classes=live.spec.classes,
            modality=live.spec.modality,
            notes=[*live.notes, *note_on_settings(config)],
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
        # Linked into place, not renamed: between the check and the write another process could take the run over and
        # finish it, and a link does not replace its record
        write_json(job.folder / RECORD, record.model_dump(mode="json"), first_wins=True)
    except FileExistsError:  # so the first complete record counts
        raise TakenOverError(f"run {record.run_id} has been finished by another process; this copy stops") from None
    (job.folder / FAILURE).unlink(missing_ok=True)
    tidy(job.folder)  # only after the record is written: until then a crash must be able to resume
    if trained is None:
        job.accelerator.wait_for_everyone()  # the other processes wait for the record, so that torchrun ends as one
    return record


@dataclass(frozen=True)
class Done:
    """Results of a run, for its record.

    Attributes:
        live: the task that the network was evaluated on.
        net: the network whose score and cost are recorded.
        inputs: inputs of one example, to count operations with.
        batch: examples of a pass.
        scored: evaluation by split.
        selection: which weights were evaluated.
        kernels: whose kernels computed, in the order of attempts; empty for a network without own ones.
        trainer: None if nothing was trained.
        initial: what the network took of the weights that it began with; None if these were drawn.
    """

    live: ScoredTask
    net: Network
    inputs: Mapping[str, Tensor]
    batch: int
    scored: Mapping[str, Evaluation]
    selection: Selection
    kernels: Sequence[str]
    trainer: Trainer | None = None
    initial: Initial | None = None


def _train_and_score(job: Job, path: KernelPath, stop: StopRequest, claim: Claim | None, log: NoLog) -> Done:
    """Train a network in all processes, then evaluate the selected weights in the main process."""
    from nacbench.nn.network import build_network
    from nacbench.training.checkpoint import module_tensors, save_tensors
    from nacbench.training.loop import Trainer
    from nacbench.training.progress import Progress

    config, accelerator = job.config, job.accelerator
    task = config.training_task
    recipe: Any = config.training
    usual: Any = task.recipes[config.scale]
    live = checked_live(task, "build", task.build(job.data_root, recipe), trains=True)
    _refuse_changed_data(task, job.data_root, job.identity.data)
    net = build_network(task, live.spec, config.model_plugin, config.seed)
    initial = _begin_with(job, net) if config.init_from else None
    _decide(path, job, net)
    trainer = Trainer(
        task=live,
        net=net,
        recipe=recipe,
        usual=usual,
        seed=config.seed,
        metric=task.main_metric(),
        folder=job.folder,
        run_id=job.identity.run_id,
        accelerator=accelerator,
        execution=job.settings,
        stop=stop,
        kernels=path.name,
        pulse=lambda steps: (
            claim.progress(step=steps, steps=trainer.total_steps, seconds=trainer.status.seconds) if claim else None
        ),
        told=log.row,
    )
    show = job.settings.show_progress and accelerator.is_main_process
    progress = Progress(job.title, trainer.total_steps, job.folder / LOG, show=show)
    try:
        best = trainer.train(progress)
    finally:
        progress.close()
    if not accelerator.is_main_process:
        accelerator.wait_for_everyone()  # until the main process has written the record
        raise HelperDoneError(0)
    assert claim is not None
    started = time.monotonic()
    scored = _score(job, live, best, claim)
    trainer.status.evaluate_seconds += time.monotonic() - started
    save_tensors(job.folder / WEIGHTS, module_tensors("model", best), {"run_id": job.identity.run_id})
    inputs = _some_inputs(live, recipe.batch_size)
    batch = recipe.batch_size // (recipe.accumulate * accelerator.num_processes)
    selection, kernels = Selection(**trainer.selection()), trainer.status.kernels
    return Done(live, net, inputs, batch, scored, selection, kernels, trainer, initial)


def _decide(path: KernelPath, job: Job, net: Network) -> None:
    """Decide whose kernels compute; of several processes, only the main one says so."""
    path.decide(net, job.settings.kernels, job.settings.device, job.say if job.accelerator.is_main_process else _silent)


def _silent(text: str) -> None:
    """Say nothing."""


def _begin_with(job: Job, net: Network) -> Initial:
    """Give a network the weights that it begins with; keep a copy, so that the run can be resumed without the original.

    Raises:
        UserError: if they are not there, or do not fit.
    """
    from nacbench.training.initial import take_initial, tensors_of

    init = job.config.init_from
    assert init is not None
    content = init.content(job.folder)
    writer = run_that_wrote(content)
    origin = f"run {writer}" if writer else Path(init.path or INITIAL).name
    taken = take_initial(net, tensors_of(content), init.head, f"{origin} (init_from)")
    if job.accelerator.is_main_process:
        write_bytes(job.folder / INITIAL, content)
        parts = [f"{taken.taken} tensors", *(f"{what}: {', '.join(names)}" for what, names in taken.besides() if names)]
        job.say(f"beginning with the weights of {origin}, digest {init.weights}: {'; '.join(parts)}")
    return Initial(digest=init.weights, origin=origin, taken=taken.taken, new=list(taken.new), left=list(taken.left))


def _refuse_changed_data(task: AnyTask, data_root: Path, expected: str) -> None:
    """Raise a UserError if data has changed between the run's identification and the reading of its examples.

    Another run may have been trained in between, for days; its examples would count under the old fingerprint.
    """
    if task.fingerprint(data_root) != expected:
        raise UserError(f"the data of {task.title} in {data_root} has changed since this run began; start it again")


def _score_trained(job: Job, path: KernelPath, trained: Trained, stop: StopRequest, claim: Claim | None) -> Done:
    """Evaluate the network of another run.

    Raises:
        BrokenFileError: if the weights are not those of that run.
    """
    from nacbench.nn.network import build_network, take_weights
    from nacbench.training.progress import Progress

    if claim is None:  # nothing is trained, so one process does all the work
        raise HelperDoneError(0)
    config = job.config
    task, base = config.task_plugin, config.training_task
    assert isinstance(task, EvaluationTask) and config.trained_on is not None  # ensured by `resolve`
    live = checked_live(task, "build_on", task.build_on(base, job.data_root, config.training), trains=False)
    _refuse_changed_data(task, job.data_root, job.identity.data)
    _refuse_changed_data(base, job.data_root, trained.record.data.fingerprint)
    net = build_network(base, live.spec, config.model_plugin, config.seed)
    weights = weights_of(trained.folder, trained.record)
    take_weights(net, weights, keep_head=task.keep_head, made_with=trained.record.environment.versions)
    net.to(job.accelerator.device).eval()
    _decide(path, job, net)
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
    kernels = [path.name] if path.name else []
    return Done(live, counted, inputs, config.training.batch_size, scored, trained.record.selection, kernels)


def _score(
    job: Job, live: ScoredTask, net: Any, claim: Claim, before_each: Any = lambda done, split: None
) -> dict[str, Evaluation]:
    """Evaluate all splits, write the predictions, and return the evaluations by split."""
    from nacbench.running.scoring import score_splits, write_predictions

    with job.accelerator.autocast():
        scored = score_splits(
            live,
            net,
            job.config.training.batch_size,
            job.folder / SCORES,
            job.identity.run_id,
            job.config.task_plugin.metric,
            before_each,
        )
    claim.check()
    write_predictions(job.folder / PREDICTIONS, scored)
    return scored


def _some_inputs(live: LiveTask, batch_size: int) -> Mapping[str, Tensor]:
    """Return the inputs of one training example, to count operations with."""
    count = min(batch_size, live.split_sizes["train"])
    return live.train_batches(count, 0)[0].part(0, count).inputs


def _begin_attempt(job: Job) -> str:
    """Write configuration and state before the run starts.

    Returns:
        The time of the first attempt, ISO 8601 in UTC.
    """
    before = read_state(job.folder)
    started = (before and before.started) or utc_now()
    write_state(job.folder, State(started=started, identity=job.identity.as_dict()))
    write_text(job.folder / CONFIG, job.config.as_yaml())
    (job.folder / FAILURE).unlink(missing_ok=True)  # of an earlier attempt: the run has not failed while it runs
    return started


def _cost(job: Job, done: Done, seconds: float) -> Cost:
    """Return the cost of the recorded network; ``seconds`` is the wall-clock time of this attempt."""
    import torch

    from nacbench.profiling.counting import count_parameters, forward_operations

    inputs = {name: tensor.to(job.accelerator.device) for name, tensor in done.inputs.items()}
    scoring = sum(float(evaluation.details["seconds"]) for evaluation in done.scored.values())
    operations = forward_operations(done.net, inputs)
    trainer = done.trainer
    train_seconds = trainer.status.train_seconds if trainer else 0.0
    return Cost(
        parameters=count_parameters(done.net),
        core_parameters=count_parameters(done.net.core),
        forward_flops=operations.per_example(done.batch),
        flops_once=operations.once,
        flops_batch=done.batch,
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
        hardware=Hardware(**describe(job.settings.device)),
        processes=job.accelerator.num_processes,
        compiled=bool(done.trainer and done.trainer.status.compiled),
        cuda_graphs=bool(done.trainer and done.trainer.captured),
        kernels=", ".join(done.kernels) or None,
        python=python,
        platform=system,
        versions=library_versions(),
        settings=recorded(),
        git_commit=commit,
        git_dirty=dirty,
    )
