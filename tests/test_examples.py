"""The single files in examples/ keep their contracts; the package there has tests of its own in test_plugins."""

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
    ("name", "checks"), [("breast-cancer", len(TASK_CHECKS)), ("attention-pooling", len(MODEL_CHECKS))]
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
