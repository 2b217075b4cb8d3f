"""Pruning: choice of the share, measurements, saved networks, and errors."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from nacbench.cli import app
from nacbench.contracts.task import EvaluationTask
from nacbench.errors import BrokenFileError, RunSkippedError, UserError
from nacbench.inspection.trained import load_run, load_smaller, save_smaller
from nacbench.protocols.pruning import choose, kept_modules, relative_drop, share_of
from nacbench.publishing.hub_folder import export_run
from nacbench.recording.record import RunRecord
from nacbench.registry import TASKS
from nacbench.running.config import RunConfig
from nacbench.running.outcome import Outcome
from nacbench.running.resolve import resolve
from nacbench.running.runner import run
from nacbench.training.execution import Execution


def config(task: str = "digits-pruned", model: str = "nac", **options: Any) -> RunConfig:
    given = {"task": {"name": task, **options}, "model": {"name": model}, "scale": "smoke", "precision": "fp32"}
    return resolve(given)


def do(store: Path, asked: RunConfig) -> Outcome:
    return run(asked, store=store, data_root=store / "data", execution=lambda: Execution(show_progress=False))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def pruned(store: Path) -> Outcome:
    return do(store, config(shares=(0.75, 0.5, 0.25), tolerance=0.2))


@pytest.fixture(scope="module")
def record(pruned: Outcome) -> RunRecord:
    return pruned.record


def trained_folder(store: Path, record: RunRecord) -> Path:
    assert record.trained_on is not None
    return store / record.trained_on.task / record.model / record.trained_on.run_id


def test_all_shares_are_evaluated_on_test_examples_and_one_is_chosen_without_them(record: RunRecord) -> None:
    assert list(record.metrics) == [f"choice/{n}" for n in (100, 75, 50, 25)] + ["test"] + [
        f"kept/{n}" for n in (100, 75, 50, 25)
    ]
    assert (record.protocol, record.scored_examples) == ("pruned", 299)
    assert record.data.notes == ["the share of modules was chosen on 299 validation examples"]
    test = record.metrics["test"]
    assert test["kept"] == choose(record.metrics, 0.2)
    chosen = record.metrics[f"kept/{100 * test['kept']:g}"]
    assert test["accuracy"] == chosen["accuracy"]
    assert test["whole_accuracy"] == record.metrics["kept/100"]["accuracy"]
    assert test["relative_drop"] == pytest.approx(1 - chosen["accuracy"] / test["whole_accuracy"])


def test_the_cost_is_that_of_the_chosen_network(record: RunRecord, store: Path) -> None:
    chosen = record.measured["test"]
    assert (record.cost.parameters, record.cost.forward_flops) == (chosen["parameters"], chosen["forward_flops"])
    whole = record.measured["kept/100"]
    trained = json.loads((trained_folder(store, record) / "record.json").read_text())
    assert whole["parameters"] == trained["cost"]["parameters"]
    assert whole["forward_flops"] == trained["cost"]["forward_flops"]
    for name in ("parameters", "forward_flops", "peak_tensor_bytes"):
        falling = [record.measured[f"kept/{share}"][name] for share in (100, 75, 50, 25)]
        assert falling == sorted(falling, reverse=True)
        assert len(set(falling)) == 4
    assert all(0 < value["speedup_low"] <= value["speedup"] <= value["speedup_high"] for value in [chosen, whole])


def test_all_metrics_can_be_computed_again_from_the_predictions(pruned: Outcome) -> None:
    rows = pd.read_parquet(pruned.folder / "predictions.parquet")
    assert rows.groupby("split", observed=True).size().tolist() == [299] * 9
    for split, own in rows.groupby("split", observed=True):
        found = pruned.record.metrics[str(split)]
        assert (own.label == own.prediction).mean() == found["accuracy"]
        assert own.nll.astype("float64").mean() == pytest.approx(found["nll"], rel=1e-6)
        assert own.logits.notna().all() == (split == "test")


def test_the_whole_network_has_the_score_of_the_run_that_trained_it(record: RunRecord, store: Path) -> None:
    trained = json.loads((trained_folder(store, record) / "record.json").read_text())
    assert record.metrics["kept/100"] == trained["metrics"]["test"]


def test_a_repeated_run_gives_the_same_numbers_except_times(tmp_path: Path, record: RunRecord) -> None:
    again = do(tmp_path, config(shares=(0.75, 0.5, 0.25), tolerance=0.2)).record
    assert (again.run_id, again.metrics) == (record.run_id, record.metrics)
    assert again.measured.keys() == record.measured.keys()


@pytest.mark.parametrize("order", ["random", "importance"])
def test_other_orders(store: Path, record: RunRecord, order: str) -> None:
    other = do(store, config(shares=(0.5,), order=order)).record
    ranking = other.details["test"]["ranking"]
    assert sorted(ranking) == list(range(16))
    assert ranking != record.details["test"]["ranking"]
    assert other.metrics["kept/100"] == record.metrics["kept/100"]


def test_importance_is_the_loss_without_the_module(store: Path, record: RunRecord) -> None:
    """Compare with a direct computation on all validation examples at once."""
    found = do(store, config(shares=(0.5,), order="importance")).record.details["test"]["ranking"]
    trained = load_run(trained_folder(store, record))
    live = trained.task.build(store / "data", trained.config.training)
    from nacbench.data.classification import classification_scores
    from nacbench.data.live import Classification, score

    assert isinstance(live, Classification)
    core: Any = trained.net.core
    some = live.splits["validation"].spread(256)
    losses = []
    for module in range(16):
        rest = torch.tensor([number for number in range(16) if number != module])
        net = trained.net.with_core(core.kept(rest)).eval()
        with torch.no_grad():
            losses.append(classification_scores(*score(net, some, live.preparation, 32)).metrics["nll"])
    assert found == np.argsort(-np.array(losses), kind="stable").tolist()


def test_a_conditional_circuit_is_pruned_by_its_mean_degrees(store: Path) -> None:
    record = do(store, config("nlvr-synthetic-pruned", shares=(0.5,))).record
    assert record.measured["kept/50"]["forward_flops"] < record.measured["kept/100"]["forward_flops"]
    assert len(record.details["test"]["ranking"]) == 16


def test_without_validation_examples_the_share_is_chosen_on_training_examples(store: Path) -> None:
    record = do(store, config("listops-short-pruned", shares=(0.5,))).record
    names = set(record.data.splits)
    assert "choice/50" in names
    assert "validation examples" in record.data.notes[-1] or "train examples" in record.data.notes[-1]


def test_a_pruned_network_gives_the_same_logits_after_saving_and_loading(
    store: Path, record: RunRecord, tmp_path: Path
) -> None:
    trained = load_run(trained_folder(store, record))
    small = save_smaller(trained, [2, 3, 11], tmp_path / "small")
    loaded = load_smaller(tmp_path / "small")
    image = torch.rand(4, 1, 8, 8)
    with torch.no_grad():
        assert torch.equal(small(image=image), loaded(image=image))
    core: Any = loaded.core
    assert core.module_count == 3
    whole, smaller = (
        sum(file.stat().st_size for file in folder.rglob("model.safetensors"))
        for folder in (trained_folder(store, record), tmp_path / "small")
    )
    assert smaller < whole
    (tmp_path / "small" / "model.safetensors").write_bytes(b"not one")
    with pytest.raises(BrokenFileError, match="cannot be read"):
        load_smaller(tmp_path / "small")


def test_the_smallest_share_within_the_tolerance_is_chosen() -> None:
    metrics = {f"choice/{n}": {"accuracy": a} for n, a in ((100, 0.8), (50, 0.79), (25, 0.75), (10, 0.79), (5, 0.1))}
    assert choose(metrics, 0.03) == 0.1
    assert choose(metrics, 0.0) == 1.0
    assert relative_drop(0.0, 0.0) == 0
    assert share_of("kept/2.5") == 0.025
    assert kept_modules([3, 1, 0, 2], 0.5) == [1, 3]
    assert kept_modules([3, 1, 0, 2], 0.01) == [3]


def test_an_unsupported_model_task_or_option_is_an_error(store: Path) -> None:
    with pytest.raises(RunSkippedError, match="transformer cannot do digits-pruned: it has no modules"):
        do(store, config(model="transformer"))
    with pytest.raises(UserError, match="task 'digits-c' trains no network to prune; use 'digits-pruned'"):
        TASKS.get("digits-c-pruned")
    with pytest.raises(UserError, match="unknown task 'digit-pruned'; did you mean 'digits-pruned'"):
        TASKS.get("digit-pruned")
    with pytest.raises(UserError, match="shares"):
        config(shares=(0.5, 0.5))
    with pytest.raises(UserError, match="shares"):
        config(shares=(1.5,))


def test_a_derived_task_is_always_the_same_class_and_is_not_listed() -> None:
    assert TASKS.get("digits-pruned") is TASKS.get("digits-pruned")
    assert TASKS.get("digits-pruned").title == "Digits, pruned"
    assert "digits-pruned" not in TASKS.entries()


def test_the_command_prints_a_table_draws_a_figure_and_saves_the_network(
    store: Path, record: RunRecord, tmp_path: Path
) -> None:
    folder = str(trained_folder(store, record))
    to = str(tmp_path / "to")
    done = CliRunner().invoke(app, ["prune", folder, "--shares", "0.5,0.25", "--keep", "0.25", "--to", to, "-q"])
    assert done.exit_code == 0, (done.output, done.exception)
    assert "| kept (%) |" in done.stdout
    assert "4 of 16 modules" in done.stdout
    names = {path.name for path in (tmp_path / "to").iterdir()}
    assert names == {"pruning.md", "pruning.csv", "pruning.png", "pruning.pdf", "model.safetensors", "config.yaml"}
    core: Any = load_smaller(tmp_path / "to").core
    assert core.module_count == 4
    for words, message in (
        (["prune", "nothing"], "nothing"),
        (["prune", folder, "--shares", "a"], "--shares a"),
        (["prune", folder, "--order", "size"], "task.order"),
        (["prune", folder, "--keep", "0"], "--keep 0"),
    ):
        failed = CliRunner().invoke(app, words)
        assert isinstance(failed.exception, UserError)
        assert message in str(failed.exception)


@pytest.mark.parametrize("place", ["here/{}", "digits-nac-{}", "{}"])
def test_a_network_in_no_folder_of_runs_is_not_pruned(
    store: Path, record: RunRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """It would be trained again, in a folder two above that nobody has named."""
    monkeypatch.chdir(tmp_path)
    folder = trained_folder(store, record)
    if place.startswith("digits"):
        export_run(folder, Path())
    else:
        shutil.copytree(folder, place.format(folder.name))
    failed = CliRunner().invoke(app, ["prune", place.format(folder.name), "-q"])
    assert isinstance(failed.exception, UserError)
    assert "lies in no folder of runs" in str(failed.exception)


def test_a_run_is_pruned_from_within_its_folder(
    store: Path, record: RunRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained_folder(store, record))
    done = CliRunner().invoke(app, ["prune", ".", "--shares", "0.5,0.25", "--to", str(tmp_path / "to"), "-q"])
    assert done.exit_code == 0, (done.output, done.exception)
    assert str(store) in done.stdout


def test_an_interrupted_run_chooses_the_same_share(tmp_path: Path, record: RunRecord) -> None:
    """The choice splits were evaluated before the interruption, so that only files have their scores."""
    from nacbench.protocols.pruning import Pruned

    task = config(shares=(0.75, 0.5, 0.25), tolerance=0.2)
    trained = task.trained_on
    assert trained is not None
    do(tmp_path, trained)
    (folder,) = (path.parent for path in (tmp_path / "digits").rglob("record.json"))
    net = load_run(folder).net
    assert isinstance(task.task_plugin, EvaluationTask)
    live = task.task_plugin.build_on(trained.training_task, tmp_path, task.training)
    assert isinstance(live, Pruned)
    with torch.no_grad():
        assert live.evaluate(net, "test", 32).metrics["accuracy"] == record.metrics["test"]["accuracy"]
