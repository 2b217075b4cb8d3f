"""How a number on another run's network comes from less than whole data sets: what it was trained on counts, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from nacbench.data.array_task import ArrayTask


def trained_shortages(trained: ArrayTask, arrays: Mapping[str, np.ndarray]) -> list[str]:
    """Return what the data lacks that the network was trained on, each line marked as that."""
    return [f"trained on: {text}" for text in trained.shortages(arrays)]
