"""Benchmark: where a training step's time goes, compared with the machine's arithmetic rate and memory bandwidth."""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import torch
from common import FULL, TINY_IMAGENET, Row, Setting, Work, compiled_step, device, eager_step, kinds, training_step
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode

from nacbench.profiling.timing import time_side_by_side
from nacbench.registry import MODELS

BY_OPERATION = {  # on a CPU, by prefix of PyTorch's operation names
    "matrix products": ("aten::mm", "aten::addmm", "aten::bmm", "aten::_scaled_dot"),
    "gelu": ("aten::gelu",),
    "products and sums by element": ("aten::mul", "aten::add", "aten::sum", "aten::div"),
    "copies and casts": ("aten::copy_", "aten::cat", "aten::_to_copy"),
    "softmax": ("aten::_softmax",),
    "layer norm": ("aten::native_layer_norm",),
    "noise and links": ("aten::uniform_", "aten::rand", "aten::logit", "aten::log_sigmoid", "aten::exp"),
    "optimiser": ("aten::_fused_adamw",),
}
BY_KERNEL = {  # on a GPU, by substring of the kernel names; the first match counts, so the order matters
    "attention": ("fmha", "flash", "attention"),
    "matrix products": ("gemm", "nvjet", "cutlass", "cublas", "splitK"),
    "optimiser": ("multi_tensor_apply", "FusedAdam"),
    "passes that torch.compile fused": ("triton_",),
    "gelu": ("Gelu",),
    "softmax": ("softmax", "SoftMax"),
    "layer norm": ("layer_norm", "LayerNorm", "GammaBeta"),
    "sums": ("reduce_kernel",),
    "copies": ("copy", "Memcpy", "CatArray"),
    "products and sums by element": ("elementwise",),
}
# A matrix product: the operation, and shape, stride and dtype of each operand
Product = tuple[Any, tuple[tuple[tuple[int, ...], tuple[int, ...], torch.dtype], ...]]


def rows() -> Iterator[Row]:
    """Measure the training step of Tiny-ImageNet's setting in both precisions, on a GPU also compiled."""
    bandwidth = _bandwidth()
    for kind in kinds():
        yield from _step(TINY_IMAGENET, kind, "", training_step, bandwidth)
    if device() == "cuda":
        yield from _step(FULL, "bf16", "", training_step, bandwidth)
        yield from _step(FULL, "bf16", ", compiled", compiled_step, bandwidth)
        torch.compiler.reset()


def _step(
    setting: Setting, kind: str, how: str, make: Callable[[Any, Setting, str], Work], bandwidth: float
) -> Iterator[Row]:
    torch.manual_seed(0)
    core = setting.circuit()
    parameters = sum(p.numel() for p in core.parameters())
    alone, count = _products_alone(eager_step(core, setting, kind))
    work = make(core, setting, kind)
    seconds = time_side_by_side([work], device(), 30.0 if device() == "cpu" else 3.0)[0].seconds
    flops, rate = _operations(setting), _matmul_rate(setting, kind)
    # Bytes in float32. Forward and backward read the weights (2) and write gradients (1); AdamW reads weights,
    # gradients and both moments (4), and writes weights and moments (3)
    optimiser = 4 * parameters * (2 + 1 + 4 + 3)
    step = f"{setting.name}, {kind}{how}"
    yield Row(
        what=f"training step, {step}: share of the time that its floor takes",
        reached=100 * (flops / rate + optimiser / bandwidth) / seconds,
        unit="%",
        note=f"{1e3 * seconds:.3g} ms; {flops / 1e9:.0f} G operations at {rate / 1e9:.0f} G/s as measured, "
        f"{optimiser / 1e6:.0f} MB of weights and moments at {bandwidth / 1e9:.1f} GB/s",
    )
    yield Row(
        what=f"training step, {step}: share of the time that its matrix products take alone",
        reached=100 * alone / seconds,
        goal=60.0 if device() == "cuda" and how else None,
        at_least=True,
        unit="%",
        note=f"{count} products, each at the measured rate of its shape: {1e3 * alone:.3g} ms",
    )
    for name, share in _parts(work).items():
        yield Row(what=f"  of which {name}, {step}", reached=100 * share, unit="%")


