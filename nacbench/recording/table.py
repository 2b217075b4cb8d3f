"""Finished runs as a table for pandas: one column per setting and metric, each with its own dtype."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nacbench.formats.dotted import leaves
from nacbench.recording.bounded import LARGEST_INT
from nacbench.recording.row import Run

if TYPE_CHECKING:
    import pandas as pd

# First columns of a run's row; settings, metrics and measurements follow
FACTS = (
    "run_id",
    "task",
    "model",
    "model_size",
    "scale",
    "seed",
    "precision",
    "protocol",
    "metric",
    "score",
    "partial",
    "parameters",
    "forward_flops",
    "flops_batch",
    "train_seconds",
    "evaluate_seconds",
    "examples_per_second",
    "peak_memory_bytes",
    "machine",
    "finished",
    "folder",
)
SECTIONS = ("task", "model", "training", "init_from")


def rows_of(runs: Iterable[Run]) -> list[dict[str, Any]]:
    """Return a row per run: facts by name, settings such as ``training.lr``, metrics such as ``test.accuracy``."""
    return [
        {
            **{name: getattr(run, name) for name in FACTS},
            **_settings(json.loads(run.settings)),
            **_numbers("", run.metrics),
            **_numbers("measured.", run.measured),
        }
        for run in runs
    ]


def _settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of task, model, training and the weights that it began with, by dotted name."""
    flat: dict[str, Any] = {}
    for section in SECTIONS:
        options = {key: value for key, value in settings.get(section, {}).items() if key not in ("name", "size")}
        flat |= leaves(options, f"{section}.")
    return flat


def _numbers(prefix: str, text: str) -> dict[str, float]:
    """Return numbers that are stored as JSON by split and name, by dotted name."""
    by_split: dict[str, dict[str, float]] = json.loads(text)
    return {f"{prefix}{split}.{name}": value for split, numbers in by_split.items() for name, value in numbers.items()}


def typed(rows: Sequence[Mapping[str, Any]]) -> dict[str, pd.Series[Any]]:
    """Return the columns of some rows as typed series, in the order in which their names first occur."""
    import pandas as pd

    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    return {name: pd.Series(values, dtype=_dtype(values)) for name, values in columns.items()}


def _dtype(values: Iterable[Any]) -> str:
    """Return the pandas dtype of a column: a nullable one, so that integers with missing values stay integers."""
    values = [value for value in values if value is not None]
    kinds = {type(value) for value in values}
    if int in kinds and any(isinstance(value, int) and abs(value) > LARGEST_INT for value in values):
        return "object"
    if kinds <= {int, float} and kinds != {int}:
        return "float64"  # also for a column without values
    names: dict[frozenset[type], str] = {
        frozenset({int}): "Int64",
        frozenset({bool}): "boolean",
        frozenset({str}): "string",
    }
    return names.get(frozenset(kinds), "object")  # lists, and options that take values of several kinds
