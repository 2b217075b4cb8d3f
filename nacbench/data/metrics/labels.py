"""Metrics of multi-label classification, from labels N×L (0 and 1) and scores N×L, each a label's logit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nacbench.contracts.metric import Columns, Metric

if TYPE_CHECKING:
    import numpy as np

COLUMNS = ("labels", "scores")


def _all_right(columns: Columns) -> np.ndarray:
    right: np.ndarray = ((columns["scores"] > 0) == (columns["labels"] > 0)).all(axis=1)
    return right


def _share_wrong(columns: Columns) -> np.ndarray:
    wrong: np.ndarray = ((columns["scores"] > 0) != (columns["labels"] > 0)).mean(axis=1)
    return wrong


def _macro_average_precision(columns: Columns) -> float:
    """Return the mean average precision over the labels that some example has; NaN if none has any.

    A label without an example has no average precision: torchmetrics leaves it out, scikit-learn counts it as 0.
    Computed here and not by scikit-learn, which takes twenty times as long: a bootstrap asks for it thousands of times.
    """
    labels, scores = columns["labels"] > 0, columns["scores"]
    found = [_average_precision(labels[:, k], scores[:, k]) for k in range(labels.shape[1]) if labels[:, k].any()]
    return math.fsum(found) / len(found) if found else math.nan


def _average_precision(there: np.ndarray, scores: np.ndarray) -> float:
    """Return Σ (rise of recall) · precision over thresholds, from the highest down; equal scores share a threshold."""
    import numpy as np

    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(there[order])
    last = np.flatnonzero(np.diff(scores[order], append=-np.inf))  # of each run of equal scores
    found = hits[last]
    return float((np.diff(found, prepend=0) * found / (last + 1)).sum() / hits[-1])


SUBSET_ACCURACY = Metric(
    name="subset-accuracy",
    about="share of examples all of whose labels are right, with a logit above 0 as yes",
    least=0,
    most=1,
    percent=True,
    mean_of="hits",
    columns=COLUMNS,
    values=_all_right,
)
HAMMING_LOSS = Metric(
    name="hamming-loss",
    about="share of labels that are wrong, with a logit above 0 as yes",
    better="lower",
    least=0,
    most=1,
    percent=True,
    mean_of="values",
    columns=COLUMNS,
    values=_share_wrong,
)
MACRO_AP = Metric(
    name="macro-ap",
    about="mean average precision over the labels that some example has",
    least=0,
    most=1,
    percent=True,
    columns=COLUMNS,
    value=_macro_average_precision,
)
