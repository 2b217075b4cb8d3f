"""Evaluate a network on the splits of a task. Evaluations are stored by split, so that an interruption loses only one.

Predictions and evaluations are Parquet files.
"""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from nacbench.contracts.given_scores import checked_evaluation
from nacbench.contracts.task import Evaluation, ScoredTask
from nacbench.errors import UserError
from nacbench.filesystem.files import whole_file
from nacbench.formats.parquet import opened_parquet
from nacbench.formats.reading import checked, parse_json
from nacbench.recording.record import UNSCORED, Answers

if TYPE_CHECKING:
    from torch import nn

ANSWERED = ("label", "prediction")  # columns that hold classes
META = b"nacbench"


class _About(BaseModel):
    """Metadata of a stored evaluation, as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    run_id: str
    metrics: dict[str, float]
    details: dict[str, Any]
    measured: dict[str, float] = {}


def score_splits(
    task: ScoredTask,
    net: "nn.Module",
    batch_size: int,
    folder: Path,
    run_id: str,
    metric: str,
    before_each: Callable[[int, str], None] = lambda done, split: None,
) -> dict[str, Evaluation]:
    """Evaluate a network on every split except the training split.

    This is the only place that reads the test split. It is called once per run, after the weights were selected, so
    that no decision in a run can depend on test examples.

    Args:
        task: the task with its data.
        net: network in evaluation mode.
        batch_size: examples per batch.
        folder: folder of stored evaluations; splits with one are not evaluated again.
        run_id: id of the run, stored in these files; a file of another run is ignored.
        metric: the main metric, which every split must have.
        before_each: called with the number of finished splits and the name of the next; may raise to stop.

    Raises:
        UserError: if the task gives something else than an ``Evaluation`` of finite numbers.
        DivergedError: if that is because the network's outputs or weights are not finite.
    """
    import torch

    done: dict[str, Evaluation] = {}
    for split in task.split_sizes:
        if split == "train":
            continue
        before_each(len(done), split)
        file = folder / f"{split.replace('/', '--')}.parquet"
        evaluation = read_evaluation(file, run_id)
        if evaluation is None:
            started = time.monotonic()
            with torch.no_grad():
                given = task.evaluate(net, split, batch_size)
            scored = checked_evaluation(task, split, given, metric, net)
            evaluation = Evaluation(
                metrics=scored.metrics,
                predictions=scored.predictions,
                details={**scored.details, "seconds": round(time.monotonic() - started, 3)},
                measured=scored.measured,
            )
            write_evaluation(file, evaluation, run_id)
        done[split] = evaluation
    return done


def answers_of(scored: Mapping[str, Evaluation], classes: int) -> Answers | None:
    """Count labels and predictions by class over the scored examples; None if a split has no class indices as such.

    Args:
        scored: evaluations by split; ``options`` in details is the number of answers offered, if not all classes.
        classes: number of classes.
    """
    counted = ["test"] if "test" in scored else [split for split in scored if split not in UNSCORED]
    columns = [scored[split].predictions for split in counted]
    if not columns or not all(_are_classes(own.get(name), classes) for own in columns for name in ANSWERED):
        return None
    labels, given = (
        np.bincount(np.concatenate([own[name] for own in columns]), minlength=classes).tolist() for name in ANSWERED
    )
    options = {scored[split].details.get("options", classes) for split in counted}
    return Answers(options=max(options), labels=labels, given=given)


def _are_classes(column: np.ndarray | None, classes: int) -> bool:
    if column is None or column.ndim != 1 or column.dtype.kind not in "iu" or not len(column):
        return False
    return bool(column.min() >= 0 and column.max() < classes)


def write_evaluation(path: Path, evaluation: Evaluation, run_id: str) -> None:
    """Write an evaluation to a Parquet file atomically: predictions as columns, everything else in its metadata."""
    parts = {name: dict(getattr(evaluation, name)) for name in ("metrics", "details", "measured")}
    meta = {"run_id": run_id, **parts}
    table = _table(evaluation.predictions).replace_schema_metadata({META: json.dumps(meta).encode()})
    with whole_file(path) as aside:
        pq.write_table(table, aside, compression="zstd")


def read_evaluation(path: Path, run_id: str) -> Evaluation | None:
    """Read a file of `write_evaluation`; None if it is missing, broken, or of another run."""
    try:
        with opened_parquet(path) as parquet:
            table = parquet.read()
            about = checked(parse_json((table.schema.metadata or {})[META], path), _About, path)
            predictions = {name: _column(table.column(name)) for name in table.column_names}
    except UserError:
        return None
    if about.run_id != run_id:
        return None
    return Evaluation(metrics=about.metrics, predictions=predictions, details=about.details, measured=about.measured)


def write_predictions(path: Path, scored: Mapping[str, Evaluation]) -> None:
    """Write the predictions of all splits to one Parquet file atomically, one row per example.

    A column that a split does not have is null in its rows.
    """
    tables = []
    for split, evaluation in scored.items():
        table = _table(evaluation.predictions)
        tables.append(table.add_column(0, "split", _repeated(split, len(table))))
    with whole_file(path) as aside:
        pq.write_table(
            pa.concat_tables(tables, promote_options="default").unify_dictionaries(), aside, compression="zstd"
        )


def _table(predictions: Mapping[str, np.ndarray]) -> Any:
    arrays = {}
    for name, values in predictions.items():
        flat = _array(np.ascontiguousarray(values).reshape(-1))
        arrays[name] = flat if values.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
    sizes = {len(array) for array in arrays.values()}
    if len(sizes) != 1:
        raise UserError(f"the columns of a task's predictions differ in length: {sorted(sizes)}")
    return pa.table(arrays)


def _array(values: np.ndarray) -> Any:
    """Return ``pa.array(values)``, of numbers without importing pandas, which takes half a second of every run."""
    if values.dtype.kind not in "iuf" or not values.dtype.isnative:
        return pa.array(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(values)])


def _repeated(text: str, count: int) -> Any:
    """Return an array of one text, as a dictionary; `_array` says why not by ``pa.repeat``."""
    content = text.encode()
    ends = np.array([0, len(content)], dtype=np.int32)
    dictionary = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(ends), pa.py_buffer(content)])
    return pa.DictionaryArray.from_arrays(_array(np.zeros(count, dtype=np.int32)), dictionary)


def _column(column: Any) -> np.ndarray:
    """Return a column as an array of shape N, or N×width for lists of one length."""
    combined = column.combine_chunks()
    if pa.types.is_fixed_size_list(combined.type):
        flat: np.ndarray = combined.flatten().to_numpy(zero_copy_only=False)
        return flat.reshape(len(combined), -1)
    values: np.ndarray = combined.to_numpy(zero_copy_only=False)
    return values