def _operations(setting: Setting) -> int:
    """Return the FLOPs of a training step by NAC's formula."""
    model = MODELS.get("nac").configured("model", "paper", {"prior": "none"})
    operations = model.operations(setting.spec(), setting.tokens)
    assert operations is not None
    return operations.forward(setting.batch) + operations.backward(setting.batch)


class _Products(TorchDispatchMode):
    """Records every matrix product that is computed."""

    KINDS = (torch.ops.aten.mm.default, torch.ops.aten.addmm.default, torch.ops.aten.bmm.default)

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: Counter[Product] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in self.KINDS:
            self.found[func, tuple((x.shape, x.stride(), x.dtype) for x in args if torch.is_tensor(x))] += 1
        return func(*args, **(kwargs or {}))


def _products_alone(work: Work) -> tuple[float, int]:
    """Return the time in seconds that the matrix products of an eager step take alone, and their number.

    Attention runs by the math backend here, so that its matrix products are recorded.
    """
    before = torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed()
    torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(True)  # without it the math backend computes in float32
    with sdpa_kernel(SDPBackend.MATH), _Products() as seen:
        work()
    torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(before)
    return sum(count * _alone(*product) for product, count in seen.found.items()), seen.found.total()


@functools.cache
def _alone(operation: Any, operands: Any, budget: float = 0.2) -> float:
    """Return the time in seconds of one product with such operands (lower quartile).

    On a GPU twenty of them are in one CUDA graph, so that launches are not what is measured.
    """
    made = [_drawn(*operand) for operand in operands]
    if device() == "cpu":
        return time_side_by_side([lambda: operation(*made)], "cpu", budget)[0].fast
    operation(*made)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(20):
            operation(*made)
    return time_side_by_side([graph.replay], device(), budget)[0].fast / 20


def _drawn(shape: tuple[int, ...], stride: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """Return a random tensor of this shape, stride and dtype; contiguous if a stride is 0 (an expanded tensor)."""
    settings: dict[str, Any] = {"dtype": dtype, "device": device()}
    return (torch.empty(shape, **settings) if 0 in stride else torch.empty_strided(shape, stride, **settings)).normal_()


def _matmul_rate(setting: Setting, kind: str) -> float:
    """Return the FLOP/s of the step's most common large product: all states through the feed-forward layer."""
    dtype = torch.bfloat16 if kind == "bf16" else torch.float32
    rows, inner, columns = setting.batch * 320, 384, 3072
    shapes = ((rows, inner), (inner, 1)), ((inner, columns), (1, inner))
    product = torch.ops.aten.mm.default, tuple((*shape, dtype) for shape in shapes)
    return 2 * rows * inner * columns / _alone(*product, budget=3.0)


def _bandwidth() -> float:
    """Return the memory bandwidth in bytes/s, reads and writes counted, of copying 256 MB (more than any cache)."""
    source = torch.randn(64 * 2**20, device=device())
    target = torch.empty_like(source)
    seconds = time_side_by_side([lambda: target.copy_(source)], device(), 3.0)[0].fast
    return 2 * 4 * source.numel() / seconds


def _parts(work: Work) -> dict[str, float]:
    """Return each kind of operation's (on a GPU, kernel's) share of the time that torch's profiler sees."""
    gpu = device() == "cuda"
    activities = [ProfilerActivity.CUDA if gpu else ProfilerActivity.CPU]
    with profile(activities=activities) as found:
        for _ in range(3):
            work()
        if gpu:
            torch.cuda.synchronize()
    times: dict[str, float] = defaultdict(float)
    for event in found.key_averages():
        times[_kind(event.key)] += event.self_device_time_total if gpu else event.self_cpu_time_total
    total = sum(times.values())
    return {name: spent / total for name, spent in sorted(times.items(), key=lambda item: -item[1]) if spent}


def _kind(name: str) -> str:
    if device() == "cuda":
        return next((kind for kind, parts in BY_KERNEL.items() if any(p in name for p in parts)), "everything else")
    return next((kind for kind, starts in BY_OPERATION.items() if name.startswith(starts)), "everything else")
