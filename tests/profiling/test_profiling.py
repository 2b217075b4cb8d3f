"""What is measured of a network: memory counted against a closed form, and times taken in turn."""

import time

import pytest
import torch
from torch import Tensor, nn

from nacbench.profiling.peak_memory import peak_tensor_bytes
from nacbench.profiling.timing import time_side_by_side


class Wide(nn.Module):
    """10 numbers to 1,000 to 1."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(10, 1000, bias=False), nn.Linear(1000, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.down(self.up(x).relu())
        return found


def test_peak_bytes_cover_weights_inputs_and_activations() -> None:
    weights, inputs, hidden = 10 * 1000 + 1000, 7 * 10, 7 * 1000
    assert peak_tensor_bytes(Wide(), {"x": torch.zeros(7, 10)}) == 4 * (weights + inputs + 2 * hidden)


def test_views_and_shared_weights_are_counted_once() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = nn.Linear(8, 8, bias=False)
            self.two = self.one

        def forward(self, x: Tensor) -> Tensor:
            return x.view(2, 4, 8).flatten(0, 1)[:3]

    assert peak_tensor_bytes(Shared(), {"x": torch.zeros(8, 8)}) == 4 * (64 + 64)


def test_side_by_side_timing_compares_within_rounds() -> None:
    calls: list[str] = []

    def slow() -> None:
        calls.append("slow")
        time.sleep(0.02)

    def fast() -> None:
        calls.append("fast")
        time.sleep(0.002)

    whole, quick = time_side_by_side([slow, fast], "cpu", budget=0.1)
    assert calls == ["slow", "fast"] * (len(calls) // 2)
    assert whole.rounds == quick.rounds == len(calls) // 2 - 2
    assert (whole.ratio, whole.low, whole.high) == (1, 1, 1)
    assert 1 < quick.low <= quick.ratio <= quick.high
    assert quick.seconds < whole.seconds == pytest.approx(0.02, rel=5)
