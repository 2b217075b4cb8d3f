"""The single files in examples/ keep their contracts; the package there has tests of its own in test_plugins."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from nacbench.cli import app
from nacbench.contracts.spec import TaskSpec
from nacbench.profiling.counting import forward_flops
from nacbench.registry import MODELS, TASKS, load_plugin_file

from .conftest import REPOSITORY

EXAMPLES = REPOSITORY / "examples"


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """No other test shall know them."""
    yield
    TASKS.forget_files()
    MODELS.forget_files()


@pytest.mark.parametrize("name", ["breast-cancer", "attention-pooling"])
def test_an_example_passes_the_conformance_checks(name: str) -> None:
    file = EXAMPLES / f"{name.replace('-', '_')}.py"
    done = CliRunner().invoke(app, ["check", name, "--plugin", str(file)])
    assert done.exit_code == 0, done.output
    assert done.stdout.count("ok  ") == 8


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
