"""What a network learns, by kind of targets: training targets, loss and scores of classes, of labels, and of values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nacbench.contracts.metric import Columns, Metric
from nacbench.contracts.task import Evaluation
from nacbench.data.classification import at_least_float, classification_loss, classification_scores
from nacbench.data.metrics.labels import HAMMING_LOSS, MACRO_AP, SUBSET_ACCURACY
from nacbench.data.metrics.values import MAE, R2, RMSE
from nacbench.errors import UserError

if TYPE_CHECKING:
    from nacbench.contracts.spec import Targets


class Objective(Protocol):
    """How outputs B×classes of a network are compared with what an array of examples holds."""

    def target(self, labels: Tensor) -> Tensor:
        """Return the training target of labels as stored, which a network's outputs are compared with."""

    def loss(self, outputs: Tensor, target: Tensor, label_smoothing: float) -> Tensor:
        """Return the training loss, a scalar, computed in float32 or float64."""

    def scores(self, outputs: Tensor, labels: Tensor) -> Evaluation:
        """Return metrics and predictions for the outputs N×classes of a whole split and its labels as stored."""

    def predicted(self, outputs: Tensor) -> tuple[np.ndarray, np.ndarray | None]:
        """Return what the outputs N×classes predict, and the probability of each class or label, float32 N×classes.

        Predictions are class numbers (int32 N), labels of 0 and 1 (uint8 N×classes), or values in the targets' own unit
        (float32 N×classes), which have no probabilities.
        """

    def answers(self, outputs: Tensor) -> list[str]:
        """Return what each of the outputs N×classes says, as text."""

    def right(self, labels: Tensor) -> list[str]:
        """Return what each label as stored says, as text."""


class Classes:
    """One class per example; cross-entropy."""

    def target(self, labels: Tensor) -> Tensor:
        return labels

    def loss(self, outputs: Tensor, target: Tensor, label_smoothing: float) -> Tensor:
        return classification_loss(outputs, target, label_smoothing)

    def scores(self, outputs: Tensor, labels: Tensor) -> Evaluation:
        return classification_scores(outputs, labels)

    def predicted(self, outputs: Tensor) -> tuple[np.ndarray, np.ndarray | None]:
        outputs = at_least_float(outputs).cpu()
        return outputs.argmax(dim=-1).numpy().astype(np.int32), outputs.softmax(dim=-1).numpy().astype(np.float32)

    def answers(self, outputs: Tensor) -> list[str]:
        return self.right(outputs.argmax(dim=-1))

    def right(self, labels: Tensor) -> list[str]:
        return [str(label) for label in labels.tolist()]


class Labels:
    """Any subset of the labels, N×L of 0 and 1; binary cross-entropy of each label, averaged over labels."""

    def target(self, labels: Tensor) -> Tensor:
        return labels

    def loss(self, outputs: Tensor, target: Tensor, label_smoothing: float) -> Tensor:
        outputs = at_least_float(outputs)
        smoothed = target.to(outputs.dtype) * (1 - label_smoothing) + label_smoothing / 2
        return F.binary_cross_entropy_with_logits(outputs, smoothed)

    def scores(self, outputs: Tensor, labels: Tensor) -> Evaluation:
        columns: Columns = {
            "labels": labels.cpu().numpy().astype(np.uint8),
            "scores": at_least_float(outputs).cpu().numpy().astype(np.float32),
        }
        return _evaluation(columns, (SUBSET_ACCURACY, HAMMING_LOSS, MACRO_AP))

    def predicted(self, outputs: Tensor) -> tuple[np.ndarray, np.ndarray | None]:
        outputs = at_least_float(outputs).cpu()
        return (outputs > 0).numpy().astype(np.uint8), outputs.sigmoid().numpy().astype(np.float32)

    def answers(self, outputs: Tensor) -> list[str]:
        return self.right(outputs)

    def right(self, labels: Tensor) -> list[str]:
        return [" ".join(str(number) for number, own in enumerate(row) if own > 0) or "none" for row in labels.tolist()]


@dataclass(frozen=True)
class Values:
    """Real values, N×K; squared error of values in standard deviations of the training examples.

    A network starts with outputs around 0, so it learns deviations from the mean, and values of any unit train at the
    same learning rate. Scores and predictions are in the targets' own unit.

    Attributes:
        mean, deviation: of each value over the training examples, K numbers each.
    """

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, train: np.ndarray) -> Values:
        """Return the objective for these values of the training examples, N×K."""
        values = train.astype(np.float64)
        deviation = values.std(axis=0)
        return cls(values.mean(axis=0), np.where(deviation > 0, deviation, 1.0))

    def target(self, labels: Tensor) -> Tensor:
        return ((labels - torch.from_numpy(self.mean)) / torch.from_numpy(self.deviation)).float()

    def loss(self, outputs: Tensor, target: Tensor, label_smoothing: float) -> Tensor:
        outputs = at_least_float(outputs)
        return F.mse_loss(outputs, target.to(outputs.dtype))

    def scores(self, outputs: Tensor, labels: Tensor) -> Evaluation:
        columns = {"target": labels.cpu().numpy().astype(np.float32), "output": self._in_unit(outputs)}
        return _evaluation(columns, (R2, RMSE, MAE))

    def predicted(self, outputs: Tensor) -> tuple[np.ndarray, np.ndarray | None]:
        return self._in_unit(outputs), None

    def answers(self, outputs: Tensor) -> list[str]:
        return self.right(torch.from_numpy(self._in_unit(outputs)))

    def right(self, labels: Tensor) -> list[str]:
        return [" ".join(f"{value:.4g}" for value in row) for row in labels.tolist()]

    def _in_unit(self, outputs: Tensor) -> np.ndarray:
        """Return outputs in the targets' own unit, float32."""
        scaled: np.ndarray = at_least_float(outputs).cpu().numpy() * self.deviation + self.mean
        return scaled.astype(np.float32)


def _evaluation(columns: Columns, metrics: Iterable[Metric]) -> Evaluation:
    """Return an evaluation with those metrics that are defined for these examples, computed from what is kept."""
    found = {metric.name: metric.of(columns) for metric in metrics}
    size = len(next(iter(columns.values())))
    return Evaluation(
        metrics={name: value for name, value in found.items() if not math.isnan(value)},
        predictions={"index": np.arange(size, dtype=np.int32), **columns},
    )


def objective_for(targets: Targets, train: np.ndarray, label_smoothing: float) -> Objective:
    """Return the objective for a kind of targets.

    Args:
        targets: as in `nacbench.contracts.spec.TaskSpec`.
        train: labels of the training examples in use.
        label_smoothing: of the recipe.

    Raises:
        UserError: if the recipe asks for what this kind does not have.
    """
    if targets == "values":
        if label_smoothing:
            raise UserError(f"training.label_smoothing = {label_smoothing:g}: targets that are values have no classes")
        return Values.of(train)
    return OBJECTIVES[targets]


OBJECTIVES: Mapping[str, Objective] = {"classes": Classes(), "labels": Labels()}
