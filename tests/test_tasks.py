"""Every built-in task runs, at scale smoke, with NAC and two baselines: on made data where the real thing is large."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from nacbench.contracts.task import EvaluationTask
from nacbench.registry import TASKS
from nacbench.running.resolve import resolve
from nacbench.running.runner import run
from nacbench.training.execution import Execution

from .conftest import REPOSITORY

NEED_NOTHING = {"digits", "digits-c", "listops", "listops-short", "nlvr-synthetic", "parametric-shapes"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all, so that tasks find the runs whose networks they score."""
    return tmp_path_factory.mktemp("runs")


@pytest.mark.parametrize("model", ["nac", "perceiver-io", "transformer"])
@pytest.mark.parametrize("name", TASKS.entries())
def test_every_task_runs(name: str, model: str, store: Path, made_mirror: Path) -> None:
    config = resolve({"task": {"name": name}, "model": {"name": model}, "scale": "smoke"})
    outcome = run(config, store=store, data_root=made_mirror, execution=lambda: Execution(show_progress=False))
    record = outcome.record
    assert 0 <= record.score <= 1
    assert record.cost.forward_flops > 0
    assert (record.trained_on is not None) == issubclass(TASKS.get(name), EvaluationTask)
    assert resolve(yaml.safe_load((outcome.folder / "config.yaml").read_text())) == config


def test_a_task_with_some_of_its_classes_says_so_everywhere(store: Path, made_mirror: Path) -> None:
    config = resolve({"task": {"name": "tiny-imagenet"}, "model": {"name": "nac"}, "scale": "smoke"})
    record = run(config, store=store, data_root=made_mirror, execution=lambda: Execution(show_progress=False)).record
    assert record.data.partial == ["4 of 200 classes"]
    assert record.data.classes == 4
    assert record.task_label == "tiny-imagenet (part)"


def listed(root: Path) -> dict[str, dict[str, object]]:
    """What ``nacbench tasks --json`` says, by task."""
    command = [sys.executable, "-m", "nacbench", "tasks", "--json", "--data-root", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    content = json.loads(done.stdout)
    assert content["broken"] == {}
    return {row["name"]: row for row in content["tasks"]}


def test_all_tasks_are_listed_and_ready_where_their_data_is(made_mirror: Path) -> None:
    rows = listed(made_mirror)
    assert set(rows) == set(TASKS.entries())
    assert [name for name, row in rows.items() if not row["ready"]] == []


def test_without_data_each_task_that_needs_some_says_what_is_missing(tmp_path: Path) -> None:
    rows = listed(tmp_path)
    assert {name for name, row in rows.items() if row["ready"]} == NEED_NOTHING
    for name, row in rows.items():
        assert bool(row["missing"]) == (name not in NEED_NOTHING)
