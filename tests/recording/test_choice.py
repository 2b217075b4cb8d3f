"""Choosing among finished runs: names, patterns and conditions, and what is said if none is left."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from nacbench.cli import app
from nacbench.errors import UserError
from nacbench.recording.choice import Choice
from nacbench.recording.index import Runs, read_runs
from tests.made import made_failure, made_record, write_content, write_failure, write_run


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two tasks, two models and two learning rates, of which the smaller has two seeds."""
    for task in ("digits", "digits-c"):
        for model in ("nac", "vit"):
            for lr, seed in ((0.001, 0), (0.001, 1), (0.01, 0)):
                write_run(tmp_path, made_record(task=task, model=model, lr=lr, seed=seed), curve=False)
    write_failure(tmp_path, made_failure(task="digits", model="pointnet"))
    return tmp_path


@pytest.fixture
def found(store: Path) -> Runs:
    return read_runs(store)


@pytest.mark.parametrize(
    ("choice", "left"),
    [
        (Choice(), 12),
        (Choice(tasks=["digits"]), 6),
        (Choice(tasks=["digits*"]), 12),
        (Choice(tasks=["*-c"], models=["nac"]), 3),
        (Choice(models=["nac", "vit"]), 12),
        (Choice(where=["training.lr=0.001"]), 8),
        (Choice(where=["training.lr = 1e-3"]), 8),  # numbers are compared by value
        (Choice(where=["training.lr=0.001,0.01"]), 12),
        (Choice(where=["training.lr!=0.001"]), 4),
        (Choice(where=["training.lr>0.001", "training.lr<=0.01"]), 4),
        (Choice(where=["training.augment.flip=false"]), 12),
        (Choice(where=["model.name=nac", "seed<1"]), 4),
        (Choice(where=["scale!=paper"]), 12),
    ],
)
def test_runs_that_meet_every_condition_are_left(found: Runs, choice: Choice, left: int) -> None:
    assert len(choice.of(found).runs) == left


def test_a_run_without_the_setting_stays(tmp_path: Path) -> None:
    for model, prior in (("nac", "ring"), ("nac", "none"), ("vit", None)):
        content = made_record(model=model).model_dump(mode="json")
        if prior:
            content["identity"]["config"]["model"]["prior"] = prior
        write_content(tmp_path, content)
    left = Choice(where=["model.prior=ring"]).of(read_runs(tmp_path)).runs
    assert sorted(run.model for run in left) == ["nac", "vit"]


def test_failures_are_chosen_by_task_and_model_and_have_no_settings(found: Runs) -> None:
    assert len(Choice(tasks=["digits"]).of(found).failures) == 1
    assert len(Choice(models=["nac"]).of(found).failures) == 0
    assert len(Choice(where=["seed=0"]).of(found).failures) == 0


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (Choice(tasks=["digitz"]), "unknown task among these 12 runs 'digitz'; did you mean 'digits'?"),
        (Choice(tasks=["digits"], models=["zebra"]), "unknown model among these 6 runs 'zebra'; there are: nac, vit"),
        (
            Choice(where=["training.learning_rate=1"]),
            "unknown setting in --where 'training.learning_rate'; did you mean 'training.lr'?",
        ),
        (Choice(where=["training.lr=5"]), "--where training.lr=5 leaves none of 12 runs; training.lr is 0.001 or 0.01"),
        (
            Choice(tasks=["digits"], where=["training.lr=0.01", "seed=1"]),
            "--where seed=1 leaves none of 2 runs; seed is 0",
        ),
        (Choice(where=["training.lr=high"]), "'high' is no value of training.lr, which is 0.001 or 0.01"),
        (Choice(where=["training.augment.flip=no"]), "'no' is no value of training.augment.flip, which is false"),
        (Choice(where=["model.name<3"]), "'3' is no value of model.name, which is nac or vit"),
        (Choice(where=["training.lr"]), "--where 'training.lr': write KEY=VALUE, as in training.lr=0.001"),
        (Choice(where=["training.lr="]), "write KEY=VALUE"),
        (Choice(where=["training.lr<1,2"]), "< compares with one number, as in training.lr<0.001"),
    ],
)
def test_the_option_that_leaves_nothing_is_named(found: Runs, choice: Choice, message: str) -> None:
    with pytest.raises(UserError) as caught:
        choice.of(found)
    assert message in str(caught.value)


CHOSEN = ("--task", "digits", "--model", "nac", "--where", "training.lr=0.001")


@pytest.mark.parametrize(
    "words",
    [
        ("report", "{store}", "--out", "{out}"),
        ("claims", "{store}"),
        ("paper", "table", "modalities", "--scale", "mini", "--out", "{store}"),
        ("compare", "{run}", "{other}", "--out", "{store}"),
    ],
)
def test_every_command_that_reads_many_runs_takes_the_same_options(
    store: Path, tmp_path: Path, words: list[str]
) -> None:
    run, other = (made_record(lr=0.001, seed=seed).run_id for seed in (0, 1))
    given = [word.format(store=store, out=tmp_path / "out", run=run, other=other) for word in words]
    done = CliRunner().invoke(app, [*given, *CHOSEN])
    assert done.exit_code == 0, done.exception
    task = "" if words[0] == "compare" else "--task digits "  # there the task stands in every line
    assert f"Only runs chosen by {task}--model nac --where training.lr=0.001." in done.stdout
    refused = CliRunner().invoke(app, [*given, "--where", "training.lrr=1"])
    assert isinstance(refused.exception, UserError)
    assert "did you mean 'training.lr'" in str(refused.exception)
