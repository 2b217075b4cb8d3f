"""Finished runs as columns: one for each setting and metric, each with a type of its own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nacbench.recording.index import Run

if TYPE_CHECKING:
    import pandas as pd

# what a run's row starts with; settings, metrics and what was measured follow
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
    "train_seconds",
    "evaluate_seconds",
    "examples_per_second",
    "peak_memory_bytes",
    "machine",
    "finished",
    "folder",
)
SECTIONS = ("task", "model", "training")


def rows_of(runs: Iterable[Run]) -> list[dict[str, Any]]:
    """Return a row for each run: facts by name, settings such as ``training.lr``, metrics such as ``test.accuracy``."""
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
    flat: dict[str, Any] = {}
    for section in SECTIONS:
        options = {key: value for key, value in settings.get(section, {}).items() if key not in ("name", "size")}
        flat |= _flat(options, f"{section}.")
    return flat


def _flat(tree: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def _numbers(prefix: str, text: str) -> dict[str, float]:
    by_split: dict[str, dict[str, float]] = json.loads(text)
    return {f"{prefix}{split}.{name}": value for split, numbers in by_split.items() for name, value in numbers.items()}


def typed(rows: Sequence[Mapping[str, Any]]) -> dict[str, pd.Series[Any]]:
    """Return the columns of some rows, in the order in which their names first occur, each as a typed series."""
    import pandas as pd

    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    return {name: pd.Series(values, dtype=_dtype(values)) for name, values in columns.items()}


def _dtype(values: Iterable[Any]) -> str:
    """Return pandas' type for a column: one that knows missing values, so that a whole number stays one."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} and kinds != {int}:
        return "float64"  # also of a column without any value
    names: dict[frozenset[type], str] = {
        frozenset({int}): "Int64",
        frozenset({bool}): "boolean",
        frozenset({str}): "string",
    }
    return names.get(frozenset(kinds), "object")  # lists, and options that take values of several kinds
