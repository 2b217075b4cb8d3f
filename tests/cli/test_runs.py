"""``nacbench runs``, ``nacbench show`` and the details of models: what is stored, in words and as JSON."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nacbench.cli import app
from nacbench.contracts.described import option_texts, recipe_texts
from nacbench.errors import UserError
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


def rows_of(*words: str) -> list[dict[str, Any]]:
    """The rows of ``nacbench runs`` as data."""
    found: list[dict[str, Any]] = json.loads(printed("runs", *words, "--json"))["runs"]
    return found


def test_a_failed_run_is_found_in_a_part_of_a_store_and_by_its_settings(store: Path) -> None:
    failed = made_failure(model="vit", status="failed")
    assert [row["state"] for row in rows_of(str(store / "digits" / "vit"))] == ["failed"]
    folder = locate(failed.run_id, store)
    identity = made_record(model="vit", seed=9).identity
    (folder / "state.json").write_text(json.dumps({"attempts": 1, "identity": identity}))
    assert [row["state"] for row in rows_of(str(store), "--where", "model.depth=3", "--model", "vit")] == ["failed"]
    with pytest.raises(UserError, match="--where seed=77"):
        printed("runs", str(store), "--where", "seed=77")


def test_equal_copies_of_a_run_are_listed_once(store: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    copy = tmp_path_factory.mktemp("copy") / "runs"
    shutil.copytree(store, copy)
    assert len([row for row in rows_of(str(store), str(copy)) if row["state"] == "done"]) == 3


def test_a_folder_has_one_name_however_it_is_written(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = write_run(store, made_record(seed=5))
    (begun / "record.json").unlink()
    (store / "digits" / "nac" / "0123456789ab").mkdir()
    (store / "digits" / "nac" / "0123456789ab" / "record.json").write_text("{")
    monkeypatch.chdir(store / "digits")
    assert len(rows_of("..")) == len(rows_of(str(store))) == 5
    assert printed("report", "..", "--html", "--out", "report")
    page = (store / "digits" / "report" / "index.html").read_text()
    assert "Not counted: digits/nac/0123456789ab" in page
    assert str(store) not in page


def test_failures_without_a_finished_run_are_named(tmp_path: Path) -> None:
    write_failure(tmp_path, made_failure(status="failed", reason="out of memory"))
    done = CliRunner().invoke(app, ["report", str(tmp_path), "--out", str(tmp_path / "report")])
    assert done.exit_code != 0
    assert "digits · vit · seed 0 failed: out of memory" in str(done.exception)
    shown = printed("show", made_failure().run_id, "--out", str(tmp_path))
    assert "log.txt" not in shown


def test_a_run_without_a_readable_state_is_named(store: Path) -> None:
    folder = write_run(store, made_record(seed=5))
    (folder / "record.json").unlink()
    (folder / "state.json").write_text("{")
    done = CliRunner().invoke(app, ["runs", str(store)])
    assert f"warning: {folder}/state.json is broken" in done.stderr


def test_a_copy_beside_a_run_does_not_make_its_id_ambiguous(store: Path) -> None:
    folder = locate(made_record(seed=1, score=0.9).run_id, store)
    shutil.copytree(folder, folder.with_name(f"{folder.name}-copy"))
    assert locate(folder.name, store) == folder
    other = store / "digits-c" / "nac" / f"{folder.name[:6]}abcdef"
    other.mkdir(parents=True)
    with pytest.raises(
        UserError, match=f"ids of 2 runs start with it: .*{other}.*; give more of the id, or the folder"
    ):
        locate(folder.name[:6], store)


def test_only_a_network_that_the_run_has_trained_has_an_interval_over_examples(store: Path) -> None:
    own, other = made_record(seed=1, score=0.9), made_record(task="digits-c", trained_on="digits", protocol="ood")
    write_run(store, other)
    assert "95 % interval over 1,000 examples" in printed("show", own.run_id, "--out", str(store))
    assert "interval" not in printed("show", other.run_id, "--out", str(store))


def test_a_trial_of_tuning_shows_validation_examples(store: Path) -> None:
    notes = ["for tuning: scored on validation examples; the test examples are not read"]
    record = made_record(task="digits-tuning", notes=notes)
    folder = write_run(store, record)
    lines = printed("show", record.run_id, "--out", str(store)).splitlines()
    assert [line.split()[0] for line in lines if " accuracy " in line] == ["validation"]
    report = printed("report", str(folder), "--out", str(store / "report"))
    text = (store / "report" / "table.md").read_text()
    assert "validation score" in text
    assert "accuracy on 1,000 validation examples" in text
    assert "test score" not in text + report


def test_a_changed_curve_is_not_shown(store: Path) -> None:
    record = made_record(seed=6)
    folder = write_run(store, record)
    assert "training loss, last 0.1" in printed("show", record.run_id, "--out", str(store))
    curve = folder / "curve.jsonl"
    curve.write_text(curve.read_text().replace("0.1", "0.2"))
    done = CliRunner().invoke(app, ["show", record.run_id, "--out", str(store)])
    assert "training loss, last" not in done.stdout
    assert "its curve is not shown" in done.stderr
    with pytest.raises(UserError, match=r"curve\.jsonl is damaged or changed"):
        printed("export", str(folder), "--to", "tensorboard", "--into", str(store / "tb"))


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
