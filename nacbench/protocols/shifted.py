"""OOD robustness (distribution shift): evaluate a trained network, without adaptation, on shifted and on clean data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from nacbench.contracts.task import EvaluationTask, Metrics


@dataclass(frozen=True, kw_only=True)
class ShiftedTask(EvaluationTask):
    """Base class of OOD tasks: metrics are ``accuracy`` on shifted data, ``clean_accuracy``, and their difference."""

    protocol: ClassVar[str] = "ood"

    def score_line(self, metrics: Metrics, sizes: Mapping[str, int]) -> str:
        score, clean, drop = (100 * metrics["test"][name] for name in ("accuracy", "clean_accuracy", "drop"))
        return f"accuracy {score:.2f} % on shifted data, {clean:.2f} % on clean: a drop of {drop:.2f} points"
