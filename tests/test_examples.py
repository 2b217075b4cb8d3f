"""The single files in examples/ keep their contracts; the package there has tests of its own in test_plugins."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from nacbench.cli import app
from nacbench.conformance import EVALUATION_TASK_CHECKS, MODEL_CHECKS, TASK_CHECKS
from nacbench.contracts.spec import TaskSpec
from nacbench.errors import UserError
from nacbench.plugin_files import load_plugin_file
from nacbench.profiling.counting import forward_flops
from nacbench.recording.index import read_runs
from nacbench.registry import MODELS, PROTOCOLS, TASKS

from .conftest import REPOSITORY

EXAMPLES = REPOSITORY / "examples"


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """No other test shall know them."""
    yield
    TASKS.forget_files()
    MODELS.forget_files()
    PROTOCOLS.forget_files()


@pytest.mark.parametrize(
    ("name", "checks"),
    [
        ("breast-cancer", len(TASK_CHECKS)),
        ("diabetes", len(TASK_CHECKS)),
        ("chord-tones", len(TASK_CHECKS)),
        ("attention-pooling", len(MODEL_CHECKS)),
    ],
)
def test_an_example_passes_the_conformance_checks(name: str, checks: int) -> None:
    file = EXAMPLES / f"{name.replace('-', '_')}.py"
    done = CliRunner().invoke(app, ["check", name, "--plugin", str(file)])
    assert done.exit_code == 0, done.output
    assert done.stdout.count("ok  ") == checks


def test_the_tasks_of_an_example_protocol_pass_the_conformance_checks() -> None:
    file = EXAMPLES / "linear_probing.py"
    done = CliRunner().invoke(app, ["check", "digits-linear-probing", "--plugin", str(file)])
    assert done.exit_code == 0, done.output
    assert done.stdout.count("ok  ") == len(EVALUATION_TASK_CHECKS)


@pytest.mark.parametrize("model", ["nac", "transformer"])
def test_probing_reads_the_features_of_a_trained_network_and_a_report_needs_no_plugin(
    model: str, tmp_path: Path
) -> None:
    words = ["run", "--task", "digits-linear-probing", "--model", model, "--scale", "smoke", "--out", str(tmp_path)]
    words += ["--plugin", str(EXAMPLES / "linear_probing.py"), "--quiet", "--set", "trained_on.training.epochs=3"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    PROTOCOLS.forget_files()
    found = {run.task: run for run in read_runs(tmp_path).runs}
    probed, trained = found["digits-linear-probing"].record(), found["digits"].record()
    assert probed.trained_on is not None
    assert (probed.protocol, probed.trained_on.run_id) == ("linear-probing", trained.run_id)
    assert probed.metrics["test"]["accuracy"] > max(0.4, trained.score)  # three epochs do not fit the last layer
    details = probed.details["test"]
    assert details["nll_on_choice"][f"{details['strength']:g}"] == min(details["nll_on_choice"].values())
    done = CliRunner().invoke(app, ["report", str(tmp_path), "--out", str(tmp_path / "report")])
    assert done.exit_code == 0, done.output
    assert "digits-linear-probing" in (tmp_path / "report" / "table.md").read_text()


def test_a_task_without_features_is_refused_with_the_reason() -> None:
    load_plugin_file(EXAMPLES / "linear_probing.py")
    with pytest.raises(UserError, match="task 'digits-c' trains no network on arrays"):
        TASKS.get("digits-c-linear-probing")


def test_the_task_and_the_model_go_together(tmp_path: Path) -> None:
    plugins = [
        word for name in ("breast_cancer", "attention_pooling") for word in ("--plugin", f"{EXAMPLES / name}.py")
    ]
    what = [
        "--task",
        "breast-cancer",
        "--model",
        "attention-pooling",
        "--scale",
        "smoke",
        "--set",
        "training.noise=0.2",
    ]
    done = CliRunner().invoke(app, ["run", *plugins, *what, "--out", str(tmp_path), "--quiet"])
    assert done.exit_code == 0, done.output
    assert "breast-cancer · attention-pooling (tiny" in done.stdout


def test_the_model_s_formula_is_what_is_counted() -> None:
    load_plugin_file(EXAMPLES / "attention_pooling.py")
    model = MODELS.get("attention-pooling").configured("model", "tiny", {"width": 24, "depth": 3})
    spec = TaskSpec(modality="symbols", classes=5, max_tokens=11, token_dim=7)
    operations = model.operations(spec, 11)
    assert operations is not None
    assert operations.forward(2) == forward_flops(model.build(spec), {"tokens": torch.randn(2, 11, 7)})


def nacbench(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize(
    ("task", "main", "direction", "others"),
    [
        ("diabetes", "rmse", "lower is better", ("mae", "r2")),
        ("chord-tones", "macro-ap (%)", "higher is better", ("subset-accuracy", "hamming-loss")),
    ],
)
def test_a_task_of_values_or_labels_runs_and_is_reported_compared_and_tuned(
    task: str, main: str, direction: str, others: tuple[str, str], tmp_path: Path
) -> None:
    plugin = ("--plugin", str(EXAMPLES / f"{task.replace('-', '_')}.py"))
    start = ("run", "--scale", "smoke", "--out", str(tmp_path / "runs"), "--quiet", *plugin, "--precision", "fp32")
    name = main.removesuffix(" (%)")
    for model, seed in (("floor-linear", 0), ("floor-linear", 1), ("transformer", 0), ("transformer", 1)):
        line = nacbench(*start, "--task", task, "--model", model, "--seed", str(seed)).splitlines()[1]
        assert line.startswith(f"  test {name} ")
        assert "95 %" not in line
    for rate in (0.0000001, 0.003):
        done = (*start, "--task", f"{task}-tuning", "--model", "transformer", "--set", f"training.lr={rate}")
        nacbench(*done, "--set", "training.epochs=2")
    TASKS.forget_files()  # records say what their metrics mean: a report needs no plug-in

    runs = {(run.model, run.seed): run for run in read_runs(tmp_path / "runs" / task).runs}
    better = runs["transformer", 0].measure.gain(runs["transformer", 0].score - runs["floor-linear", 0].score)
    assert better > 0  # it reads more than a mean
    table = nacbench("report", str(tmp_path / "runs" / task), "--out", str(tmp_path / "report"))
    rows = [line for line in table.splitlines() if line.startswith(f"| {task}")]
    assert ("transformer" in rows[0], "floor-linear" in rows[1]) == (True, True)
    assert direction in table
    for other in others:
        assert other in nacbench("report", str(tmp_path / "runs" / task), "--out", str(tmp_path), "--metric", other)
    told = nacbench("compare", "transformer", "floor-linear", "--task", task, "--out", str(tmp_path / "runs"))
    assert f" · {name}, " in told
    assert direction in told
    assert told.count("these two networks differ by") == 2
    (tuned,) = json.loads(nacbench("tune", str(tmp_path / "runs"), "--json"))
    assert tuned["chosen"] == {"training.lr": 0.003}


def test_pruning_by_accuracy_is_refused_for_a_task_of_values() -> None:
    load_plugin_file(EXAMPLES / "diabetes.py")
    with pytest.raises(UserError, match="task 'diabetes' has no classes"):
        TASKS.get("diabetes-pruned")
