"""Loss and scores of classification, shared by all tasks that choose one of several classes."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nacbench.contracts.task import Evaluation


def classification_loss(logits: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy in float32 or better.

    Args:
        logits: B×classes.
        target: class indices B, or probabilities B×classes.
        label_smoothing: in [0, 1], probability mass spread over all classes.
    """
    return F.cross_entropy(at_least_float(logits), target, label_smoothing=label_smoothing)


def classification_scores(logits: Tensor, labels: Tensor) -> Evaluation:
    """Accuracy and mean negative log-likelihood (nats), and for each example what they are made of.

    Args:
        logits: N×classes, in the split's order.
        labels: class indices N.

    Returns:
        Metrics ``accuracy`` and ``nll``; columns ``index``, ``label``, ``prediction``, ``nll`` and ``logits`` (half
        precision).
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
        "logits": logits.numpy().astype(np.float16),
    }
    metrics = {"accuracy": hits / len(labels), "nll": float(nll.astype(np.float32).mean(dtype=np.float64))}
    return Evaluation(metrics=metrics, predictions=predictions)


def at_least_float(x: Tensor) -> Tensor:
    """Half precision as float32, anything else as it is."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
