"""Scoring a network on the splits of a task, one after another, so that what is scored survives an interruption."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nacbench.contracts.task import Evaluation, ScoredTask
from nacbench.errors import UserError
from nacbench.files import whole_file

if TYPE_CHECKING:
    from torch import nn

META = b"nacbench"


def score_splits(
    task: ScoredTask,
    net: "nn.Module",
    batch_size: int,
    folder: Path,
    run_id: str,
    before_each: Callable[[int, str], None] = lambda done, split: None,
) -> dict[str, Evaluation]:
    """The evaluation of every split that is not for training: here, and only here, the test split is read.

    Args:
        task: with its data.
        net: in evaluation mode.
        batch_size: examples at a time.
        folder: what is scored is kept there, and not scored again.
        run_id: written into these files, and required of those that are taken.
        before_each: called with the number of splits done and the next one; may raise to stop.
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
                scored = task.evaluate(net, split, batch_size)
            evaluation = Evaluation(
                metrics=scored.metrics,
                predictions=scored.predictions,
                details={**scored.details, "seconds": round(time.monotonic() - started, 3)},
                measured=scored.measured,
            )
            write_evaluation(file, evaluation, run_id)
        done[split] = evaluation
    return done


def write_evaluation(path: Path, evaluation: Evaluation, run_id: str) -> None:
    """One evaluation as a whole file: predictions as rows, the rest in its metadata."""
    parts = {name: dict(getattr(evaluation, name)) for name in ("metrics", "details", "measured")}
    meta = {"run_id": run_id, **parts}
    table = _table(evaluation.predictions).replace_schema_metadata({META: json.dumps(meta).encode()})
    with whole_file(path) as aside:
        pq.write_table(table, aside, compression="zstd")


def read_evaluation(path: Path, run_id: str) -> Evaluation | None:
    """What `write_evaluation` wrote for this run, or None where there is nothing that can be used."""
    try:
        table = pq.read_table(path)
        meta = json.loads((table.schema.metadata or {})[META])
    except (OSError, KeyError, ValueError, pa.ArrowException):
        return None
    if meta.get("run_id") != run_id:
        return None
    predictions = {name: _column(table.column(name)) for name in table.column_names}
    return Evaluation(
        metrics=meta["metrics"], predictions=predictions, details=meta["details"], measured=meta.get("measured", {})
    )


def write_predictions(path: Path, scored: Mapping[str, Evaluation]) -> None:
    """One row an example of every scored split, whole; what a split does not have is null there."""
    tables = []
    for split, evaluation in scored.items():
        table = _table(evaluation.predictions)
        name = pa.array([split] * len(table)).dictionary_encode()
        tables.append(table.add_column(0, "split", name))
    with whole_file(path) as aside:
        pq.write_table(
            pa.concat_tables(tables, promote_options="default").unify_dictionaries(), aside, compression="zstd"
        )


def _table(predictions: Mapping[str, np.ndarray]) -> Any:
    arrays = {}
    for name, values in predictions.items():
        values = np.ascontiguousarray(values)
        flat = pa.array(values.reshape(-1))
        arrays[name] = flat if values.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
    sizes = {len(array) for array in arrays.values()}
    if len(sizes) != 1:
        raise UserError(f"the columns of a task's predictions differ in length: {sorted(sizes)}")
    return pa.table(arrays)


def _column(column: Any) -> np.ndarray:
    """A column of numbers, or of lists of one length, as an array."""
    combined = column.combine_chunks()
    if pa.types.is_fixed_size_list(combined.type):
        flat: np.ndarray = combined.flatten().to_numpy(zero_copy_only=False)
        return flat.reshape(len(combined), -1)
    values: np.ndarray = combined.to_numpy(zero_copy_only=False)
    return values
