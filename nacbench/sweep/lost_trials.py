"""Trials of grids that failed: they have no record, but their folders say with which settings they were started."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nacbench.recording.index import Runs
from nacbench.recording.record import Cause
from nacbench.recording.row import settings_of
from nacbench.recording.store import read_state
from nacbench.sweep.search import ENDING


@dataclass(frozen=True)
class LostTrial:
    """A trial without a score; its attributes are called as those of a finished run.

    Attributes:
        run_id: of the run.
        task, model, model_size, scale, seed: of the run.
        settings: JSON, as of a finished run.
        cause: of its failure.
    """

    run_id: str
    task: str
    model: str
    model_size: str
    scale: str
    seed: int
    settings: str
    cause: Cause


def lost_trials(found: Runs) -> Iterator[LostTrial]:
    """Yield the runs of ``X-tuning`` tasks that failed, as far as their folders tell with which settings."""
    for failure, folder in zip(found.failures, found.failed, strict=True):
        if not failure.task.endswith(ENDING) or failure.status != "failed" or failure.cause is None:
            continue
        if (state := read_state(Path(folder))) is None:
            continue
        config = state.identity["config"]
        names = (config["task"]["name"], config["model"]["name"], config["model"]["size"])
        # of another run, if someone copied the file
        if (*names, config["scale"], config["seed"]) != (
            failure.task,
            failure.model,
            failure.size,
            failure.scale,
            failure.seed,
        ):
            continue
        settings = settings_of(state.identity)
        yield LostTrial(failure.run_id, *names, failure.scale, failure.seed, settings, failure.cause)
