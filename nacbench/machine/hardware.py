"""Hardware detection: CPU, GPU, device and precision; without importing torch where possible."""

import platform
import resource
import sys
from functools import cache
from pathlib import Path
from typing import Any, Literal

from nacbench.errors import UserError
from nacbench.machine.cores import granted_cores


@cache
def cpu_flags() -> frozenset[str]:
    """Return the CPU's instruction sets by Linux's names (/proc/cpuinfo); empty on other systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    return frozenset(
        flag for line in lines if line.startswith(("flags", "Features")) for flag in line.partition(":")[2].split()
    )


# Instruction sets by which libraries choose how they compute, so that last digits differ between processors with and
# without them. A virtual machine may call all of its hosts by one name, such as AMD EPYC.
VECTORS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve", "bf16")


def instructions() -> str:
    """Return those of ``VECTORS`` that the processor has; empty if it has none, or the system does not tell."""
    return " ".join(name for name in VECTORS if name in cpu_flags())


@cache
def cpu_name() -> str:
    """Return the processor's model name, which several processors may share."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def has_gpu() -> bool:
    """Whether torch finds a CUDA device."""
    # Without NVIDIA's driver the answer is known, and importing torch takes more than a second
    if not Path("/dev/nvidiactl").exists():
        return False
    import torch

    return torch.cuda.is_available()


def best_precision() -> Literal["fp32", "bf16"]:
    """Return bf16 if the device that ``--device auto`` selects multiplies it natively, otherwise fp32."""
    if has_gpu():
        import torch

        # compute capability 8: Ampere, the first with bf16 tensor cores
        return "bf16" if torch.cuda.get_device_capability()[0] >= 8 else "fp32"
    return "bf16" if cpu_flags() & {"avx512_bf16", "amx_bf16", "bf16"} else "fp32"


def check_device_name(device: str) -> None:
    """Check a user's device without asking for the hardware, which loads torch.

    Raises:
        UserError: if it is not ``auto``, ``cpu`` or ``cuda``.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise UserError(f"unknown device {device!r}; there are: auto, cpu, cuda")


def check_device(device: str) -> str:
    """Return ``cpu`` or ``cuda`` for a user's ``auto``, ``cpu`` or ``cuda``.

    Raises:
        UserError: if the name is unknown, or ``cuda`` is asked for and torch finds no CUDA device.
    """
    check_device_name(device)
    gpu = device != "cpu" and has_gpu()
    if device == "cuda" and not gpu:
        raise UserError("--device cuda: torch finds no CUDA device here; use --device cpu, or check nvidia-smi")
    return "cuda" if gpu else "cpu"


def peak_memory() -> int:
    """Return this process's peak resident memory so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS reports bytes, Linux kibibytes


def describe(device: str) -> dict[str, Any]:
    """Return the hardware of a run for its record: device, processor, usable cores, threads, GPU."""
    import torch

    return {
        "device": device,
        "cpu": cpu_name(),
        "instructions": instructions() or None,
        "cores": granted_cores(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if device == "cuda" else None,
    }
