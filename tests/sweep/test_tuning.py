"""What tuning decides, from made records, and what the command says of it."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nacbench.cli import app
from nacbench.contracts.metric import ACCURACY
from nacbench.errors import UserError
from nacbench.recording.record import Answers
from nacbench.recording.row import row_of
from nacbench.sweep.content import read_choices
from nacbench.sweep.lost_trials import LostTrial
from nacbench.sweep.tuning import tuning_of
from tests.made import made_failure, made_record, write_failure, write_run

from .made_trials import RATES, real_record, tried


def test_the_best_on_validation_is_chosen_for_each_model() -> None:
    outcome = tuning_of([*tried(RATES), *tried({0.001: 0.9, 0.004: 0.8, 0.009: 0.1}, model="vit")])
    assert outcome.left_out == []
    assert [(one.cell.task, one.cell.model) for one in outcome.tuned] == [("digits", "nac"), ("digits", "vit")]
    assert [one.best.settings for one in outcome.tuned] == [{"training.lr": 0.004}, {"training.lr": 0.001}]
    assert [one.at_the_edge for one in outcome.tuned] == [[], ["training.lr"]]


def test_the_mean_over_seeds_decides() -> None:
    runs = [*tried({0.001: 0.5, 0.004: 0.9}), *tried({0.001: 0.8, 0.004: 0.3}, seed=1)]
    (one,) = tuning_of(runs).tuned
    assert [each.score and each.score.value for each in one.tried] == [pytest.approx(0.65), pytest.approx(0.6)]
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


@pytest.mark.parametrize(
    ("score", "chance", "is_above"), [(0.52, 0.5, False), (0.54, 0.5, True), (0.115, 0.1, False), (0.13, 0.1, True)]
)
def test_settings_of_a_model_that_is_nowhere_above_guessing_are_chosen_by_noise(
    score: float, chance: float, is_above: bool
) -> None:
    runs = [run._replace(chance=chance, majority=chance) for run in tried({0.001: score - 0.01, 0.004: score})]
    (one,) = tuning_of(runs).tuned
    assert one.is_above_guessing == is_above
    (by_majority,) = tuning_of([run._replace(chance=0.0, majority=chance) for run in runs]).tuned
    assert by_majority.is_above_guessing == is_above
    (unknown,) = tuning_of([run._replace(chance=math.nan, majority=math.nan) for run in runs]).tuned
    assert unknown.is_above_guessing


def test_the_command_says_which_settings_noise_has_chosen(tmp_path: Path) -> None:
    answers = Answers(options=10, labels=[120, 440, 440], given=[200, 400, 400])
    for model, scores in {"nac": (0.45, 0.46), "vit": (0.6, 0.5)}.items():
        for lr, score in zip((0.001, 0.004), scores, strict=True):
            record = made_record(task="digits-tuning", model=model, lr=lr, score=score)
            write_run(tmp_path, record.model_copy(update={"answers": answers}))
    said = " ".join(CliRunner().invoke(app, ["tune", str(tmp_path)]).stderr.split())
    assert "digits: no trial of nac is shown to be above guessing, so that settings are chosen by noise" in said


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


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data": "f2"}, "different data fingerprints (f1, f2)"),
        ({"engine": "e2"}, "different versions of the engine's code (e1, e2)"),
        (
            {"metric": replace(ACCURACY, better="lower")},
            "different main metrics (accuracy (%, higher is better), accuracy (%, lower is better))",
        ),
    ],
)
def test_a_task_whose_later_trials_are_of_other_code_or_data_is_left_out(changes: dict[str, Any], said: str) -> None:
    """As where --extend's values are run after an update: the same for all models, but not for all values."""
    outcome = tuning_of(
        run
        for model in ("nac", "vit")
        for run in (*tried(RATES, model=model), *tried({0.1: 0.99}, model=model, **changes))
    )
    assert outcome.tuned == []
    (line,) = outcome.left_out
    assert line.startswith(f"digits-tuning: {said}, so that scores of trials cannot be compared")


def test_trials_of_one_model_with_other_code_are_not_averaged() -> None:
    outcome = tuning_of([*tried(RATES), *tried(RATES, engine="e2", seed=1)])
    assert outcome.tuned == []


def test_settings_that_were_tried_with_other_seeds_are_not_compared() -> None:
    """For instance while a sweep is running: a mean over fewer seeds is more often the best by chance."""
    runs = [*tried({0.001: 0.5, 0.004: 0.7}), *tried({0.001: 0.9}, seed=1)]
    outcome = tuning_of(runs)
    assert outcome.tuned == []
    assert outcome.left_out == [
        "digits: settings were tried with different seeds (training.lr=0.001: 0, 1; training.lr=0.004: 0)"
    ]
    assert tuning_of([*runs, *tried({0.004: 0.8}, seed=1)]).left_out == []


def diverged(**changes: Any) -> LostTrial:
    (run,) = tried({0.009: 0.5}, **changes)
    return LostTrial(run.run_id, run.task, run.model, run.model_size, run.scale, run.seed, run.settings, "diverged")


