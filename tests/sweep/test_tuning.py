"""What tuning decides, from made records; how it is written, and how a sweep takes it."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nacbench.cli import app
from nacbench.errors import UserError
from nacbench.recording.row import Run, row_of
from nacbench.sweep.config import parse_sweep, read_choices
from nacbench.sweep.plan import make_plan
from nacbench.sweep.tuning import choices_file, tuning_of
from tests.made import made_record, write_run

RATES = {0.001: 0.5, 0.004: 0.7, 0.009: 0.6}


def tried(scores: dict[float, float], **changes: Any) -> list[Run]:
    given = {"task": "digits-tuning", **changes}
    records = [made_record(**given, lr=lr, score=score) for lr, score in scores.items()]
    return [row_of(record, record.run_id, 1, 1) for record in records]


def test_the_best_on_validation_is_chosen_for_each_model() -> None:
    outcome = tuning_of([*tried(RATES), *tried({0.001: 0.9, 0.004: 0.8, 0.009: 0.1}, model="vit")])
    assert outcome.left_out == []
    assert [(one.cell.task, one.cell.model) for one in outcome.tuned] == [("digits", "nac"), ("digits", "vit")]
    assert [one.best.settings for one in outcome.tuned] == [{"training.lr": 0.004}, {"training.lr": 0.001}]
    assert [one.at_the_edge for one in outcome.tuned] == [[], ["training.lr"]]


def test_the_mean_over_seeds_decides() -> None:
    runs = [*tried({0.001: 0.5, 0.004: 0.9}), *tried({0.001: 0.8, 0.004: 0.3}, seed=1)]
    (one,) = tuning_of(runs).tuned
    assert [each.score.value for each in one.tried] == [pytest.approx(0.65), pytest.approx(0.6)]
    assert one.best.settings == {"training.lr": 0.001}
    assert one.best.seeds == {0, 1}


def test_ties_are_broken_by_log_likelihood() -> None:
    records = [made_record(task="digits-tuning", lr=lr, score=0.5) for lr in RATES]
    nlls = dict(zip(RATES, (0.7, 0.6, 0.8), strict=True))
    changed = [
        record.model_copy(update={"metrics": {"test": {"accuracy": 0.5, "nll": nll}}})
        for record, nll in zip(records, nlls.values(), strict=True)
    ]
    (one,) = tuning_of([row_of(record, record.run_id, 1, 1) for record in changed]).tuned
    assert one.best.settings == {"training.lr": 0.004}


def test_a_task_with_unequal_budgets_is_left_out() -> None:
    other = tried(RATES, task="listops-tuning")
    outcome = tuning_of([*tried(RATES), *tried({0.001: 0.9, 0.004: 0.8}, model="vit"), *other])
    assert [one.cell.task for one in outcome.tuned] == ["listops"]
    assert outcome.left_out == ["digits: models were tried with different settings or seeds (runs: nac 3, vit 2)"]


def test_a_single_setting_is_left_out() -> None:
    outcome = tuning_of(tried({0.001: 0.5}))
    assert outcome.tuned == []
    assert outcome.left_out == ["digits, nac: only one choice of settings has been tried"]


def test_runs_of_other_tasks_are_ignored() -> None:
    with pytest.raises(UserError, match="no runs of tasks that end in -tuning"):
        tuning_of(tried(RATES, task="digits"))


def test_a_sweep_reads_the_written_choices(tmp_path: Path) -> None:
    rows = tuning_of([*tried(RATES, size="tiny", scale="smoke")])
    (tmp_path / "rates.yaml").write_text(choices_file(rows, "nacbench tune runs"))
    (choice,) = read_choices(tmp_path / "rates.yaml")
    assert choice["use"] == {"training.lr": 0.004}
    tried_ones = {"training.lr=0.001": 0.5, "training.lr=0.004": 0.7, "training.lr=0.009": 0.6}
    assert choice["evidence"] == {"tried": tried_ones, "seeds": [0], "epochs": 2}
    content = {"tasks": ["digits", "digits-c", "parametric-shapes"], "models": ["nac", "vit"], "scale": "smoke"}
    sweep = parse_sweep({**content, "choices": "rates.yaml"}, tmp_path / "mine.yaml")
    plain = parse_sweep(content, tmp_path / "mine.yaml")
    for config, before in zip(sweep.expand(), plain.expand(), strict=True):
        own = config.trained_on or config
        tuned = (own.task.name, config.model.name) == ("digits", "nac")
        expected = 0.004 if tuned else (before.trained_on or before).training.model_dump()["lr"]
        assert own.training.model_dump()["lr"] == expected
        assert (config == before) == (not tuned)


def test_settings_of_a_block_override_choices() -> None:
    choices = [{"when": {"task": "digits"}, "use": {"training.lr": 0.004, "training.epochs": 2}}]
    content = {"tasks": "digits", "models": "nac", "scale": "smoke", "axes": {"training.lr": [0.1, 0.2]}}
    sweep = parse_sweep({**content, "choices": choices}, Path("mine.yaml"))
    recipes = [config.training.model_dump() for config in sweep.expand()]
    assert [(recipe["lr"], recipe["epochs"]) for recipe in recipes] == [(0.1, 2), (0.2, 2)]


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ([{"when": {"task": "digits"}, "use": {"training.lrr": 1}}], "unknown setting 'training.lrr'"),
        ([{"when": {"task": "digits"}}], "choices.0.use"),
        ("nowhere.yaml", "cannot read nowhere.yaml"),
    ],
)
def test_what_cannot_be_is_named(choices: Any, message: str) -> None:
    content = {"tasks": "digits", "models": "nac", "scale": "smoke", "choices": choices}
    with pytest.raises(UserError, match=message):
        parse_sweep(content, Path("mine.yaml")).expand()


def test_a_plan_shows_differing_settings(tmp_path: Path) -> None:
    content = {"tasks": "digits-tuning", "models": ["nac"], "scale": "smoke", "axes": {"training.lr": [0.1, 0.2]}}
    runs = make_plan(parse_sweep(content, Path("mine.yaml")), tmp_path).runs
    assert [run.title for run in runs] == [f"digits-tuning · nac · seed 0 · training.lr={lr}" for lr in (0.1, 0.2)]
    (alone,) = make_plan(parse_sweep({**content, "axes": {}}, Path("mine.yaml")), tmp_path).runs
    assert alone.title == "digits-tuning · nac · seed 0"


def test_a_file_without_choices_is_refused(tmp_path: Path) -> None:
    (tmp_path / "profile.yaml").write_text("executor: local")
    with pytest.raises(UserError, match="has no list called choices"):
        read_choices(tmp_path / "profile.yaml")


def test_the_command_prints_and_writes(tmp_path: Path) -> None:
    for lr, score in RATES.items():
        write_run(tmp_path / "runs", made_record(task="digits-tuning", lr=lr, score=score))
    to = tmp_path / "deep" / "rates.yaml"
    done = CliRunner().invoke(app, ["tune", str(tmp_path / "runs"), "--to", str(to)])
    assert done.exit_code == 0, (done.output, done.exception)
    assert "training.lr: validation score (%)" in done.stdout
    assert "0.001: 50.00 · 0.004: 70.00 · 0.009: 60.00   0.004" in done.stdout
    assert f"1 choices written to {to}" in " ".join(done.stdout.split())
    assert read_choices(to)[0]["when"] == {"task": "digits", "model": "nac", "model.size": "mini", "scale": "mini"}
    told = CliRunner().invoke(app, ["tune", str(tmp_path / "runs"), "--json"])
    assert '"chosen": {\n      "training.lr": 0.004\n    }' in told.stdout
