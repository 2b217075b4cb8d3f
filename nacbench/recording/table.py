"""Finished runs as a table for pandas: one column per setting and metric, each with its own dtype."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nacbench.contracts.task import SCALES
from nacbench.formats.dotted import leaves
from nacbench.recording.bounded import LARGEST_INT
from nacbench.recording.row import Run

if TYPE_CHECKING:
    import pandas as pd

# First columns of a run's row, whether or not there is a run, with pandas' dtypes; settings, metrics and measurements
# follow. TIME and SCALE are made below
TIME, SCALE = "time", "scale"
FACTS: Mapping[str, str] = {
    "run_id": "string",
    "task": "string",
    "model": "string",
    "model_size": "string",
    "scale": SCALE,
    "seed": "Int64",
    "precision": "string",
    "protocol": "string",
    "metric": "string",
    "score": "float64",
    "partial": "string",
    "parameters": "Int64",
    "forward_flops": "Int64",
    "flops_batch": "Int64",
    "train_seconds": "float64",
    "evaluate_seconds": "float64",
    "examples_per_second": "float64",
    "peak_memory_bytes": "Int64",
    "machine": "string",
    "finished": TIME,
    "tags": "string",
    "notes": "string",
    "folder": "string",
}
SECTIONS = ("task", "model", "training", "init_from")


def rows_of(runs: Iterable[Run]) -> list[dict[str, Any]]:
    """Return a row per run: facts by name, settings such as ``training.lr``, metrics such as ``test.accuracy``."""
    return [
        {
            **{name: getattr(run, name) for name in FACTS},
            "notes": run.user_notes,
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
    names = dict.fromkeys((*FACTS, *(name for row in rows for name in row)))
    return {name: _series([row.get(name) for row in rows], FACTS.get(name)) for name in names}


def _series(values: list[Any], kind: str | None) -> pd.Series[Any]:
    """Return a column of the kind that is known of it, or else of the dtype that fits its values."""
    import pandas as pd

    if kind == TIME:  # a made-up date in a record of others is a missing value
        times = pd.to_datetime(pd.Series(values, dtype="string"), utc=True, errors="coerce", format="ISO8601")
        return times.dt.as_unit("us")  # pandas chooses a unit by the values
    if kind == SCALE:  # sorts by size; a name that another version knows comes last
        order = dict.fromkeys((*SCALES, *sorted(set(values))))
        return pd.Series(pd.Categorical(values, categories=list(order), ordered=True))
    return pd.Series(values, dtype=kind or _dtype(values))


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
