"""Compare two networks, trained with the same seed, on the same test examples: in any metric that predictions give."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.contracts.metric import Metric
from nacbench.errors import UserError
from nacbench.recording.row import Run
from nacbench.recording.store import PREDICTIONS
from nacbench.reporting.kept import RIGHT, Kept, NotKeptError, computed_metric, read_kept
from nacbench.statistics import mcnemar, paired_bootstrap, resampled_interval

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class OnExamples:
    """Comparison of two networks on the same test examples, trained with the same seed.

    Attributes:
        seed: of both runs.
        value: difference of their metrics, first minus second.
        interval: 95 % interval of the paired bootstrap over units.
        p: of McNemar's test; None if the metric is no share of hits, or a unit has more than one prediction.
        units: number of independent units, which are examples or episodes.
        unit: name of the units.
    """

    seed: int
    value: float
    interval: tuple[float, float]
    p: float | None
    units: int
    unit: str


def compare_on_examples(ours: Run, theirs: Run, warnings: list[str]) -> OnExamples | None:
    """Compare two networks on their test examples, in the metric of their scores.

    Return None if predictions are missing or do not match; unless none were kept, the reason is added to ``warnings``.
    """
    import numpy as np

    metric = computed_metric(ours, ours.metric)
    if metric is None:
        warnings.append(f"{ours.metric} is not compared on examples: its task's plug-in says how, and is not loaded")
        return None
    first, second = _kept(ours, metric, warnings), _kept(theirs, metric, warnings)
    if first is None or second is None:
        return None
    if not _of_same_examples(first, second):
        warnings.append(f"{_named(ours)} and {_named(theirs)} were evaluated on different examples")
        return None
    value = first.value(metric) - second.value(metric)
    units = int(first.unit.max()) + 1
    p = None
    if metric.values is not None or first.episode is not None:
        a, b = (_by_unit(kept, metric) for kept in (first, second))
        if metric.mean_of == "hits" and units == len(first.unit):  # McNemar's test needs independent predictions
            p = mcnemar(a > 0, b > 0)
        interval = paired_bootstrap(a, b)
    else:
        interval = resampled_interval(
            lambda counts: _drawn(first, metric, counts) - _drawn(second, metric, counts), units
        )
    return OnExamples(ours.seed, float(np.float64(value)), interval, p, units, first.unit_name)


def _named(run: Run) -> str:
    return f"run {run.run_id} ({run.model}, seed {run.seed})"


def lacks_predictions(run: Run) -> bool:
    """Whether a run has kept predictions whose file is not in its folder, as in a copy without them."""
    return PREDICTIONS in run.record().files and not (Path(run.folder) / PREDICTIONS).exists()


def _kept(run: Run, metric: Metric, warnings: list[str]) -> Kept | None:
    """Return predictions in the order of their splits and examples."""
    import numpy as np

    try:
        kept = read_kept(run, metric)
    except NotKeptError:
        return None
    except UserError as error:
        warnings.append(f"{_named(run)} is not compared on examples: {error}")
        return None
    order = np.lexsort((kept.index, kept.split))
    episode = None if kept.episode is None else kept.episode[order]
    return Kept(kept.splits, kept.split[order], kept.index[order], episode, kept.rows(order))


def _of_same_examples(first: Kept, second: Kept) -> bool:
    import numpy as np

    right = [name for name in RIGHT if name in first.columns]
    pairs = [(first.split, second.split), (first.index, second.index)]
    pairs += [(first.columns[name], second.columns[name]) for name in right]
    return first.splits == second.splits and all(np.array_equal(a, b) for a, b in pairs)


def _by_unit(kept: Kept, metric: Metric) -> np.ndarray:
    """Return the metric of each independent unit: an episode, or an example over all splits it is in."""
    import numpy as np

    if metric.values is None:
        return np.array([metric.of(kept.rows(rows)) for sets in kept.scored_sets() for rows in sets])
    values = np.asarray(metric.values(kept.columns), dtype=np.float64)
    return np.bincount(kept.unit, weights=values) / np.bincount(kept.unit)


def _drawn(kept: Kept, metric: Metric, counts: np.ndarray) -> float:
    """Return the metric of a sample that has each unit so many times."""
    from statistics import fmean

    import numpy as np

    times = counts[kept.unit]
    return fmean(metric.of(kept.rows(np.repeat(rows, times[rows]))) for sets in kept.scored_sets() for rows in sets)
