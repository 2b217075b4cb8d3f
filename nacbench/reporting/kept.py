"""Predictions that a run has kept, on the examples behind its score; metrics are computed from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.contracts.metric import Metric
from nacbench.data.metrics.built_in import BUILT_IN
from nacbench.errors import BrokenFileError, UserError
from nacbench.formats.parquet import opened_parquet
from nacbench.recording.metric_facts import MetricFacts, metric_in
from nacbench.recording.predictions import LOGITS, column_values
from nacbench.recording.record import UNSCORED
from nacbench.recording.row import Run
from nacbench.recording.store import PREDICTIONS, damage
from nacbench.registry import TASKS

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

WHOLE = frozenset({"index", "episode", "label", "prediction", "rank", "labels"})  # columns of whole numbers
RIGHT = ("label", "labels", "target")  # columns that hold what is right
FROM_LOGITS = ("rank", "confidence")  # columns that earlier records do not have, and logits give


class NotKeptError(UserError):
    """A run keeps no predictions, or lacks a column of them: nothing is wrong, but there is nothing to compute from."""


class OtherKindError(NotKeptError):
    """A metric is of another kind of targets than a run has: of values, say, and the run has classes."""


@dataclass(frozen=True)
class Kept:
    """Predictions on the scored examples of a run.

    Attributes:
        splits: names of the splits, sorted.
        split: number of the split of each of N rows.
        index: number of the example within its split.
        episode: number of the episode within its split; None if there are no episodes.
        columns: predictions by name, N or N×width each.
    """

    splits: tuple[str, ...]
    split: np.ndarray
    index: np.ndarray
    episode: np.ndarray | None
    columns: Mapping[str, np.ndarray]

    @cached_property
    def unit(self) -> np.ndarray:
        """Number of the independent unit of each row: an episode, or an example in all splits that have it.

        Corrupted copies of an image and queries of an episode are not independent.
        """
        import numpy as np

        if self.episode is None:
            return np.unique(self.index, return_inverse=True)[1]
        return np.unique(np.stack([self.split, self.episode]), axis=1, return_inverse=True)[1].reshape(-1)

    @property
    def unit_name(self) -> str:
        """What a unit is called."""
        return "examples" if self.episode is None else "episodes"

    def rows(self, rows: np.ndarray) -> Mapping[str, np.ndarray]:
        """Return the columns of some rows."""
        return {name: values[rows] for name, values in self.columns.items()}

    def scored_sets(self) -> Iterator[list[np.ndarray]]:
        """Yield, for each split, the rows of each set of examples that is scored by itself: its episodes, or all."""
        import numpy as np

        for split in np.unique(self.split):
            rows = np.flatnonzero(self.split == split)
            if self.episode is None:
                yield [rows]
                continue
            order = rows[np.argsort(self.episode[rows], kind="stable")]
            yield np.split(order, np.flatnonzero(np.diff(self.episode[order])) + 1)

    def value(self, metric: Metric) -> float:
        """Return a metric: the mean over splits of the mean over episodes, if there are any; NaN if it is undefined."""
        from statistics import fmean

        return fmean(fmean(metric.of(self.rows(rows)) for rows in sets) for sets in self.scored_sets())


def computed_metric(run: Run, name: str) -> Metric | None:
    """Return a metric with its way to be computed from this run's predictions: one of its task's, or a built-in one.

    None if there is no such metric, or what the record says of it is not what the code at hand says.
    """
    described = metric_in(run.facts, name)
    own = {metric.name: metric for metric in _described_by_task(run) if metric.is_computable}
    known = own.get(name) or BUILT_IN.get(name)
    if known is None or (described is not None and not _same(described, known)):
        return None
    return known


def _described_by_task(run: Run) -> tuple[Metric, ...]:
    try:
        return tuple(TASKS.get(run.task).metrics)
    except UserError:  # its plug-in is not loaded, or has another name by now
        return ()


def _same(one: Metric, other: Metric) -> bool:
    ours, theirs = (MetricFacts.of(metric).model_dump(exclude={"about", "unit"}) for metric in (one, other))
    return ours == theirs


def read_kept(run: Run, metric: Metric) -> Kept:
    """Read what a metric needs of a run's predictions on scored examples.

    Raises:
        NotKeptError: if the run keeps none, or lacks a column.
        UserError: if the file is damaged, or a column has another type than it should.
    """
    import numpy as np

    path, digest = Path(run.folder) / PREDICTIONS, run.record().files.get(PREDICTIONS)
    if digest is None:  # a file that lies there has come from elsewhere
        raise NotKeptError("it keeps no predictions")
    if problem := damage(path, digest):
        raise UserError(problem)
    with opened_parquet(path) as parquet:
        wanted = _wanted(metric, parquet.schema_arrow)
        table = parquet.read(columns=[name for name in parquet.schema_arrow.names if name in wanted])
    table = _scored(table, path)
    columns = {name: _values(table, name, path) for name in table.column_names if name != "split"}
    if LOGITS in columns and LOGITS not in metric.columns:
        columns |= _from_logits(columns.pop(LOGITS), columns["label"])
    names = table.column("split").cast("string").combine_chunks().dictionary_encode()
    found: list[str] = names.dictionary.to_pylist()
    number = np.argsort(np.argsort(found))  # of each name in sorted order
    split = number[names.indices.to_numpy(zero_copy_only=False)]
    return Kept(tuple(sorted(found)), split, columns.pop("index"), columns.pop("episode", None), columns)


def _wanted(metric: Metric, schema: pa.Schema) -> set[str]:
    """Return the columns to read: those of the metric, with logits in place of what they give, and what is right."""
    import pyarrow as pa

    there = schema.names
    needed = {"split", "index", *metric.columns}
    missing = [name for name in ("split", "index", *metric.columns) if name not in there]
    if missing and set(missing) <= set(FROM_LOGITS) and {LOGITS, "label"} <= set(there):
        needed |= {LOGITS, "label"}
    elif missing:
        if missing[0] not in FROM_LOGITS or "label" not in there:
            raise OtherKindError(f"its predictions have no {missing[0]}")
        raise NotKeptError(f"its predictions have no {missing[0]}, and no logits that would give it; run it again")
    numbers = {name for name in RIGHT if name in there and not pa.types.is_string(schema.field(name).type)}
    return needed | numbers | {"episode"}


def _scored(table: pa.Table, path: Path) -> pa.Table:
    """Return the rows of scored splits: of the test split, or else of all that count in a main score."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = table.schema.field("split").type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)) or table.column("split").null_count:
        raise BrokenFileError(f"{path}: the column split is {kind}, and should be text without gaps")
    names = table.column("split").cast(pa.string())
    is_test = pc.equal(names, "test")
    kept = table.filter(is_test if pc.any(is_test).as_py() else pc.invert(pc.is_in(names, pa.array(UNSCORED))))
    if not len(kept):
        raise NotKeptError("its predictions are of no scored examples")
    return kept


def _values(table: pa.Table, name: str, path: Path) -> np.ndarray:
    """Return a column as numbers, after a check of its type."""
    import pyarrow as pa

    column = table.column(name)
    kind = column.type.value_type if pa.types.is_fixed_size_list(column.type) else column.type
    fits = pa.types.is_integer(kind) if name in WHOLE else pa.types.is_floating(kind) or pa.types.is_integer(kind)
    if not fits or column.null_count:
        what = "whole numbers" if name in WHOLE else "numbers"
        raise BrokenFileError(f"{path}: the column {name} is {column.type}, and should be {what} without gaps")
    return column_values(column)


def _from_logits(logits: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Return rank and confidence as `nacbench.data.classification` does, but from logits of half precision."""
    import numpy as np
    from scipy.special import softmax

    own = np.take_along_axis(logits, labels[:, None], axis=1)
    before = np.arange(logits.shape[1]) < labels[:, None]
    rank = ((logits > own) | ((logits == own) & before)).sum(axis=1)
    return {"rank": rank, "confidence": softmax(logits.astype(np.float64), axis=1).max(axis=1)}