def test_a_trial_that_diverged_counts_as_the_worst() -> None:
    """It was tried; without it no task of which one model bears less than the others could ever be tuned."""
    vit = tried(RATES, model="vit")
    outcome = tuning_of([*tried({0.001: 0.5, 0.004: 0.7}), *vit], [diverged()])
    assert outcome.left_out == []
    assert [one.best.settings for one in outcome.tuned] == [{"training.lr": 0.004}] * 2
    assert [one.at_the_edge for one in outcome.tuned] == [[], []]  # beyond it was tried
    # of one seed alone, too; and no more where it was finished later, as with other code
    seeds = [run for seed in (0, 1) for run in tried({0.001: 0.5, 0.004: 0.7}, seed=seed)]
    (one,) = tuning_of([*seeds, *tried({0.009: 0.9})], [diverged(seed=1)]).tuned
    assert one.best.settings == {"training.lr": 0.004}
    (one,) = tuning_of(tried({0.001: 0.5, 0.009: 0.9}), [diverged(engine="e0")]).tuned
    assert one.best.settings == {"training.lr": 0.009}


def test_a_task_of_which_all_trials_of_a_model_diverged_is_left_out() -> None:
    outcome = tuning_of(tried(RATES), [diverged(model="vit")])
    assert outcome.tuned == []
    assert outcome.left_out == ["digits: of vit all settings that were tried have diverged"]


def test_a_single_setting_is_left_out() -> None:
    outcome = tuning_of(tried({0.001: 0.5}))
    assert outcome.tuned == []
    assert outcome.left_out == ["digits, nac: only one choice of settings has been tried"]


def test_runs_of_other_tasks_are_ignored() -> None:
    with pytest.raises(UserError, match="no runs of tasks that end in -tuning"):
        tuning_of(tried(RATES, task="digits"))


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


def test_trials_that_failed_are_named(tmp_path: Path) -> None:
    for lr, score in {0.001: 0.5, 0.004: 0.7}.items():
        write_run(tmp_path, real_record(lr, score))
    write_failure(tmp_path, made_failure(task="digits-tuning", status="failed", cause="diverged"))
    write_failure(tmp_path, made_failure(run_id="000000000001", status="failed"))  # no trial
    done = CliRunner().invoke(app, ["tune", str(tmp_path)])
    assert "warning: digits, vit: 1 trial failed (diverged), so that less was tried than was meant" in done.stderr
    assert done.stderr.count("failed") == 1


def test_the_command_counts_what_diverged_and_does_not_try_it_again(tmp_path: Path) -> None:
    store = tmp_path / "runs"
    for lr, score in {0.001: 0.5, 0.004: 0.7}.items():
        write_run(store, real_record(lr, score))
    lost = real_record(0.016, 0.5)
    made = {"task": lost.task, "model": "nac", "size": "tiny", "scale": "smoke", "run_id": lost.run_id}
    folder = write_failure(store, made_failure(**made, status="failed", cause="diverged"))
    (folder / "state.json").write_text(json.dumps({"identity": lost.identity}))
    shutil.copytree(store, tmp_path / "copy")
    to = tmp_path / "rates.yaml"
    given = ["tune", str(store), str(tmp_path / "copy"), "--to", str(to), "--extend", str(tmp_path / "more.yaml")]
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 0, (done.output, done.exception)
    assert "0.001: 50.00 · 0.004: 70.00 · 0.016: failed   0.004" in done.stdout
    assert "†" not in done.stdout
    assert not (tmp_path / "more.yaml").exists()
    assert "warning: digits, nac: 1 trial failed (diverged), and counted as the worst" in done.stderr
    assert read_choices(to)[0]["evidence"]["tried"]["training.lr=0.016"] == "failed"
    told = CliRunner().invoke(app, ["tune", str(store), "--json"])
    assert '"score": null' in told.stdout


@pytest.mark.parametrize("cause", ["diverged", "error"])
def test_a_trial_that_was_finished_later_with_other_code_is_not_told_as_failed(tmp_path: Path, cause: Any) -> None:
    for lr, score in {0.001: 0.5, 0.004: 0.7, 0.016: 0.6}.items():
        write_run(tmp_path, real_record(lr, score))
    identity = json.loads(json.dumps(real_record(0.016, 0.6).identity))
    identity["code"]["engine"] = "e0"
    made = {"task": "digits-tuning", "model": "nac", "size": "tiny", "scale": "smoke", "run_id": "0123456789ab"}
    folder = write_failure(tmp_path, made_failure(**made, status="failed", cause=cause))
    (folder / "state.json").write_text(json.dumps({"identity": identity}))
    done = CliRunner().invoke(app, ["tune", str(tmp_path)])
    assert (done.exit_code, done.stderr) == (0, ""), done.exception
    identity["config"]["training"]["lr"] = 0.064  # another one, which was not
    (folder / "state.json").write_text(json.dumps({"identity": identity}))
    assert f"1 trial failed ({cause})" in CliRunner().invoke(app, ["tune", str(tmp_path)]).stderr
