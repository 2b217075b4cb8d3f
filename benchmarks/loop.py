"""Benchmark of the training loop: overhead of `nacbench run` (data, evaluation, checkpoints, logs) over bare steps."""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import torch
from common import Row, device, gradients_of, precision

from nacbench.contracts.metric import ACCURACY
from nacbench.contracts.model import spec_for
from nacbench.contracts.spec import Batch
from nacbench.nn.kernels import kernels_with_gradients
from nacbench.nn.network import build_network
from nacbench.profiling.timing import time_side_by_side
from nacbench.recording.read_record import read_record
from nacbench.recording.record import RunRecord
from nacbench.registry import MODELS
from nacbench.running.resolve import resolve
from nacbench.training.execution import Execution, default_workers, make_accelerator
from nacbench.training.interrupt import StopRequest
from nacbench.training.loop import Trainer
from nacbench.training.progress import Progress

# On a GPU a run starts data-loader processes, which takes as long as an epoch of digits
ROUNDS, EPOCHS = (3, 10) if device() == "cuda" else (10, 1)


def rows(data_root: Path, results: Path) -> Iterator[Row]:
    """Measure on digits at `mini`: with its small images and network, overhead is most visible."""
    config = resolve(
        {
            "task": {"name": "digits"},
            "model": {"name": "nac"},
            "scale": "mini",
            "training": {"epochs": EPOCHS, "warmup_epochs": 0.5},
        }
    )
    task, recipe = config.training_task, config.training
    task.prepare(data_root)
    live: Any = task.build(data_root, recipe)
    yield from _samples_per_second(config, live)
    yield from _data_path(config, live)
    yield from _shares_of_records(results)


def _trainer(config: Any, live: Any, folder: Path) -> Trainer:
    """Return a trainer as in `nacbench run`."""
    net = build_network(config.training_task, live.spec, config.model_plugin, config.seed)
    return Trainer(
        task=live,
        net=net,
        recipe=config.training,
        seed=0,
        metric=ACCURACY,
        folder=folder,
        run_id="benchmark",
        accelerator=make_accelerator(device(), config.precision),
        execution=Execution(device=device(), workers=default_workers(device()), show_progress=False),
        stop=StopRequest(),
    )


def _samples_per_second(config: Any, live: Any) -> Iterator[Row]:
    """Compare training epochs with the same number of bare steps on batches that were prepared before."""
    steps = EPOCHS * len(live.train_batches(config.training.batch_size, 0))
    batches = [live.train_batches(config.training.batch_size, 0)[step].to(device()) for step in range(steps)]
    bare = _bare(config, live, batches)
    shares = []
    for _ in range(1 + ROUNDS):
        before = bare()
        trained = _trained(config, live)
        after = bare()  # before and after, since the machine's speed drifts
        shares.append((before + after) / 2 / trained)
    low, middle, high = quantiles(shares[1:], n=4)
    yield Row(
        what="nacbench run: samples/s of its steps, data included, over those of a bare loop",
        reached=middle,
        goal=0.97,
        at_least=True,
        note=f"quartiles {low:.2f} to {high:.2f}, {ROUNDS} rounds of {steps} steps, each between two bare ones",
    )


def _trained(config: Any, live: Any) -> float:
    """Return the time in seconds of a training's steps, without evaluation and checkpoints."""
    with tempfile.TemporaryDirectory() as folder:  # a checkpoint that it finds would be resumed
        trainer = _trainer(config, live, Path(folder))
        trainer.train(Progress("benchmark", trainer.total_steps, Path(folder) / "log.txt", show=False))
    return trainer.status.train_seconds


def _shares_of_records(results: Path) -> Iterator[Row]:
    """Report the share of committed runs' time outside training steps, including process start and test scoring."""
    found: dict[str, list[RunRecord]] = defaultdict(list)
    for file in sorted((results / "mini").rglob("record.json")):
        record = read_record(file)
        if record.model == "nac" and record.task in ("cifar10", "digits"):
            found[record.task].append(record)
    for task, records in found.items():
        shares = [100 * (1 - record.cost.train_seconds / record.cost.total_seconds) for record in records]
        seconds = [record.cost.total_seconds for record in records]
        yield Row(
            what=f"{task} at mini: share of evaluation, checkpoints, logging and all else",
            reached=median(shares),
            goal=3.0,
            unit="%",
            note=f"median of {len(shares)} runs of {min(seconds):.0f} to {max(seconds):.0f} s, from results/; "
            + _validated(records[0]),
        )


def _validated(record: RunRecord) -> str:
    count = record.data.splits.get("validation", 0)
    if not count:
        return "no validation"
    every = record.identity["config"]["training"]["evaluate_every"]
    epochs = f"{every} epochs" if every > 1 else "epoch"
    return f"{count} validation examples after every {epochs} of {record.data.splits['train']:,}"


def _bare(config: Any, live: Any, batches: list[Any]) -> Callable[[], float]:
    """Return a function that times bare steps in a for loop: forward, backward, clipping, AdamW, weight averaging."""
    from nacbench.training.optim import AveragedWeights, learning_rate, make_optimizer

    recipe = config.training
    net = build_network(config.training_task, live.spec, config.model_plugin, config.seed).to(device()).train()
    optimizer = make_optimizer(net, recipe)
    average = AveragedWeights(net, recipe.ema, flat=optimizer.flat) if recipe.ema else None

    def loss_of(batch: Batch) -> torch.Tensor:
        with precision(config.precision), kernels_with_gradients(device(), live.spec.joined().max_tokens):
            return live.loss(net, batch)

    gradients = gradients_of(net, loss_of)

    def loop() -> float:
        started = time.perf_counter()
        for step, batch in enumerate(batches):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(recipe, step, len(batches))
            gradients(batch)
            if recipe.clip_norm:
                optimizer.clip(recipe.clip_norm)
            optimizer.step()
            optimizer.zero_grad()
            if average is not None:
                average.update_parameters(net)
        if device() == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started

    return loop


def _data_path(config: Any, live: Any) -> Iterator[Row]:
    """Compare the time to prepare a batch with the training step of the fastest model."""
    batches = live.train_batches(config.training.batch_size, 0)
    batch = batches[0].to(device())
    least = None
    for name, kind in sorted(MODELS.load_all()[0].items()):
        model = kind.configured("model", "tiny", {})
        if name.startswith("floor-") or kind.missing() or model.unsupported(spec_for(model, live.spec)):
            continue
        net = build_network(config.training_task, live.spec, model, 0).to(device()).train()

        def step(net: Any = net) -> None:
            live.loss(net, batch).backward()
            net.zero_grad()

        making, stepping = time_side_by_side([lambda: batches[1], step], device(), 5.0)
        ratio = stepping.seconds / making.seconds
        least = min(least or (ratio, name), (ratio, name))
    assert least is not None
    yield Row(
        what=f"data path of digits: batches/s over what the smallest model ({least[1]}, tiny) consumes",
        reached=least[0],
        goal=5.0,
        at_least=True,
        note="augmentation included, in the training process",
    )
