"""Load the trained network of a finished run; save and load pruned copies of it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacbench.contracts.task import Task
from nacbench.errors import BrokenFileError, UserError
from nacbench.filesystem.files import write_text
from nacbench.inspection.exported import is_exported, read_exported
from nacbench.recording.record import RunRecord
from nacbench.recording.store import CONFIG, WEIGHTS, finished
from nacbench.running.config import RunConfig
from nacbench.running.resolve import read_yaml, resolve
from nacbench.running.weights import weights_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nacbench.nn.network import Network

SMALLER = "model.safetensors"


@dataclass(frozen=True)
class TrainedRun:
    """A finished run with its trained network."""

    record: RunRecord
    config: RunConfig
    task: Task
    net: Network


def load_run(folder: Path | str) -> TrainedRun:
    """Load the final network of a run, or of one that was exported for the hub, in evaluation mode, on the CPU.

    Raises:
        UserError: if the folder has no finished run, its weights are missing or not those that the run wrote, or it
            used another run's network.
    """
    from nacbench.nn.network import take_weights

    folder = Path(folder)
    if is_exported(folder):
        return _from_export(folder)
    record = finished(folder)
    if record is None:
        raise UserError(f"{folder} holds no finished run (no record.json)")
    if record.trained_on is not None:
        raise UserError(f"run {record.run_id} has the network of run {record.trained_on.run_id}; name that one")
    if not (folder / WEIGHTS).exists():
        raise UserError(f"{folder / WEIGHTS} is missing: the run was copied without its weights; copy them, too")
    config = resolve(record.identity["config"])
    net = untrained(config, record.data.classes)
    weights = weights_of(folder, record)
    take_weights(net, weights, keep_head=True, made_with=record.environment.versions)
    return TrainedRun(record, config, config.training_task, net.eval())


def _from_export(folder: Path) -> TrainedRun:
    from nacbench.training.initial import check_fit

    record, config, weights = read_exported(folder)
    net = untrained(config, record.data.classes)
    check_fit(net.state_dict(), weights, folder)
    net.load_state_dict(weights)
    return TrainedRun(record, config, config.training_task, net.eval())


def save_smaller(run: TrainedRun, modules: Sequence[int], folder: Path | str) -> Network:
    """Prune a run's network to some of its modules, and save it with the configuration that it was trained with.

    Args:
        run: its network must be `nacbench.contracts.model.Prunable`.
        modules: indices of the modules to keep.
        folder: receives ``model.safetensors`` and ``config.yaml``.

    Returns:
        The pruned network.
    """
    from nacbench.training.checkpoint import module_tensors, save_tensors

    small, folder = _smaller(run.net, modules), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / CONFIG, run.config.as_yaml())
    meta = {"run_id": run.record.run_id, "classes": run.record.data.classes, "modules": list(modules)}
    save_tensors(folder / SMALLER, module_tensors("model", small), meta)
    return small


def load_smaller(folder: Path | str) -> Network:
    """Load a network that `save_smaller` wrote, in evaluation mode, on the CPU.

    Raises:
        UserError: if the folder has no such network, or it is damaged.
    """
    from nacbench.training.checkpoint import load_module, load_tensors

    folder = Path(folder)
    tensors, meta = load_tensors(folder / SMALLER)
    if "modules" not in meta:
        raise BrokenFileError(
            f"{folder / SMALLER} is not a pruned network (no list of modules in its metadata); write it with "
            "`nacbench prune`"
        )
    net = _smaller(untrained(resolve(read_yaml(folder / CONFIG)), meta["classes"]), meta["modules"])
    load_module(net, "model", tensors)
    return net


def untrained(config: RunConfig, classes: int) -> Network:
    """Return a run's network before training, with as many classes as its data had."""
    from nacbench.nn.network import build_network

    task, model = config.training_task, config.model_plugin
    spec = dataclasses.replace(task.spec(), classes=classes)
    return build_network(task, spec, model, config.seed)


def before_training(run: TrainedRun) -> TrainedRun:
    """Return a run with its network before training, with the initial weights of its seed, in evaluation mode."""
    return dataclasses.replace(run, net=untrained(run.config, run.record.data.classes).eval())


def _smaller(net: Network, modules: Sequence[int]) -> Network:
    import torch

    core: Any = net.core
    return net.with_core(core.kept(torch.tensor(modules))).eval()
