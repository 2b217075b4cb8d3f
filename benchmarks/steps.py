"""Benchmark: training steps and inference of NAC and Perceiver IO of the same widths, and of pruned circuits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import mean

import torch
from common import (
    FULL,
    SMALL,
    TINY_IMAGENET,
    Row,
    Setting,
    compiled_step,
    device,
    eager_step,
    inference,
    kinds,
    training_step,
)

from nacbench.nac.executor import NeuralAttentiveCircuit
from nacbench.profiling.timing import Timing, time_side_by_side
from nacbench.protocols.pruning import relative_drop, share_of
from nacbench.recording.read_record import read_record

BUDGET = 40.0  # seconds for each comparison
SHARES = (0.5, 0.2, 0.1, 0.05)


def rows(results: Path) -> Iterator[Row]:
    """Measure all settings in turn."""
    gpu = device() == "cuda"
    settings = [TINY_IMAGENET, FULL, SMALL] if gpu else [TINY_IMAGENET, SMALL]
    for setting in settings:
        goal = 1.5 if setting is SMALL else 1.1
        yield from _steps(setting, goal)
        if gpu:
            yield from _graphs(setting)
        # Batches that do not fill a GPU are launch-bound, and CUDA graphs remove the launches already
        if not gpu or setting is FULL:
            yield from _compiled(setting, goal)
    yield from _inference(TINY_IMAGENET, [1, TINY_IMAGENET.batch, *([FULL.batch] if gpu else [])])
    yield from _inference(SMALL, [1, SMALL.batch])
    yield from _pruned(TINY_IMAGENET)
    yield from _pruned_records(results)


def _steps(setting: Setting, goal: float) -> Iterator[Row]:
    torch.manual_seed(0)
    nac, perceiver = setting.circuit(), setting.baseline()
    for kind in kinds():
        things = [training_step(perceiver, setting, kind), training_step(nac, setting, kind)]
        ratio = time_side_by_side(things, device(), BUDGET)[1]
        yield Row(
            what=f"training step, {setting.name}, {kind}: NAC over Perceiver IO",
            reached=1 / ratio.ratio,
            goal=goal,
            note=_spread(ratio, inverse=True),
        )
    if len(kinds()) == 1:
        return
    things = [training_step(nac, setting, kind) for kind in kinds()]
    ratio = time_side_by_side(things, device(), BUDGET)[1]
    yield Row(
        what=f"training step, {setting.name}: bf16 faster than fp32",
        reached=ratio.ratio,
        goal=2.0,
        at_least=True,
        note=_spread(ratio),
    )


def _graphs(setting: Setting) -> Iterator[Row]:
    """Measure the speed-up of NAC's step by CUDA graphs."""
    torch.manual_seed(0)
    things = [make(setting.circuit(), setting, "bf16") for make in (eager_step, training_step)]
    ratio = time_side_by_side(things, device(), BUDGET)[1]
    yield Row(
        what=f"training step, {setting.name}, bf16: NAC as a CUDA graph faster than launched one by one",
        reached=ratio.ratio,
        note=f"{1e3 * ratio.seconds:.3g} ms; {_spread(ratio)}",
    )


def _compiled(setting: Setting, goal: float) -> Iterator[Row]:
    """Measure training steps under torch.compile; compiling takes two minutes in all."""
    torch.manual_seed(0)
    kind = kinds()[-1]
    things = [
        training_step(setting.baseline(), setting, kind),
        *(compiled_step(core, setting, kind) for core in (setting.baseline(), setting.circuit())),
    ]
    _, perceiver, nac = time_side_by_side(things, device(), BUDGET)
    torch.compiler.reset()
    yield Row(
        what=f"training step, {setting.name}, {kind}: NAC compiled over Perceiver IO",
        reached=1 / nac.ratio,
        goal=goal,
        note=_spread(nac, inverse=True),
    )
    yield Row(
        what=f"training step, {setting.name}, {kind}: Perceiver IO compiled over Perceiver IO",
        reached=1 / perceiver.ratio,
        note=_spread(perceiver, inverse=True),
    )


def _inference(setting: Setting, batches: list[int]) -> Iterator[Row]:
    torch.manual_seed(0)
    nac, perceiver = setting.circuit(), setting.baseline()
    kind = kinds()[-1]
    for batch in batches:
        things = [inference(core, setting, kind, batch) for core in (perceiver, nac)]
        ratio = time_side_by_side(things, device(), BUDGET / 2)[1]
        yield Row(
            what=f"inference, {setting.name}, {kind}, batch {batch}: NAC over Perceiver IO",
            reached=1 / ratio.ratio,
            goal=1.05,
            note=_spread(ratio, inverse=True),
        )


def _pruned(setting: Setting) -> Iterator[Row]:
    """Measure the speed-up of inference by pruning modules (the loss of accuracy is in `_pruned_records`)."""
    torch.manual_seed(0)
    whole = setting.circuit()
    assert isinstance(whole, NeuralAttentiveCircuit)
    for share in SHARES:
        kept = whole.kept(torch.arange(round(share * whole.module_count)))
        things = [inference(core, setting, kinds()[-1]) for core in (whole, kept)]
        ratio = time_side_by_side(things, device(), BUDGET / 4)[1]
        yield Row(
            what=f"inference, {setting.name}, {kinds()[-1]}: {100 * share:g} % of the modules faster than all",
            reached=ratio.ratio,
            note=_spread(ratio),
        )


def _pruned_records(results: Path) -> Iterator[Row]:
    """Report, from committed runs, the largest speed-up by pruning at a mean relative loss under 3 % over seeds."""
    found: dict[tuple[str, int, float], dict[float, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for file in sorted(results.rglob("record.json")):
        record = read_record(file)
        if record.protocol != "pruned":
            continue
        model = record.identity["config"]["model"]
        group = record.task, int(model["modules"]), float(model["module_dropout"])
        for split in (name for name in record.measured if name.startswith("kept/")):
            drop = relative_drop(record.metrics["kept/100"]["accuracy"], record.metrics[split]["accuracy"])
            found[group][share_of(split)].append((record.measured[split]["speedup"], drop))
    for (task, modules, dropout), shares in found.items():
        means = [(*map(mean, zip(*runs, strict=True)), share, len(runs)) for share, runs in shares.items()]
        speed, drop, share, seeds = max(item for item in means if item[1] < 0.03)
        yield Row(
            what=f"{task}, {modules} modules, drop-out {dropout:g}: speed-up under 3 % loss",
            reached=speed,
            goal=8.0,
            at_least=True,
            note=f"{100 * share:g} % kept, loss {100 * drop:.1f} %, mean of {seeds} seeds, from results/",
        )


def _spread(timing: Timing, *, inverse: bool = False) -> str:
    low, high = (1 / timing.high, 1 / timing.low) if inverse else (timing.low, timing.high)
    return f"quartiles {low:.2f} to {high:.2f}, {timing.rounds} rounds"
