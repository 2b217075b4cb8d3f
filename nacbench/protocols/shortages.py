"""Incomplete data of evaluation tasks: what is missing of the data set that the network was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from nacbench.data.array_task import ArrayTask


def trained_shortages(trained: ArrayTask, arrays: Mapping[str, np.ndarray]) -> list[str]:
    """Return what is missing of the data that the network was trained on, as lines that start with ``trained on:``."""
    return [f"trained on: {text}" for text in trained.shortages(arrays)]
