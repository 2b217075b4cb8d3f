"""A run in bf16 on a processor without instructions for it is warned of."""

import pytest

from nacbench.cli.shared.warnings import slow_precision

PLAIN, WIDE = frozenset({"avx", "avx2"}), frozenset({"avx", "avx2", "avx512f"})


@pytest.mark.parametrize(
    ("precision", "device", "flags", "gpu", "is_slow"),
    [
        ("bf16", "cpu", PLAIN, False, True),
        ("bf16", "auto", PLAIN, False, True),
        ("bf16", "cpu", PLAIN, True, True),
        ("bf16", "auto", PLAIN, True, False),
        ("bf16", "cuda", PLAIN, True, False),
        ("bf16", "cpu", WIDE, False, False),
        ("bf16", "cpu", frozenset({"asimd", "bf16"}), False, False),
        ("bf16", "cpu", frozenset(), False, False),  # not known
        ("fp32", "cpu", PLAIN, False, False),
        ("auto", "cpu", PLAIN, False, False),
        (None, "auto", PLAIN, False, False),
    ],
)
def test_it_is_slow_where_products_are_plain_loops(
    monkeypatch: pytest.MonkeyPatch, precision: str | None, device: str, flags: frozenset[str], gpu: bool, is_slow: bool
) -> None:
    monkeypatch.setattr("nacbench.machine.hardware.cpu_flags", lambda: flags)
    monkeypatch.setattr("nacbench.machine.hardware.has_gpu", lambda: gpu)
    lines = slow_precision(precision, device)
    assert bool(lines) == is_slow
    assert all(line.startswith("--precision bf16: ") for line in lines)
