"""All metrics that are computed from kept predictions of any task with the columns that they read."""

from collections.abc import Mapping

from nacbench.contracts.metric import ACCURACY, NLL, Metric
from nacbench.data.metrics.classes import BALANCED_ACCURACY, CALIBRATION_ERROR, MACRO_F1, TOP_5
from nacbench.data.metrics.labels import HAMMING_LOSS, MACRO_AP, SUBSET_ACCURACY
from nacbench.data.metrics.values import MAE, R2, RMSE

BUILT_IN: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        ACCURACY,
        TOP_5,
        MACRO_F1,
        BALANCED_ACCURACY,
        CALIBRATION_ERROR,
        NLL,
        SUBSET_ACCURACY,
        HAMMING_LOSS,
        MACRO_AP,
        R2,
        RMSE,
        MAE,
    )
}
