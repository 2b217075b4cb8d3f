"""Metrics of classification, from the predicted class, the rank of the right one, and the confidence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nacbench.contracts.metric import Columns, Metric

if TYPE_CHECKING:
    import numpy as np

BINS = 15  # of the calibration error, as in Guo et al. 2017
ANSWER = ("label", "prediction")


def _top_5(columns: Columns) -> np.ndarray:
    return columns["rank"] < 5


def _macro_f1(columns: Columns) -> float:
    """Return the mean F1 over the classes that occur, as labels or as predictions.

    As in scikit-learn and torchmetrics, a class that does neither has no F1. Counted here and not by scikit-learn,
    which takes a hundred times as long: a bootstrap asks for it thousands of times.
    """
    right, labels, given = counts_by_class(columns["label"], columns["prediction"])
    there = labels + given > 0
    return float((2 * right[there] / (labels + given)[there]).mean()) if there.any() else math.nan


def _balanced_accuracy(columns: Columns) -> float:
    """Return the mean over the classes that occur as labels of the share of their examples that are right."""
    right, labels, _ = counts_by_class(columns["label"], columns["prediction"])
    there = labels > 0
    return float((right[there] / labels[there]).mean()) if there.any() else math.nan


def counts_by_class(label: np.ndarray, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return by class how many examples are right, have it as label, and have it as prediction."""
    import numpy as np

    size = int(max(label.max(initial=-1), prediction.max(initial=-1))) + 1
    right = np.bincount(label[label == prediction], minlength=size)
    return right, np.bincount(label, minlength=size), np.bincount(prediction, minlength=size)


def _calibration_error(columns: Columns) -> float:
    """Return Σ over bins of |hits − sum of confidences| / N, with bins (0, 1/15], … (14/15, 1] of the confidence.

    Unlike torchmetrics 1.9, which has a sixteenth bin for a confidence of exactly 1.
    """
    import numpy as np

    confidence = columns["confidence"].astype(np.float64)
    hits = columns["label"] == columns["prediction"]
    place = np.clip(np.ceil(confidence * BINS) - 1, 0, BINS - 1).astype(np.int64)
    return float(np.abs(np.bincount(place, weights=hits - confidence, minlength=BINS)).sum() / len(hits))


TOP_5 = Metric(
    name="top-5",
    about="share of examples whose class is among the five with the highest logits; of equal ones the first count",
    least=0,
    most=1,
    percent=True,
    mean_of="hits",
    columns=("rank",),
    values=_top_5,
)
MACRO_F1 = Metric(
    name="macro-f1",
    about="mean F1 over the classes that occur as labels or as predictions",
    least=0,
    most=1,
    percent=True,
    columns=ANSWER,
    value=_macro_f1,
)
BALANCED_ACCURACY = Metric(
    name="balanced-accuracy",
    about="mean over the classes that occur as labels of the share of their examples that are right",
    least=0,
    most=1,
    percent=True,
    columns=ANSWER,
    value=_balanced_accuracy,
)
CALIBRATION_ERROR = Metric(
    name="ece",
    about=f"expected calibration error, {BINS} bins of equal width over the confidence in the predicted class",
    better="lower",
    least=0,
    most=1,
    percent=True,
    columns=(*ANSWER, "confidence"),
    value=_calibration_error,
)
