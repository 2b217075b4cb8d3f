"""The commands and the Python of the tutorial, unchanged, one after another, in a new folder.

They take a minute or two; the tutorial promises five, which is the timeout of each test in pyproject.toml.
"""

import re
import subprocess
import sys
from pathlib import Path

from .conftest import REPOSITORY

TUTORIAL = (REPOSITORY / "docs" / "tutorial.md").read_text()


def test_it_runs_from_training_to_drawing(tmp_path: Path) -> None:
    names: dict[str, str] = {}
    for kind, block in re.findall(r"```(bash|python)\n(.*?)```", TUTORIAL, re.DOTALL):
        for name, value in names.items():
            block = block.replace(name, value)
        if kind == "bash":
            block = block.replace("nacbench ", f"{sys.executable} -m nacbench ", 1)
            done = subprocess.run(block, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)
        else:
            done = subprocess.run(
                [sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, check=False
            )
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        if " run " in block:
            (folder,) = (tmp_path / "runs" / "digits" / "nac").iterdir()
            names["ID"] = folder.name
    assert done.stdout.count("digits-pruned") >= 1
    made = {path.name for path in (tmp_path / "tutorial").rglob("*") if path.is_file()}
    for name in ("circuit", "reading", "flow", "pruning"):
        assert {f"{name}.png", f"{name}.pdf"} <= made
    assert {"circuit.graphml", "model.safetensors", "table.md"} <= made
