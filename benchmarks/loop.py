"""What `nacbench run` costs beside the bare steps: data, evaluation, checkpoints, logging."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import torch
from common import Row

from nacbench.config import resolve
from nacbench.network import build_network
from nacbench.profiling.speed import time_side_by_side
from nacbench.registry import MODELS
from nacbench.results.record import RunRecord
from nacbench.training.execution import Execution, make_accelerator
from nacbench.training.interrupt import StopRequest
from nacbench.training.loop import Trainer
from nacbench.training.progress import Progress

ROUNDS, EPOCHS = 5, 2


def rows(data_root: Path, results: Path) -> Iterator[Row]:
    """All of them, on digits at `mini`: small images, so that whatever is not the network shows."""
    config = resolve(
        {"task": {"name": "digits"}, "model": {"name": "nac"}, "scale": "mini", "training": {"epochs": EPOCHS}}
    )
    task, recipe = config.build_task(), config.training
    task.prepare(data_root)
    live: Any = task.build(data_root, recipe)
    yield from _samples_per_second(config, live)
    yield from _data_path(config, live)
    yield from _shares_of_records(results)


def _trainer(config: Any, live: Any, folder: Path) -> Trainer:
    """As `nacbench run` makes it."""
    net = build_network(config.build_task(), live.spec, config.build_model(), config.seed)
    return Trainer(
        task=live,
        net=net,
        recipe=config.training,
        seed=0,
        metric="accuracy",
        folder=folder,
        run_id="benchmark",
        accelerator=make_accelerator("cpu", config.precision),
        execution=Execution(device="cpu", show_progress=False),
        stop=StopRequest(),
    )


def _samples_per_second(config: Any, live: Any) -> Iterator[Row]:
    """The whole of a training against its steps alone, in a for loop over batches that were made before."""
    shares = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            trainer = _trainer(config, live, Path(folder))
            total = trainer.total_steps
            batches = [live.train_batches(config.training.batch_size, 0)[step] for step in range(total)]
            bare = _bare(config, live, batches)
            trainer.train(Progress("benchmark", total, Path(folder) / "log.txt", show=False))
        shares.append(bare / trainer.status.train_seconds)
    yield Row(
        what="nacbench run: samples/s of its steps, data included, over those of a bare loop",
        reached=median(shares),
        goal=0.97,
        at_least=True,
        note=f"median of {ROUNDS} rounds of {total} steps, in turn",
    )


def _shares_of_records(results: Path) -> Iterator[Row]:
    """Of committed runs: all that is not a training step, the process's start and the test split included."""
    for file in sorted((results / "mini").rglob("record.json")):
        record = RunRecord.model_validate_json(file.read_text())
        cost = record.cost
        if record.model == "nac" and record.task in ("cifar10", "digits"):
            yield Row(
                what=f"{record.task} at mini: share of evaluation, checkpoints, logging and all else",
                reached=100 * (1 - cost.train_seconds / cost.total_seconds),
                goal=3.0,
                unit="%",
                note=f"{cost.total_seconds:.0f} s, from results/; {_validated(record)}",
            )


def _validated(record: RunRecord) -> str:
    count = record.data.splits.get("validation", 0)
    return (
        f"{count} validation examples after each epoch of {record.data.splits['train']:,}" if count else "no validation"
    )


def _bare(config: Any, live: Any, batches: list[Any]) -> float:
    """Seconds of the steps in a for loop: forward, backward, clipping, AdamW, average of the weights."""
    from nacbench.training.optim import learning_rate, make_average, make_optimizer

    recipe = config.training
    net = build_network(config.build_task(), live.spec, config.build_model(), config.seed).train()
    optimizer = make_optimizer(net, recipe)
    average = make_average(net, recipe.ema) if recipe.ema else None
    started = time.perf_counter()
    for step, batch in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(recipe, step, len(batches) // EPOCHS)
        with torch.autocast("cpu", torch.bfloat16, enabled=config.precision == "bf16"):
            loss = live.loss(net, batch)
        loss.backward()
        if recipe.clip_norm:
            torch.nn.utils.clip_grad_norm_(net.parameters(), recipe.clip_norm)
        optimizer.step()
        optimizer.zero_grad()
        if average is not None:
            average.update_parameters(net)
    return time.perf_counter() - started


def _data_path(config: Any, live: Any) -> Iterator[Row]:
    """Making a batch beside the step of the smallest model that takes it."""
    batches = live.train_batches(config.training.batch_size, 0)
    batch = batches[0]
    slowest = None
    for name in sorted(MODELS.load_all()[0]):
        model = MODELS.get(name).configured("model", "tiny", {})
        net = build_network(config.build_task(), live.spec, model, 0).train()

        def step(net: Any = net) -> None:
            live.loss(net, batch).backward()
            net.zero_grad()

        making, stepping = time_side_by_side([lambda: batches[1], step], "cpu", 5.0)
        ratio = stepping.seconds / making.seconds
        slowest = min(slowest or (ratio, name), (ratio, name))
    assert slowest is not None
    yield Row(
        what=f"data path of digits: batches/s over what the smallest model ({slowest[1]}, tiny) consumes",
        reached=slowest[0],
        goal=5.0,
        at_least=True,
        note="augmentation included, in the training process",
    )
