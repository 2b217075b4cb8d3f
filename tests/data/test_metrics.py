"""Metrics from kept predictions: by hand, by slow versions, and as scikit-learn has them."""

import math
import warnings

import numpy as np
import pytest
import torch
from sklearn import metrics as theirs

from nacbench.contracts.metric import ACCURACY, NLL, Columns, Metric
from nacbench.data.classification import classification_scores
from nacbench.data.metrics.built_in import BUILT_IN
from nacbench.data.metrics.classes import BALANCED_ACCURACY, BINS, CALIBRATION_ERROR, MACRO_F1, TOP_5
from nacbench.data.metrics.labels import HAMMING_LOSS, MACRO_AP, SUBSET_ACCURACY
from nacbench.data.metrics.values import MAE, R2, RMSE


def answers(label: list[int], prediction: list[int]) -> Columns:
    return {"label": np.array(label), "prediction": np.array(prediction)}


@pytest.fixture
def draw() -> np.random.Generator:
    return np.random.default_rng(0)


# -- classes -----------------------------------------------------------------------------------------------------------


def test_macro_f1_and_balanced_accuracy_by_hand() -> None:
    some = answers([0, 0, 0, 1], [0, 0, 1, 1])
    assert MACRO_F1.of(some) == pytest.approx((2 * 2 / 5 + 2 * 1 / 3) / 2)
    assert BALANCED_ACCURACY.of(some) == pytest.approx((2 / 3 + 1) / 2)


def test_a_class_that_does_not_occur_does_not_count() -> None:
    """Class 1 is neither a label nor a prediction; class 3 is predicted once, and never right."""
    some = answers([0, 0, 2, 2], [0, 0, 2, 3])
    assert MACRO_F1.of(some) == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert BALANCED_ACCURACY.of(some) == pytest.approx((1 + 1 / 2) / 2)


