"""What this machine can do, found without importing torch where possible."""

import os
import platform
import resource
import sys
from functools import cache
from pathlib import Path
from typing import Any, Literal

from nacbench.errors import UserError


@cache
def cpu_flags() -> frozenset[str]:
    """The CPU's instruction sets as Linux names them; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    return frozenset(
        flag for line in lines if line.startswith(("flags", "Features")) for flag in line.partition(":")[2].split()
    )


@cache
def cpu_name() -> str:
    """The processor's name for people."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def has_gpu() -> bool:
    """Whether torch will find a CUDA device; torch is asked only where a driver is there."""
    if not Path("/dev/nvidiactl").exists():
        return False
    import torch

    return torch.cuda.is_available()


def best_precision() -> Literal["fp32", "bf16"]:
    """bf16 where the device that ``--device auto`` takes multiplies it natively, else fp32."""
    if has_gpu():
        import torch

        return "bf16" if torch.cuda.get_device_capability()[0] >= 8 else "fp32"
    return "bf16" if cpu_flags() & {"avx512_bf16", "amx_bf16", "bf16"} else "fp32"


def check_device(device: str) -> str:
    """``cpu`` or ``cuda`` for a user's ``auto``, ``cpu`` or ``cuda``; raises ``UserError`` where there is none."""
    if device not in ("auto", "cpu", "cuda"):
        raise UserError(f"unknown device {device!r}; there are: auto, cpu, cuda")
    gpu = device != "cpu" and has_gpu()
    if device == "cuda" and not gpu:
        raise UserError("--device cuda: torch finds no CUDA device here; use --device cpu, or check nvidia-smi")
    return "cuda" if gpu else "cpu"


def peak_memory() -> int:
    """The most bytes of main memory that this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def describe(device: str) -> dict[str, Any]:
    """The hardware of a run for its record: device, processor, cores in use, GPU."""
    import torch

    gpu = torch.cuda.get_device_name() if device == "cuda" else None
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"device": device, "cpu": cpu_name(), "cores": cores, "threads": torch.get_num_threads(), "gpu": gpu}
