"""What runs cost, in core-seconds: of finished ones by their records, of others by similar finished ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import median

from nacbench.recording.row import Run
from nacbench.sweep.plan import PlannedRun

Kind = tuple[str, ...]


class Costs:
    """Core-seconds (seconds of training and evaluation times threads) of runs.

    Args:
        runs: finished runs.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        groups: dict[Kind, list[float]] = defaultdict(list)
        for run in runs:
            for kind in ((run.series,), (run.task, run.model, run.model_size, run.scale)):
                groups[kind].append(run.core_seconds)
        self._medians = {kind: median(values) for kind, values in groups.items()}
        self._own = {run.run_id: run.core_seconds for run in runs}

    def of(self, run: PlannedRun) -> float | None:
        """Return its own; of one that is not finished the median of its series, or of its task, model, size and scale.

        None if none of them is finished.
        """
        if run.run_id in self._own:
            return self._own[run.run_id]
        config = run.config
        like = (config.task.name, config.model.name, config.model.size, config.scale)
        return self._medians.get((run.series,), self._medians.get(like))

    def total(self, runs: Iterable[PlannedRun]) -> tuple[float, int]:
        """Return the sum over the runs that can be estimated, and the number of those that cannot."""
        each = [self.of(run) for run in runs]
        return sum(one for one in each if one is not None), each.count(None)
