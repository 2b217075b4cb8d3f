"""A folder that readers may use; its parent has nothing else."""

from pathlib import Path

import pytest


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "around" / "place"
    folder.mkdir(parents=True)
    return folder
