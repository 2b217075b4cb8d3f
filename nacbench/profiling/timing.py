"""Side-by-side timing: call functions in turn, so that other load on the machine affects all of them equally."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

import torch

WARM_UP, LEAST, MOST = 2, 5, 50  # rounds: discarded first, minimum and maximum measured


@dataclass(frozen=True)
class Timing:
    """Timing of one of several functions.

    Attributes:
        seconds: median time of a call.
        fast, slow: lower and upper quartile of the time.
        ratio: speed-up over the first function: median over rounds of the first one's time divided by this one's.
        low, high: lower and upper quartile of the ratio.
        rounds: number of measured calls.
    """

    seconds: float
    fast: float
    slow: float
    ratio: float
    low: float
    high: float
    rounds: int


def time_side_by_side(things: Sequence[Callable[[], Any]], device: Any, budget: float = 5.0) -> list[Timing]:
    """Time functions by calling each in turn, round after round.

    Args:
        things: the functions; the first is the reference of the ratios.
        device: torch device; a GPU is synchronised before and after each call.
        budget: seconds after which no further round starts, once five have been measured.
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
    # Ratios within a round: load that changes over the measurement affects both times of a ratio
    ratios = [times[0] / times[number] for times in rounds]
    low, middle, high = quantiles(ratios, n=4)
    fast, seconds, slow = quantiles([times[number] for times in rounds], n=4)
    return Timing(seconds, fast, slow, middle, low, high, len(rounds))
