"""Benchmark of scaling: time, memory and FLOPs of a circuit by number of tokens and number of modules."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import torch
from common import SMALL, Row, Work, device, eager_step, inference, tokens_for, training_step

from nacbench.profiling.peak_memory import peak_during
from nacbench.profiling.timing import time_side_by_side
from nacbench.registry import MODELS

TOKENS = (1024, 2048, 4096, 8192, 16384)
MODULES = (40, 80, 160, 320, 640)
BATCH = 2


def rows() -> Iterator[Row]:
    """Measure both kinds of growth."""
    yield from _tokens()
    yield from _modules()


def _tokens() -> Iterator[Row]:
    """Fit the exponents of time and memory in the number of tokens: 1 is linear, less means a constant part."""
    # Memory is that of an eager step, since a CUDA graph's memory is allocated before it runs
    for what, make, eager in (("inference", inference, inference), ("training step", training_step, eager_step)):
        seconds, peaks = [], []
        for count in TOKENS:
            setting = dataclasses.replace(SMALL, batch=BATCH, tokens=count)
            torch.manual_seed(0)
            core = setting.circuit()
            seconds.append(time_side_by_side([make(core, setting, "fp32")], device(), 5.0)[0].seconds)
            peaks.append(_peak(eager(core, setting, "fp32"), [*core.parameters(), tokens_for(setting)]))
        for quantity, values in (("time", seconds), ("memory", peaks)):
            slope = float(np.polyfit(np.log(TOKENS), np.log(values), 1)[0])
            told = ", ".join(f"{value:.3f} s" if quantity == "time" else f"{value / 1e6:.0f} MB" for value in values)
            yield Row(
                what=f"{what}: exponent of {quantity} in tokens",
                reached=slope,
                goal=1.05,
                unit="",
                note=f"{TOKENS[0]:,} to {TOKENS[-1]:,} tokens, doubled: {told}",
            )


def _peak(work: Work, held: list[torch.Tensor]) -> float:
    if device() == "cuda":
        torch.cuda.reset_peak_memory_stats()
        work()
        return float(torch.cuda.max_memory_allocated())
    return float(peak_during(work, held))


def _modules() -> Iterator[Row]:
    """Fit the quadratic term in U of the FLOP formula; only attention and links may contribute to it."""
    spec = SMALL.spec()
    model = MODELS.get("nac")
    options = {**SMALL.nac, "prior": "none"}

    def flops(modules: int) -> int:
        sized = model.configured("model", "paper", {**options, "modules": modules})
        found = sized.operations(spec, spec.max_tokens)
        assert found is not None
        return found.forward(1)

    squared = float(np.polyfit(MODULES, [flops(u) for u in MODULES], 2)[0])
    width = SMALL.nac["heads"] * SMALL.nac["head_dim"]
    attention = SMALL.nac["depth"] * 4 * width + 2 * SMALL.nac["signature_dim"]
    yield Row(
        what="operations: the part that is quadratic in modules, over that of attention and links",
        reached=squared / attention,
        goal=1.001,
        unit="",
        note=f"{MODULES[0]} to {MODULES[-1]} modules",
    )
