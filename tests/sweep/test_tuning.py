"""What tuning decides, from made records; how it is written, and how a sweep takes it."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from nacbench.cli import app
from nacbench.errors import UserError
from nacbench.recording.identity import run_id_of
from nacbench.recording.record import RunRecord
from nacbench.recording.row import Run, row_of
from nacbench.running.resolve import resolve
from nacbench.sweep.content import read_choices
from nacbench.sweep.extension import extension, sweep_file
from nacbench.sweep.plan import make_plan
from nacbench.sweep.read_sweep import parse_sweep
from nacbench.sweep.tuning import choices_file, tuning_of
from tests.made import made_failure, made_record, write_failure, write_run

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


@pytest.mark.parametrize(
    ("scores", "names"),
    [
        ({0.001: 0.5, 0.004: 0.5, 0.009: 0.5}, []),  # as of a floor that no rate changes: beyond the edge is the same
        ({0.001: 0.5, 0.004: 0.7, 0.009: 0.7}, []),
        ({0.001: 0.7, 0.004: 0.5, 0.009: 0.7}, ["training.lr"]),
        ({0.001: 0.5, 0.004: 0.5}, ["training.lr"]),
    ],
)
def test_a_value_lies_at_no_edge_if_one_inside_is_as_good(scores: dict[float, float], names: list[str]) -> None:
    (one,) = tuning_of(tried(scores)).tuned
    assert one.at_the_edge == names


def test_a_task_with_unequal_budgets_is_left_out() -> None:
    other = tried(RATES, task="listops-tuning")
    outcome = tuning_of([*tried(RATES), *tried({0.001: 0.9, 0.004: 0.8}, model="vit"), *other])
    assert [one.cell.task for one in outcome.tuned] == ["listops"]
    assert outcome.left_out == ["digits: models were tried with different settings or seeds (runs: nac 3, vit 2)"]


def test_one_trial_of_one_model_leaves_out_the_task() -> None:
    """Choosing for the other one alone would give it the larger budget."""
    outcome = tuning_of([*tried(RATES), *tried({0.001: 0.9}, model="vit")])
    assert outcome.tuned == []
    assert outcome.left_out == ["digits: models were tried with different settings or seeds (runs: nac 3, vit 1)"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"training": {"epochs": 30}}, "training.epochs (2, 30)"),
        ({"data": "f2"}, "data (f1, f2)"),
        ({"precision": "fp32"}, "precision (bf16, fp32)"),
        ({"engine": "e2"}, "code.engine (e1, e2)"),
    ],
)
def test_a_task_with_unequally_treated_trials_is_left_out(changes: dict[str, Any], said: str) -> None:
    outcome = tuning_of([*tried(RATES), *tried(RATES, model="vit", **changes)])
    assert outcome.tuned == []
    assert outcome.left_out == [f"digits: trials differ in more than the model and what was tried: {said}"]


def test_trials_of_one_model_with_other_code_are_not_averaged() -> None:
    outcome = tuning_of([*tried(RATES), *tried(RATES, engine="e2", seed=1)])
    assert outcome.tuned == []


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


def real_record(lr: float, score: float, model: str = "nac", **training: Any) -> RunRecord:
    """A made record of digits-tuning whose configuration is one that can be run."""
    given = {"task": {"name": "digits-tuning"}, "model": {"name": model}, "scale": "smoke"}
    config = resolve({**given, "training": {"lr": lr, **training}}).as_dict()
    record = made_record(task="digits-tuning", model=model, size="tiny", scale="smoke", score=score)
    identity = {**record.identity, "config": config}
    changed = {"identity": identity, "run_id": run_id_of(identity), "precision": config["precision"]}
    return record.model_copy(update=changed)


def real_run(*args: Any, **training: Any) -> Run:
    return row_of(real_record(*args, **training), "made", 1, 1)


def blocks_of(runs: list[Run]) -> list[dict[str, Any]]:
    return extension(tuning_of(runs).tuned, runs)


def test_all_models_get_the_value_beyond_the_edge_of_one() -> None:
    inside = {0.001: 0.5, 0.003: 0.7, 0.009: 0.6}
    at_the_edge = {0.001: 0.5, 0.003: 0.7, 0.009: 0.8}
    runs = [real_run(lr, score, epochs=3) for lr, score in inside.items()]
    runs += [real_run(lr, score, "vit", epochs=3) for lr, score in at_the_edge.items()]
    (block,) = blocks_of(runs)
    assert block["models"] == ["nac", "vit"]
    assert block["set"] == {"model.size": "tiny", "training.epochs": 3, "training.lr": 0.027}
    sweep = parse_sweep(yaml.safe_load(sweep_file([block], "nacbench tune runs")), Path("more.yaml"))
    before = [config.training.model_dump() for config in sweep.expand()]
    assert [(recipe["lr"], recipe["epochs"]) for recipe in before] == [(0.027, 3)] * 2
    more = [*runs, real_run(0.027, 0.1, epochs=3), real_run(0.027, 0.2, "vit", epochs=3)]
    assert blocks_of(more) == []
    assert [one.at_the_edge for one in tuning_of(more).tuned] == [[], []]


def test_opposite_edges_extend_the_grid_of_both_models_both_ways() -> None:
    runs = [real_run(lr, lr) for lr in (0.001, 0.002)] + [real_run(lr, 1 - lr, "vit") for lr in (0.001, 0.002)]
    found = {block["set"]["training.lr"]: block["models"] for block in blocks_of(runs)}
    assert found == {0.0005: ["nac", "vit"], 0.004: ["nac", "vit"]}


def test_a_grid_is_extended_with_everything_that_was_tried_beside_its_edge() -> None:
    runs = [real_run(lr, lr + decay / 10, weight_decay=decay) for lr in (0.1, 0.2) for decay in (0.1, 0.2, 0.05)]
    found = [
        (block["set"]["training.lr"], block["set"].get("training.weight_decay", 0.05)) for block in blocks_of(runs)
    ]
    assert sorted(found) == [(0.1, 0.4), (0.2, 0.4), (0.4, 0.05), (0.4, 0.1), (0.4, 0.2)]


def test_a_long_grid_and_an_impossible_value_are_not_extended() -> None:
    assert blocks_of([real_run(0.001 * 2**power, power / 10) for power in range(8)]) == []
    assert blocks_of([real_run(0.001, share, label_smoothing=share) for share in (0.5, 1.0)]) == []


def test_the_command_writes_a_sweep_of_more_values(tmp_path: Path) -> None:
    store, to = tmp_path / "runs", tmp_path / "more.yaml"
    for lr, score in {0.001: 0.5, 0.004: 0.7}.items():
        write_run(store, real_record(lr, score))
    done = CliRunner().invoke(app, ["tune", str(store), "--extend", str(to)])
    assert done.exit_code == 0, (done.output, done.exception)
    assert "1 runs beyond the edges written to" in done.stdout
    assert "0.004 †" in done.stdout
    (config,) = parse_sweep(yaml.safe_load(to.read_text()), to).expand()
    assert config.training.model_dump()["lr"] == 0.016
    write_run(store, real_record(0.016, 0.6))
    to.unlink()
    again = CliRunner().invoke(app, ["tune", str(store), "--extend", str(to)])
    assert "no sweep is written" in again.stdout
    assert not to.exists()


def test_trials_that_failed_are_named(tmp_path: Path) -> None:
    for lr, score in {0.001: 0.5, 0.004: 0.7}.items():
        write_run(tmp_path, real_record(lr, score))
    write_failure(tmp_path, made_failure(task="digits-tuning", status="failed", cause="diverged"))
    write_failure(tmp_path, made_failure(run_id="000000000001", status="failed"))  # no trial
    done = CliRunner().invoke(app, ["tune", str(tmp_path)])
    assert "warning: digits, vit: 1 trial failed (diverged), so that less was tried than was meant" in done.stderr
    assert done.stderr.count("failed") == 1


def test_the_file_of_choices_says_what_lies_at_the_edge(tmp_path: Path) -> None:
    (tmp_path / "rates.yaml").write_text(choices_file(tuning_of(tried({0.001: 0.9, 0.004: 0.8})), "nacbench tune"))
    (choice,) = read_choices(tmp_path / "rates.yaml")
    assert choice["evidence"]["at_the_edge"] == ["training.lr"]
