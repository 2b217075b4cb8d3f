"""A store, and the plug-in of runs that only sleep."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nacbench.plugin_files import load_plugin_file
from nacbench.registry import MODELS, TASKS
from nacbench.sweep.plan import Place

from .sleepy_runs import PLUGIN


@pytest.fixture
def sleepy() -> Iterator[None]:
    """The sleepy task and its model."""
    load_plugin_file(PLUGIN)
    yield
    TASKS.forget_files()
    MODELS.forget_files()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """An empty store."""
    return Place(tmp_path / "runs", tmp_path / "data")
