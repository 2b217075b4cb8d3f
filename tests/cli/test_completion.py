"""Shell completion, by its functions, and once as a shell asks for it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer import Context
from typer.main import get_command

from nacbench.cli import app
from nacbench.cli.shared import completion
from nacbench.recording.tags import Tags, add_tags
from tests.made import made_record, write_run


def context(**given: Any) -> Context:
    """Return what completion knows of the line so far."""
    found = Context(get_command(app))
    found.params.update({"task": None, "model": None} | given)
    return found


def test_names_are_completed() -> None:
    assert completion.complete_task(context(), "dig") == ["digits", "digits-c"]
    assert completion.complete_task(context(), "digits-") == ["digits-c", "digits-pruned", "digits-tuning"]
    assert completion.complete_model(context(), "perc") == ["perceiver", "perceiver-io"]
    assert completion.complete_plugin(context(), "vi") == ["vit"]
    assert "tensorboard" in completion.complete_tracker(context(), "")
    assert completion.complete_scale(context(), "s") == ["smoke"]
    assert completion.complete_state(context(), "fail") == ["failed"]
    assert completion.complete_metric(context(task="digits"), "acc") == ["accuracy"]
    assert completion.one_of("keep", "new")(context(), "n") == ["new"]


def test_settings_are_completed_with_their_choices() -> None:
    of_nac = context(task="digits", model="nac")
    assert completion.complete_setting(of_nac, "training.weight") == ["training.weight_decay="]
    assert completion.complete_setting(of_nac, "model.gra") == ["model.graph="]
    assert completion.complete_setting(of_nac, "model.graph=c") == ["model.graph=complete"]
    assert completion.complete_setting(of_nac, "training.score_ema=") == [
        "training.score_ema=true",
        "training.score_ema=false",
    ]
    assert completion.complete_setting(context(task="digits", model="vit"), "model.gra") == []


def test_runs_are_completed_by_id_and_by_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_run(tmp_path / "runs", made_record())
    monkeypatch.chdir(tmp_path)
    for found in (context(), context(out=tmp_path / "runs")):
        assert completion.complete_run(found, run.name[:4]) == [run.name]
    assert completion.complete_run(context(), "ru") == ["runs/"]


def test_sweeps_are_completed_by_suite_and_by_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("smoky.yaml", "smoke.txt"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    assert set(completion.complete_sweep(context(), "smok")) == {"smoke-all", "smoke", "smoky.yaml"}


def test_conditions_are_completed_from_the_runs(tmp_path: Path) -> None:
    run = write_run(tmp_path, made_record())
    add_tags(run, Tags(tags=("good",)))
    of_runs = context(folders=[tmp_path])
    assert completion.complete_where(of_runs, "tag") == ["tag"]
    assert completion.complete_where(of_runs, "tag=") == ["tag=good"]
    assert completion.complete_where(of_runs, "training.l") == ["training.lr"]
    assert completion.complete_where(of_runs, "training.lr<=") == ["training.lr<=0.001"]


def test_errors_of_completion_do_not_show(tmp_path: Path) -> None:
    assert completion.complete_setting(context(task="no-such"), "") == []
    assert completion.complete_where(context(folders=[tmp_path / "none"]), "") == []


def test_a_shell_gets_proposals_without_waiting_for_torch() -> None:
    line = {"_NACBENCH_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "nacbench run --model nac --set model.pool"}
    code = (
        "import sys; from nacbench.cli import app\n"
        "try: app(prog_name='nacbench')\n"
        "finally: print(sorted({'torch', 'pandas'} & set(sys.modules)))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | line, capture_output=True, text=True, check=False
    )
    assert "model.pooling=" in shown.stdout
    assert "[]" in shown.stdout
    assert not shown.stderr
