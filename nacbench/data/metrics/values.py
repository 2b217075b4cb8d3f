"""Metrics of regression, from targets and outputs N×K in their own unit; outputs count equally, as in scikit-learn."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nacbench.contracts.metric import Columns, Metric

if TYPE_CHECKING:
    import numpy as np

COLUMNS = ("target", "output")


def _errors(columns: Columns) -> np.ndarray:
    """Return output less target, float64 N×K."""
    import numpy as np

    target, output = (np.asarray(columns[name], dtype=np.float64) for name in COLUMNS)
    errors: np.ndarray = (output - target).reshape(len(target), -1)
    return errors


def _absolute(columns: Columns) -> np.ndarray:
    import numpy as np

    absolute: np.ndarray = np.abs(_errors(columns)).mean(axis=1)
    return absolute


def _root_mean_square(columns: Columns) -> float:
    """Return the mean over outputs of the root of the mean squared error."""
    import numpy as np

    return float(np.sqrt(np.square(_errors(columns)).mean(axis=0)).mean())


def _explained(columns: Columns) -> float:
    """Return the mean over outputs of 1 − Σ(output − target)² / Σ(target − mean)²; NaN if a target never varies."""
    import numpy as np

    errors = np.square(_errors(columns)).sum(axis=0)
    target = np.asarray(columns["target"], dtype=np.float64).reshape(len(columns["target"]), -1)
    spread = np.square(target - target.mean(axis=0)).sum(axis=0)
    return float((1 - errors / spread).mean()) if (spread > 0).all() else math.nan


R2 = Metric(
    name="r2",
    about="share of the targets' variance that is explained; below 0 if their mean is the better guess",
    most=1,
    columns=COLUMNS,
    value=_explained,
)
RMSE = Metric(
    name="rmse",
    about="root of the mean squared error",
    better="lower",
    least=0,
    columns=COLUMNS,
    value=_root_mean_square,
)
MAE = Metric(
    name="mae",
    about="mean absolute error",
    better="lower",
    least=0,
    mean_of="values",
    columns=COLUMNS,
    values=_absolute,
)
