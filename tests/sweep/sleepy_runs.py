"""Sweeps of runs that only sleep, in Python and as the command line takes them."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from nacbench.sweep.observer import observe
from nacbench.sweep.plan import Place, Plan, make_plan
from nacbench.sweep.read_sweep import parse_sweep

from ..conftest import REPOSITORY

PLUGIN = REPOSITORY / "tests" / "slurm" / "sleepy.py"
CONTENT: dict[str, Any] = {
    "tasks": "sleepy",
    "models": "sleepy",
    "scale": "smoke",
    "precision": "fp32",
    "plugins": [str(PLUGIN)],
    "set": {"task.pause": 0.0, "training.epochs": 1},
    "profile": {"executor": "debug", "device": "cpu"},
}


def plan(place: Place, **changes: Any) -> Plan:
    """A sweep of sleepy runs."""
    return make_plan(parse_sweep({**CONTENT, **changes}, place.store / "mine.yaml"), place.data_root)


def states(plan: Plan, place: Place) -> list[str]:
    """Of all runs, in the plan's order."""
    standings = observe(plan.runs, place.store)
    return [standings[run.key].state for run in plan.runs]


def write(place: Place, tmp_path: Path, **changes: Any) -> list[str]:
    """The sweep's file, as the command line takes it."""
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({**CONTENT, **changes}))
    return [str(file), "--out", str(place.store)]


def nacbench(*words: str) -> "subprocess.CompletedProcess[str]":
    """One call of the command line."""
    command = [sys.executable, "-m", "nacbench", "sweep", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def wait_for(condition: Callable[[], Any]) -> Any:
    """Wait until something is true, and return it."""
    deadline = time.monotonic() + 60
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return value


def let_workers_import(monkeypatch: pytest.MonkeyPatch, folder: Path, code: str) -> None:
    """Give workers another package nacbench, of this code alone."""
    from nacbench.sweep import local

    (folder / "nacbench").mkdir(parents=True)
    (folder / "nacbench" / "__init__.py").write_text(code)
    monkeypatch.setattr(local, "worker_environment", lambda: {"PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"})
