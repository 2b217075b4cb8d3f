"""What a task's loader gives, for tests of loaders."""

from pathlib import Path
from typing import Any

import numpy as np

from nacbench.contracts.task import Task
from nacbench.data.array_task import ArrayTask
from nacbench.data.live import Classification
from nacbench.registry import TASKS

PARQUET = "00000-of-00001.parquet"


def task(name: str, **options: Any) -> Task:
    return TASKS.training(name).configured("task", "smoke", options)


def arrays(name: str, root: Path, **options: Any) -> dict[str, np.ndarray]:
    """What a task's loader gives."""
    found: Any = TASKS.get(name).configured("task", "smoke", options)
    return dict(found.arrays(root).arrays)


def live(name: str, root: Path, **options: Any) -> Classification:
    found = task(name, **options)
    assert isinstance(found, ArrayTask)
    return found.build(root, found.recipes["smoke"])
