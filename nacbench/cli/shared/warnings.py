"""Warnings of the command line: one line each, on standard error."""

from collections.abc import Iterable

from nacbench.formats.terminal import say


def warn(lines: Iterable[str]) -> None:
    """Print what was found that does not count, such as broken records: a line each."""
    for line in lines:
        say(f"warning: {line}", err=True)


def slow_precision(precision: str | None, device: str) -> list[str]:
    """Return a warning if a run asks for bf16 on a processor that has no instructions for it.

    With AVX2 alone PyTorch multiplies matrices in bf16 in plain loops, 20 to 90 times as long as in fp32.

    Args:
        precision: ``fp32``, ``bf16`` or ``auto``; None: not given.
        device: ``auto``, ``cpu`` or ``cuda``.
    """
    from nacbench.machine.hardware import cpu_flags, cpu_name, has_gpu

    if precision != "bf16" or device == "cuda" or (device == "auto" and has_gpu()):
        return []
    if "avx2" not in cpu_flags() or "avx512f" in cpu_flags():
        return []
    how_long = "steps take several times as long as in fp32, large ones fifty times"
    return [f"--precision bf16: {cpu_name()} has no instructions for it; {how_long}"]