@pytest.mark.parametrize("classes", [2, 7, 40])
def test_they_are_those_of_scikit_learn(classes: int, draw: np.random.Generator) -> None:
    label, prediction = draw.integers(0, classes, (2, 60))
    prediction[:30] = label[:30]
    some = {"label": label, "prediction": prediction}
    assert ACCURACY.of(some) == pytest.approx(theirs.accuracy_score(label, prediction))
    assert MACRO_F1.of(some) == pytest.approx(theirs.f1_score(label, prediction, average="macro"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a class was predicted which is no label
        assert BALANCED_ACCURACY.of(some) == pytest.approx(theirs.balanced_accuracy_score(label, prediction))


def slow_calibration_error(confidence: np.ndarray, hits: np.ndarray) -> float:
    total = 0.0
    for number in range(BINS):
        low, high = number / BINS, (number + 1) / BINS
        inside = [i for i, own in enumerate(confidence) if low < own <= high or (number == 0 and own == 0)]
        if inside:
            gap = np.mean([hits[i] for i in inside]) - np.mean([confidence[i] for i in inside])
            total += abs(gap) * len(inside) / len(confidence)
    return total


def test_the_calibration_error_is_the_slow_one_with_confidences_at_the_ends(draw: np.random.Generator) -> None:
    confidence = np.concatenate([draw.random(200), [0.0, 1.0, 1.0, 0.5]])
    label = draw.integers(0, 2, len(confidence))
    some = {"label": label, "prediction": np.zeros_like(label), "confidence": confidence}
    assert CALIBRATION_ERROR.of(some) == pytest.approx(slow_calibration_error(confidence, label == 0))


def test_a_sure_network_that_is_right_half_the_time_is_off_by_half() -> None:
    some = {**answers([0, 1], [0, 0]), "confidence": np.ones(2, np.float32)}
    assert CALIBRATION_ERROR.of(some) == 0.5


def test_top_5_counts_the_first_of_equal_logits() -> None:
    logits = torch.zeros(8, 8)
    logits[7, 7] = 1.0
    found = classification_scores(logits, torch.arange(8)).predictions
    assert found["rank"].tolist() == [0, 1, 2, 3, 4, 5, 6, 0]
    assert TOP_5.of(found) == 6 / 8


def test_rank_0_is_a_hit_whatever_is_equal(draw: np.random.Generator) -> None:
    logits = torch.from_numpy(draw.integers(0, 3, (500, 6)).astype(np.float32))
    labels = torch.from_numpy(draw.integers(0, 6, 500))
    found = classification_scores(logits, labels)
    assert float((found.predictions["rank"] == 0).mean()) == found.metrics["accuracy"] == ACCURACY.of(found.predictions)
    slow = [sorted(range(6), key=lambda k: (-row[k], k)).index(y) for row, y in zip(logits, labels, strict=True)]
    assert found.predictions["rank"].tolist() == slow


def test_top_5_is_that_of_scikit_learn_without_equal_logits(draw: np.random.Generator) -> None:
    logits = torch.from_numpy(draw.permuted(np.tile(np.arange(20.0), (100, 1)), axis=1))
    labels = torch.from_numpy(draw.integers(0, 20, 100))
    found = TOP_5.of(classification_scores(logits, labels).predictions)
    assert found == pytest.approx(theirs.top_k_accuracy_score(labels, logits, k=5, labels=np.arange(20)))


def test_the_log_likelihood_is_what_is_recorded() -> None:
    found = classification_scores(torch.randn(50, 3, generator=torch.Generator().manual_seed(1)), torch.arange(50) % 3)
    assert NLL.of(found.predictions) == found.metrics["nll"]


# -- values ------------------------------------------------------------------------------------------------------------


def test_r2_of_a_bad_guess_is_negative_and_that_of_the_mean_is_zero() -> None:
    target = np.array([[1.0], [2.0], [3.0]])
    assert R2.of({"target": target, "output": target}) == 1
    assert R2.of({"target": target, "output": np.full((3, 1), 2.0)}) == 0
    assert R2.of({"target": target, "output": target[::-1]}) == -3
    assert RMSE.of({"target": target, "output": target + 2}) == MAE.of({"target": target, "output": target - 2}) == 2


def test_r2_is_not_defined_where_the_target_never_varies() -> None:
    assert math.isnan(R2.of({"target": np.ones((4, 1)), "output": np.arange(4.0)[:, None]}))


@pytest.mark.parametrize("outputs", [1, 3])
def test_errors_are_those_of_scikit_learn(outputs: int, draw: np.random.Generator) -> None:
    target, output = draw.normal(50, 9, (2, 40, outputs)).astype(np.float32)
    some = {"target": target, "output": output}
    assert R2.of(some) == pytest.approx(theirs.r2_score(target, output))
    assert RMSE.of(some) == pytest.approx(theirs.root_mean_squared_error(target, output))
    assert MAE.of(some) == pytest.approx(theirs.mean_absolute_error(target, output))


# -- labels ------------------------------------------------------------------------------------------------------------


def test_labels_by_hand() -> None:
    some = {"labels": np.array([[1, 0], [1, 1]]), "scores": np.array([[2.0, -1.0], [1.0, -0.5]])}
    assert (SUBSET_ACCURACY.of(some), HAMMING_LOSS.of(some), MACRO_AP.of(some)) == (0.5, 0.25, 1.0)


def test_average_precision_is_that_of_scikit_learn_with_equal_scores_and_a_label_that_none_has(
    draw: np.random.Generator,
) -> None:
    labels = draw.integers(0, 2, (80, 5))
    labels[:, 3] = 0
    scores = draw.integers(-2, 3, (80, 5)).astype(np.float32)  # many are equal
    given = [theirs.average_precision_score(labels[:, k], scores[:, k]) for k in (0, 1, 2, 4)]
    assert MACRO_AP.of({"labels": labels, "scores": scores}) == pytest.approx(np.mean(given))
    assert math.isnan(MACRO_AP.of({"labels": np.zeros((3, 2)), "scores": np.ones((3, 2))}))


@pytest.mark.parametrize("metric", BUILT_IN.values(), ids=lambda metric: metric.name)
def test_every_built_in_metric_says_what_it_is_and_how_it_is_computed(metric: Metric) -> None:
    assert metric.about
    assert metric.is_computable
    assert metric.columns
