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
from nacbench.files import whole_file, write_json, write_text
from nacbench.hardware import describe, peak_memory
from nacbench.identity import Identity
from nacbench.model import Model
from nacbench.results.record import FAILURE, RECORD, Cost, Data, Environment, Failure, RunRecord
from nacbench.results.record import Selection as SelectionRecord
from nacbench.results.store import (
    CONFIG,
    LOG,
    PREDICTIONS,
    WEIGHTS,
    finished,
    read_state,
    run_folder,
    set_aside,
    sole_process,
    write_state,
)
from nacbench.task import LiveTask, Task

if TYPE_CHECKING:
    import numpy as np
    from accelerate import Accelerator

    from nacbench.network import Network
    from nacbench.training.execution import Execution
    from nacbench.training.loop import Trainer


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
    task = config.build_task()
    task.prepare(data_root)
    return Identity.of(config, task.fingerprint(data_root))


def run(
    config: RunConfig,
    *,
    store: Path,
    data_root: Path,
    execution: "Callable[[], Execution]",
    force: bool = False,
) -> Outcome:
    """Do a run, or go on with one that was interrupted, unless it is done already.

    Args:
        config: what to compute.
        store: folder of runs.
        data_root: mirror of data sets.
        execution: gives device, workers and the like; asked only if there is something to compute.
        force: compute again what is done; the old run is kept in ``.replaced`` beside it.

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
    task, model = config.build_task(), config.build_model()
    reason = model.unsupported(task.spec())
    if reason:
        _leave_failure(folder, config, identity, "skipped", reason)
        raise RunSkippedError(f"{config.model.name} cannot do {config.task.name}: {reason}")
    if force:
        set_aside(folder)
    settings = execution()
    from nacbench.training.execution import make_accelerator

    accelerator = make_accelerator(settings.device, config.precision)
    if not accelerator.is_main_process:  # all processes compute, one holds the folder and writes
        return _compute(config, identity, task, model, folder, data_root, settings, accelerator)
    with sole_process(folder):
        try:
            return _compute(config, identity, task, model, folder, data_root, settings, accelerator)
        except (UserError, KeyboardInterrupt, SystemExit):
            raise
        except Exception as error:
            from nacbench.training.interrupt import Interrupted

            if not isinstance(error, Interrupted):
                reason = f"{type(error).__name__}: {error}"
                _leave_failure(folder, config, identity, "failed", reason, traceback.format_exc())
            raise


def _compute(
    config: RunConfig,
    identity: Identity,
    task: Task,
    model: Model,
    folder: Path,
    data_root: Path,
    settings: "Execution",
    accelerator: "Accelerator",
) -> Outcome:
    from nacbench.network import build_network
    from nacbench.training.checkpoint import module_tensors, save_tensors
    from nacbench.training.interrupt import stop_on_signals
    from nacbench.training.loop import Trainer
    from nacbench.training.progress import Progress

    begun = time.monotonic()
    state = _begin_attempt(folder, config, identity) if accelerator.is_main_process else {}
    live = task.build(data_root, config.training)
    net = build_network(task, live.spec, model, config.seed)
    title = f"{config.task.name} · {config.model.name} · seed {config.seed}"
    with stop_on_signals() as stop:
        trainer = Trainer(
            task=live,
            net=net,
            recipe=config.training,
            seed=config.seed,
            metric=task.metric,
            folder=folder,
            run_id=identity.run_id,
            accelerator=accelerator,
            execution=settings,
            stop=stop,
        )
        show = settings.show_progress and accelerator.is_main_process
        progress = Progress(title, trainer.total_steps, folder / LOG, show=show)
        try:
            best = trainer.train(progress)
        finally:
            progress.close()
    if not accelerator.is_main_process:
        accelerator.wait_for_everyone()
        raise SystemExit(0)
    metrics, predictions, seconds = _score(trainer, live, best)
    _write_predictions(folder / PREDICTIONS, predictions)
    save_tensors(folder / WEIGHTS, module_tensors("model", best), {"run_id": identity.run_id})
    trainer.status.evaluate_seconds += seconds
    record = RunRecord(
        run_id=identity.run_id,
        task=config.task.name,
        model=config.model.name,
        size=config.model.size,
        scale=config.scale,
        seed=config.seed,
        precision=config.precision,
        metric=task.metric,
        metrics=metrics,
        selection=SelectionRecord(**trainer.selection()),
        data=Data(
            fingerprint=identity.data,
            splits=dict(live.split_sizes),
            classes=live.spec.classes,
            modality=live.spec.modality,
            notes=list(live.notes),
        ),
        cost=_cost(trainer, live, net, settings, time.monotonic() - begun),
        environment=_environment(settings, accelerator),
        identity=identity.model_dump(),
        attempts=state["attempts"],
        started=state["started"],
        finished=_now(),
    )
    write_json(folder / RECORD, record.model_dump(mode="json"))
    (folder / FAILURE).unlink(missing_ok=True)
    trainer.discard()
    accelerator.wait_for_everyone()
    return Outcome(record, folder, False)


def _begin_attempt(folder: Path, config: RunConfig, identity: Identity) -> dict[str, Any]:
    """Write what is known of the run before it starts, and count the attempt."""
    state = read_state(folder)
    state = {
        "attempts": int(state.get("attempts", 0)) + 1,
        "started": state.get("started", _now()),
        "identity": identity.model_dump(),
    }
    write_state(folder, state)
    write_text(folder / CONFIG, config.as_yaml())
    (folder / FAILURE).unlink(missing_ok=True)
    return state


def _score(
    trainer: "Trainer", live: LiveTask, net: Any
) -> tuple[dict[str, dict[str, float]], "dict[str, Mapping[str, np.ndarray]]", float]:
    """Metrics and predictions on every split that is not for training: here, and only here, the test split is read."""
    import torch

    started = time.monotonic()
    metrics, predictions = {}, {}
    for split in live.split_sizes:
        if split == "train":
            continue
        with torch.inference_mode(), trainer.accelerator.autocast():
            outcome = live.evaluate(net, split, trainer.recipe.batch_size)
        metrics[split] = dict(outcome.metrics)
        predictions[split] = outcome.predictions
    return metrics, predictions, time.monotonic() - started


def _write_predictions(path: Path, predictions: "dict[str, Mapping[str, np.ndarray]]") -> None:
    """One row an example of every scored split, whole."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = []
    for split, columns in predictions.items():
        arrays = {"split": pa.array([split] * len(columns["index"])).dictionary_encode()}
        for name, values in columns.items():
            values = np.ascontiguousarray(values)
            flat = pa.array(values.reshape(-1))
            arrays[name] = flat if values.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
        tables.append(pa.table(arrays))
    with whole_file(path) as aside:
        pq.write_table(pa.concat_tables(tables).unify_dictionaries(), aside, compression="zstd")


