"""How long things take beside each other: measured in turn, so that whatever else the machine does meets both alike."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

import torch

WARM_UP, LEAST, MOST = 2, 5, 50  # calls of each


@dataclass(frozen=True)
class Timing:
    """Of one of several things that were timed beside each other.

    Attributes:
        seconds: median of a call.
        fast, slow: the quartiles of a call's seconds.
        ratio: median over the rounds of the first thing's time over this one's: how many times faster this one is.
        low, high: the quartiles of that ratio.
        rounds: calls that counted.
    """

    seconds: float
    fast: float
    slow: float
    ratio: float
    low: float
    high: float
    rounds: int


def time_side_by_side(things: Sequence[Callable[[], Any]], device: Any, budget: float = 5.0) -> list[Timing]:
    """Call each thing in turn, round after round.

    Args:
        things: what to call; the first is what the others are compared with.
        device: torch's; a GPU is waited for.
        budget: seconds after which no further round starts, once there have been five.
    """
    rounds: list[list[float]] = []
    begun = time.perf_counter()
    for number in range(WARM_UP + MOST):
        times = []
        for thing in things:
            _wait(device)
            started = time.perf_counter()
            thing()
            _wait(device)
            times.append(time.perf_counter() - started)
        if number >= WARM_UP:
            rounds.append(times)
        if len(rounds) >= LEAST and time.perf_counter() - begun > budget:
            break
    return [_timing(rounds, number) for number in range(len(things))]


def _wait(device: Any) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def _timing(rounds: Sequence[Sequence[float]], number: int) -> Timing:
    ratios = [times[0] / times[number] for times in rounds]
    low, middle, high = quantiles(ratios, n=4)
    fast, seconds, slow = quantiles([times[number] for times in rounds], n=4)
    return Timing(seconds, fast, slow, middle, low, high, len(rounds))
