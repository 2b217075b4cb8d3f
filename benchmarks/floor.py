"""Where a training step's time goes, and how far it is from what the machine's arithmetic and memory allow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import torch
from common import TINY_IMAGENET, Row, device, training_step
from torch.profiler import ProfilerActivity, profile

from nacbench.profiling.speed import time_side_by_side
from nacbench.registry import MODELS

KINDS = {  # of operations, by how their names begin
    "matrix products": ("aten::mm", "aten::addmm", "aten::bmm", "aten::_scaled_dot"),
    "gelu": ("aten::gelu",),
    "products and sums by element": ("aten::mul", "aten::add", "aten::sum", "aten::div"),
    "copies and casts": ("aten::copy_", "aten::cat", "aten::_to_copy"),
    "softmax": ("aten::_softmax",),
    "layer norm": ("aten::native_layer_norm",),
    "noise and links": ("aten::uniform_", "aten::rand", "aten::logit", "aten::log_sigmoid", "aten::exp"),
    "optimiser": ("aten::_fused_adamw",),
}


def rows() -> Iterator[Row]:
    """The step of Tiny-ImageNet's setting in either precision, and its parts."""
    setting = TINY_IMAGENET
    model = MODELS.get("nac").configured("model", "paper", {"prior": "none"})
    operations = model.operations(setting.spec(), setting.tokens)
    assert operations is not None
    flops = operations.forward(setting.batch) + operations.backward(setting.batch)
    bandwidth = _bandwidth()
    for kind in ("fp32", "bf16"):
        torch.manual_seed(0)
        core = setting.circuit()
        parameters = sum(p.numel() for p in core.parameters())
        work = training_step(core, setting, kind)
        seconds = time_side_by_side([work], device(), 30.0)[0].seconds
        rate = _matmul_rate(kind)
        # weights are read twice; gradients written, then read with weights and both moments, which are written again
        optimiser = 4 * parameters * (2 + 1 + 4 + 3)
        floor = flops / rate + optimiser / bandwidth
        yield Row(
            what=f"training step, {setting.name}, {kind}: share of the time that its floor takes",
            reached=100 * floor / seconds,
            unit="%",
            note=f"{1e3 * seconds:.0f} ms; {flops / 1e9:.0f} G operations at {rate / 1e9:.0f} G/s as measured, "
            f"{optimiser / 1e6:.0f} MB of weights and moments at {bandwidth / 1e9:.1f} GB/s",
        )
        for name, share in _parts(work).items():
            yield Row(what=f"  of which {name}, {kind}", reached=100 * share, unit="%")


def _matmul_rate(kind: str) -> float:
    """Operations a second of the step's most common large product: all states through the feed-forward layer."""
    setting = TINY_IMAGENET
    dtype = torch.bfloat16 if kind == "bf16" else torch.float32
    rows, inner, columns = setting.batch * 320, 384, 3072
    x = torch.randn(rows, inner, dtype=dtype, device=device())
    weight = torch.randn(columns, inner, dtype=dtype, device=device())
    seconds = time_side_by_side([lambda: torch.nn.functional.linear(x, weight)], device(), 3.0)[0].fast
    return 2 * rows * inner * columns / seconds


def _bandwidth() -> float:
    """Bytes a second of a copy that no cache holds, read and written."""
    source = torch.randn(64 * 2**20, device=device())
    target = torch.empty_like(source)
    seconds = time_side_by_side([lambda: target.copy_(source)], device(), 3.0)[0].fast
    return 2 * 4 * source.numel() / seconds


def _parts(work: Any) -> dict[str, float]:
    """Shares of the time that torch's profiler sees in each kind of operation."""
    activities = [ProfilerActivity.CUDA if device() == "cuda" else ProfilerActivity.CPU]
    with profile(activities=activities) as found:
        for _ in range(3):
            work()
    times: dict[str, float] = defaultdict(float)
    for event in found.key_averages():
        own = event.self_device_time_total if device() == "cuda" else event.self_cpu_time_total
        name = next((kind for kind, starts in KINDS.items() if event.key.startswith(starts)), "everything else")
        times[name] += own
    total = sum(times.values())
    return {name: spent / total for name, spent in sorted(times.items(), key=lambda item: -item[1])}