def _cost(trainer: "Trainer", live: LiveTask, net: "Network", settings: "Execution", seconds: float) -> Cost:
    import torch

    from nacbench.profiling.cost import count_parameters, forward_flops

    batch = live.train_batches(trainer.recipe.batch_size, 0)[0].part(0, trainer.recipe.batch_size)
    inputs = batch.to(trainer.accelerator.device).inputs
    on_gpu = settings.device == "cuda"
    status = trainer.status
    return Cost(
        parameters=count_parameters(net),
        core_parameters=count_parameters(net.core),
        forward_flops=forward_flops(net, inputs),
        flops_input={name: list(tensor.shape) for name, tensor in inputs.items()},
        train_seconds=round(status.train_seconds, 3),
        evaluate_seconds=round(status.evaluate_seconds, 3),
        total_seconds=round(seconds, 3),
        examples_per_second=round(trainer.total_steps * trainer.recipe.batch_size / status.train_seconds, 1),
        peak_memory_bytes=torch.cuda.max_memory_allocated() if on_gpu else peak_memory(),
    )


def _environment(settings: "Execution", accelerator: "Accelerator") -> Environment:
    python, system = python_and_platform()
    commit, dirty = git_state()
    return Environment(
        hardware=describe(settings.device),
        processes=accelerator.num_processes,
        compiled=settings.compile,
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
