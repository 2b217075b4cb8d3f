"""How far a run is, and how long it still takes, from the files that it writes while it goes on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from nacbench.recording.bounded import LARGEST_INT
from nacbench.recording.claimants import HEARTBEAT, last_claimant, read_heartbeat
from nacbench.recording.curve import Point, last_points
from nacbench.recording.record import FAILURE
from nacbench.recording.store import CURVE

ENOUGH_SECONDS = 5.0  # from which on the speed so far is an estimate


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run is.

    Attributes:
        step, steps: optimiser steps so far and in all, or splits for a run that trains nothing; None if not known.
        epoch, epochs: passes over the training examples so far and in all; None if not known.
        train: last point of the training split on its curve.
        check: last point of the split that is scored during training.
        since: begin of the last attempt in seconds since 1970; None if it has not begun.
        elapsed: seconds of the last attempt until its last sign of life; None if it has not begun.
        left: seconds that are left, estimated; None if not known.
    """

    step: int | None = None
    steps: int | None = None
    epoch: float | None = None
    epochs: int | None = None
    train: Point | None = None
    check: Point | None = None
    since: float | None = None
    elapsed: float | None = None
    left: float | None = None


def progress_of(folder: Path, config: Mapping[str, Any], attempts: int) -> Progress:
    """Return how far a run is that has no record.

    Args:
        folder: of the run.
        config: its configuration, as a record has it; may be empty.
        attempts: how often it was started.
    """
    train, check = last_points(folder / CURVE)
    beat = read_heartbeat(folder) or {}
    last = max((point for point in (train, check) if point), key=lambda point: point.step, default=None)
    epochs = _epochs(config)
    step = max(beat.get("step", 0), last.step if last else 0) or None
    steps = beat.get("steps") or _steps(last, epochs)
    claimant = last_claimant(folder)
    since = seconds_of(claimant.since) if claimant else None
    signs = [when for name in (HEARTBEAT, CURVE, FAILURE) if (when := _changed(folder / name)) is not None]
    elapsed = max(0.0, max(signs) - since) if since is not None and signs else None
    return Progress(
        step=step,
        steps=steps,
        epoch=last.epoch if last else None,
        epochs=epochs if last else None,
        train=train,
        check=check,
        since=since,
        elapsed=elapsed,
        left=_left(beat, step, steps, elapsed if attempts == 1 else None),
    )


def _left(beat: Mapping[str, Any], step: int | None, steps: int | None, elapsed: float | None) -> float | None:
    """Return the seconds that are left at the speed so far, over all attempts if the heartbeat tells their time.

    Args:
        beat: the heartbeat.
        step, steps: so far and in all.
        elapsed: seconds of the first attempt; None for a later one, which did not begin with the first step.
    """
    if not step or not steps:
        return None
    if beat.get("seconds", 0.0) >= ENOUGH_SECONDS and beat.get("step"):
        return float(beat["seconds"] / beat["step"] * max(0, steps - step))
    if elapsed is None or elapsed < ENOUGH_SECONDS:
        return None
    return elapsed / step * max(0, steps - step)


def _epochs(config: Mapping[str, Any]) -> int | None:
    training = config.get("training")
    epochs = training.get("epochs") if isinstance(training, Mapping) else None
    return epochs if isinstance(epochs, int) and 0 < epochs < LARGEST_INT else None


def _steps(last: Point | None, epochs: int | None) -> int | None:
    """Return the number of steps in all, as the first heartbeat that tells it comes after half a minute."""
    if not last or not last.epoch or not epochs:
        return None
    steps = last.step / last.epoch * epochs
    return round(steps) if steps < LARGEST_INT else None


def seconds_of(time: str) -> float | None:
    """Return a time of a file, ISO 8601, in seconds since 1970; None if there is no such time."""
    try:
        return datetime.fromisoformat(time).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _changed(path: Path) -> float | None:
    try:
        return os.stat(path).st_mtime  # noqa: PTH116 (as many as there are runs without a record)
    except OSError:
        return None
