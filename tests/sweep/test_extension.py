"""Sweeps of values beyond the edges at which best values lie."""

from pathlib import Path
from typing import Any

import yaml
from typer.testing import CliRunner

from nacbench.cli import app
from nacbench.errors import UserError
from nacbench.plugin_files import load_plugin_file
from nacbench.recording.row import Run
from nacbench.registry import MODELS
from nacbench.sweep.extension import extension, sweep_file
from nacbench.sweep.read_sweep import parse_sweep, read_sweep
from nacbench.sweep.tuning import tuning_of
from tests.made import write_run
from tests.test_registry import MODEL, forget_plugins

from .made_trials import real_record, real_run

__all__ = ["forget_plugins"]  # a fixture


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


def test_a_grid_of_a_plug_in_is_extended_with_its_file(tmp_path: Path, forget_plugins: None) -> None:
    store, to, plugin = tmp_path / "runs", tmp_path / "deep" / "more.yaml", tmp_path / "my_guess.py"
    plugin.write_text(MODEL)
    load_plugin_file(plugin)
    for lr, score in {0.001: 0.5, 0.004: 0.7}.items():
        write_run(store, real_record(lr, score, "my-guess"))
    MODELS.forget_files()
    given = ["tune", str(store), "--extend", str(to)]
    refused = CliRunner().invoke(app, given)
    assert isinstance(refused.exception, UserError)
    assert "unknown model 'my-guess'" in str(refused.exception)
    assert str(refused.exception).endswith("name a plug-in's file with --plugin")
    done = CliRunner().invoke(app, [*given, "--plugin", str(plugin)])
    assert done.exit_code == 0, (done.output, done.exception)
    MODELS.forget_files()
    assert [Path(file) for file in read_sweep(str(to)).plugins] == [plugin]
