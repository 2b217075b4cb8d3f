"""How a number on another run's network comes from less than whole data sets: the source's shortages count, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from nacbench.data.array_task import ArrayTask


def trained_shortages(source: ArrayTask, arrays: Mapping[str, np.ndarray]) -> list[str]:
    """What the source's data lacks, each line marked as the source's."""
    return [f"trained on: {text}" for text in source.shortages(arrays)]
