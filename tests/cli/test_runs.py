"""``nacbench runs``, ``nacbench show`` and the details of models: what is stored, in words and as JSON."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nacbench.cli import app
from nacbench.contracts.described import option_texts, recipe_texts
from nacbench.recording.store import locate
from nacbench.recording.tags import add_tags, given
from nacbench.registry import MODELS, TASKS
from nacbench.suggestions import nearest
from tests.made import made_failure, made_record, write_failure, write_run


def printed(*words: str) -> str:
    """Standard output of a command that succeeds."""
    result = CliRunner().invoke(app, list(words), env={"COLUMNS": "200"}, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Three finished runs of two variants, and a failed one."""
    for seed, lr, score in ((0, 0.001, 0.8), (1, 0.001, 0.9), (0, 0.01, 0.7)):
        write_run(tmp_path, made_record(seed=seed, lr=lr, score=score), curve=False)
    write_failure(tmp_path, made_failure(model="vit", status="failed"))
    return tmp_path


def test_runs_are_listed_with_state_and_score_whether_they_are_finished_or_not(store: Path) -> None:
    rows = json.loads(printed("runs", str(store), "--json"))["runs"]
    assert sorted((row["model"], row["state"], row["score"]) for row in rows if row["score"]) == [
        ("nac", "done", 0.7),
        ("nac", "done", 0.8),
        ("nac", "done", 0.9),
    ]
    assert [row["model"] for row in rows if row["state"] == "failed"] == ["vit"]


def test_the_best_comes_first_in_the_unit_of_the_metric(store: Path) -> None:
    table = printed("runs", str(store), "--sort", "score", "--state", "done")
    assert table.index("90.00 %") < table.index("80.00 %") < table.index("70.00 %")
    assert "3 runs: 3 done" in table


def test_conditions_on_settings_choose_runs(store: Path) -> None:
    rows = json.loads(printed("runs", str(store), "--where", "training.lr=0.01", "--json"))["runs"]
    assert [row["settings"]["training.lr"] for row in rows] == [0.01]


def test_a_run_is_shown_by_the_beginning_of_its_id(store: Path) -> None:
    record = made_record(seed=1, score=0.9)
    shown = printed("show", record.run_id[:7], "--out", str(store))
    assert record.run_id in shown
    assert "90.00 %" in shown
    assert "nacbench repeat" in shown


def test_tags_are_a_column_where_a_run_has_some(store: Path) -> None:
    assert "tags" not in printed("runs", str(store))
    failed = made_failure(model="vit", status="failed")
    for run_id, tag in ((made_record(seed=1, score=0.9).run_id, "good"), (failed.run_id, "good"), (failed.run_id, "x")):
        add_tags(locate(run_id, store), given(tags=[tag], notes=["seen on Monday"]))
    assert "tags" in printed("runs", str(store))
    rows = json.loads(printed("runs", str(store), "--where", "tag=good", "--json"))["runs"]
    assert [(row["state"], row["tags"]) for row in rows] == [("done", ["good"]), ("failed", ["good", "x"])]


def test_a_run_is_shown_with_tags_notes_and_cost(store: Path) -> None:
    record = made_record(seed=1, score=0.9)
    add_tags(locate(record.run_id, store), given(tags=["good"], notes=["the one for the poster"]))
    shown = printed("show", record.run_id, "--out", str(store))
    assert "good" in shown
    assert "the one for the poster" in shown
    assert f"{record.cost.parameters:,}, of which the model" in shown
    assert "over test examples" not in shown


def test_a_failed_run_says_why(store: Path) -> None:
    failure = made_failure(model="vit", status="failed")
    shown = printed("show", failure.run_id, "--out", str(store))
    assert failure.reason.splitlines()[0] in shown


def test_every_option_and_every_setting_of_training_is_described() -> None:
    classes = [*MODELS.load_all()[0].items(), *TASKS.load_all()[0].items()]
    for name, cls in classes:
        assert [own for own in cls.option_names() if own not in option_texts(cls)] == [], name
    for name, task in TASKS.load_all()[0].items():
        texts = {key: text for recipe in task.recipes.values() for key, text in recipe_texts(recipe).items()}
        assert [key for key, text in texts.items() if not text] == [], name


def test_a_model_is_described_with_its_sizes() -> None:
    told = printed("models", "gru")
    assert "number of layers, each in both directions" in told
    assert "used at scale" in told


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("--learning-rate", "--set training.lr=…"),
        ("--gpu", "--device auto|cpu|cuda"),
        ("--dataset", "--task NAME"),
        ("--foo-bar", None),
    ],
)
def test_an_option_of_another_tool_suggests_ours(typed: str, meant: str | None) -> None:
    known = ["--set training.lr=…", "--device auto|cpu|cuda", "--task NAME"]
    assert nearest(typed, known) == ([meant] if meant else [])
