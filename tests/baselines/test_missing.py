"""A model whose library is not installed: one line that says how to get it, wherever the model is named."""

import json
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import nacbench
from nacbench.cli import app
from nacbench.conformance import check_plugin
from nacbench.errors import RunSkippedError, UserError
from nacbench.registry import MODELS
from nacbench.sweep.plan import make_plan, require_data
from nacbench.sweep.read_sweep import parse_sweep

LINE = "MLP-Mixer needs timm, which is not installed: pip install 'nacbench[rivals]'"


@pytest.fixture(autouse=True)
def without_timm(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Python finds no timm."""
    monkeypatch.setattr(
        "nacbench.contracts.model.distribution",
        lambda name: metadata.distribution("no-such-library" if name == "timm" else name),
    )
    yield


def test_list_of_models_names_the_extra_and_counts_the_others() -> None:
    listed = CliRunner().invoke(app, ["models"]).stdout
    assert listed.count(LINE) == 1
    rows = nacbench_models()
    assert (rows["mlp-mixer"]["missing"], rows["mlp-mixer"]["parameters"]) == (LINE, {})
    assert rows["vit"]["missing"] is None
    assert set(rows["vit"]["parameters"]) == {"tiny", "mini", "paper"}


def nacbench_models() -> dict[str, Any]:
    done = CliRunner().invoke(app, ["models", "--json"])
    return {row["name"]: row for row in json.loads(done.stdout)["models"]}


@pytest.mark.parametrize("task", ["digits", "digits-c"])
def test_run_names_the_extra_and_leaves_nothing_behind(tmp_path: Path, task: str) -> None:
    with pytest.raises(UserError) as refusal:
        nacbench.run(task, "mlp-mixer", scale="smoke", out=tmp_path / "runs", quiet=True)
    assert str(refusal.value) == LINE
    assert not list(tmp_path.iterdir())


def test_a_task_that_the_model_cannot_do_is_not_a_matter_of_its_library(tmp_path: Path) -> None:
    with pytest.raises(RunSkippedError, match="mlp-mixer cannot do listops-short: it takes images only"):
        nacbench.run("listops-short", "mlp-mixer", scale="smoke", out=tmp_path / "runs", quiet=True)


def test_sweep_is_refused_before_anything_is_submitted_and_its_finished_runs_are_still_found(tmp_path: Path) -> None:
    content = {"tasks": ["digits", "listops-short"], "models": ["mlp-mixer", "vit"], "scale": "smoke"}
    plan = make_plan(parse_sweep(content, tmp_path / "sweep.yaml"), tmp_path)
    problems = {(run.config.task.name, run.config.model.name): run.problem for run in plan.runs}
    assert problems[("digits", "mlp-mixer")] == LINE
    assert problems[("listops-short", "mlp-mixer")] == "it takes images only"
    assert problems[("digits", "vit")] is None
    assert all(run.run_id for run in plan.runs)
    with pytest.raises(UserError, match=r"run digits · mlp-mixer.*: MLP-Mixer needs timm"):
        require_data(plan)


def test_check_and_profile_name_the_extra() -> None:
    with pytest.raises(UserError, match="MLP-Mixer needs timm"):
        list(check_plugin("mlp-mixer", Path()))
    for more in ([], ["--match", "params"]):
        done = CliRunner().invoke(app, ["profile", "--task", "digits", "--model", "mlp-mixer", *more])
        assert LINE in str(done.exception)


def test_library_of_which_only_the_metadata_is_left_is_named_with_what_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mambapy.mamba", None)
    with pytest.raises(UserError, match=r"^Mamba cannot be built \(.*mambapy.*\).*--force-reinstall .*mambapy$"):
        nacbench.run("digits", "mamba", scale="smoke", out=tmp_path / "runs", quiet=True)


def test_library_of_a_package_s_model_is_installed_by_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    model = MODELS.get("vit")
    monkeypatch.setattr(model, "library", "no-such-library")
    assert model.missing() == "ViT needs no-such-library, which is not installed: pip install no-such-library"


def test_every_library_is_one_that_an_installation_brings() -> None:
    required = metadata.requires("nacbench") or []
    for name in MODELS.entries():
        model = MODELS.get(name)
        assert bool(model.library) == bool(model.kept_by), name
        if model.library and model.extra != "rivals":
            assert any(line.startswith(model.library) and "extra ==" not in line for line in required), name
