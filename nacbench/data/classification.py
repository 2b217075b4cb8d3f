"""Classification loss (cross-entropy) and scores (accuracy, negative log-likelihood), shared by all tasks."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nacbench.contracts.task import Evaluation


def classification_loss(logits: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Return the mean cross-entropy, a scalar, computed in float32 or float64.

    Args:
        logits: B×classes.
        target: class indices B, or probabilities B×classes.
        label_smoothing: in [0, 1], probability mass spread evenly over all classes.
    """
    return F.cross_entropy(at_least_float(logits), target, label_smoothing=label_smoothing)


def classification_scores(logits: Tensor, labels: Tensor) -> Evaluation:
    """Return accuracy and mean negative log-likelihood (nats), with predictions per example.

    Args:
        logits: N×classes, in the split's order.
        labels: class indices N.

    Returns:
        Metrics ``accuracy`` and ``nll``; columns ``index``, ``label``, ``prediction``, ``nll``, ``rank`` (number of
        classes that come before the label: with a higher logit, or with the same and a smaller index), ``confidence``
        (softmax probability of the prediction) and ``logits`` (half precision).
    """
    logits = at_least_float(logits).cpu()
    labels = labels.cpu()
    prediction = logits.argmax(dim=-1)
    nll = F.cross_entropy(logits, labels, reduction="none").numpy()
    hits = int((prediction == labels).sum())
    predictions: dict[str, np.ndarray] = {
        "index": np.arange(len(labels), dtype=np.int32),
        "label": labels.numpy().astype(np.int32),
        "prediction": prediction.numpy().astype(np.int32),
        "nll": nll.astype(np.float32),
        # From the logits before they are halved, so that metrics of ranks and probabilities need no logits to be kept
        "rank": rank_of(logits, labels).numpy().astype(np.int32),
        "confidence": logits.softmax(dim=-1).amax(dim=-1).numpy().astype(np.float32),
        "logits": logits.numpy().astype(np.float16),
    }
    # The mean is of the stored float32 values, so that the metric can be recomputed exactly from the predictions
    metrics = {"accuracy": hits / len(labels), "nll": float(nll.astype(np.float32).mean(dtype=np.float64))}
    return Evaluation(metrics=metrics, predictions=predictions)


def rank_of(logits: Tensor, labels: Tensor) -> Tensor:
    """Return how many classes come before each label, N; 0 is what ``argmax`` gives, the first of equal logits.

    Args:
        logits: N×classes.
        labels: class indices N.
    """
    own = logits.gather(1, labels[:, None])
    before = torch.arange(logits.shape[1]) < labels[:, None]
    return ((logits > own) | ((logits == own) & before)).sum(dim=1)


def at_least_float(x: Tensor) -> Tensor:
    """Cast half precision to float32; return any other tensor unchanged."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
