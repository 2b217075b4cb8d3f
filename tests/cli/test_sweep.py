"""Hints of ``nacbench sweep`` name the same sweep that they were given for."""

import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from nacbench.cli import app
from nacbench.cli.shared.asked import DECIDING, Asked
from nacbench.cli.shared.planned import whole_plan_of
from nacbench.cli.sweep import app as sweep_app
from nacbench.cli.watch import _source
from nacbench.recording.record import FAILURE
from nacbench.registry import MODELS
from nacbench.running.failures import leave_failure
from nacbench.sweep.observer import observe
from nacbench.sweep.plan import Place, make_plan
from nacbench.sweep.read_sweep import read_sweep

SWEEP = """
name: mine
tasks: [digits]
models: [vit]
scale: smoke
"""
PLUGIN = """
from nacbench import Model


class HintedModel(Model):
    title = "Hinted"
    pass
"""


def hint(*words: object) -> list[str]:
    """The words of the command that the last line names."""
    done = CliRunner().invoke(app, ["sweep", *map(str, words)])
    assert done.exit_code == 0, (done.output, done.exception)
    return shlex.split(done.stdout.splitlines()[-1].partition("with: ")[2])


def test_a_hint_repeats_given_options(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    folder = tmp_path / "it's here"
    folder.mkdir()
    sweep, plugin = folder / "mine.yaml", folder / "extra.py"
    sweep.write_text(SWEEP)
    plugin.write_text(PLUGIN)
    request.addfinalizer(MODELS.forget_files)
    named = ["--data-root", str(folder), "--seeds", "0..1", "--plugin", str(plugin)]
    out, profile = ["--out", str(folder / "runs")], ["--profile", "debug"]
    start = ["nacbench", "sweep", "submit", str(sweep)]
    assert hint("plan", sweep, *out, *profile, *named) == [*start, *out, *profile, *named]
    assert hint("status", sweep, *out, *profile, *named) == [*start, *out, *profile, *named]


def test_all_commands_mean_the_runs_of_the_profile_that_was_submitted_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nacbench.machine.hardware.cpu_flags", lambda: frozenset[str]())  # of a login node
    sweep, gpu = tmp_path / "mine.yaml", tmp_path / "gpu.yaml"
    sweep.write_text(SWEEP)
    gpu.write_text("{executor: slurm, time: 1h, gpus: 1}")
    planned, place = whole_plan_of(Asked(str(sweep), tmp_path / "runs", str(gpu)))
    (run,) = planned.runs
    assert run.config.precision == "bf16"
    leave_failure(run.folder(place.store), run.config, str(run.run_id), "failed", "made so")
    shared = [str(sweep), "--out", str(place.store), "--profile", str(gpu)]
    for verb in ("plan", "status", "logs"):
        assert "failed" in CliRunner().invoke(app, ["sweep", verb, *shared]).stdout, verb
    assert CliRunner().invoke(app, ["sweep", "cancel", *shared]).stdout == "no run is queued or running\n"
    watched = _source(Asked(str(sweep), place.store, str(gpu))).look()
    assert [seen.key for seen, _ in watched] == [run.key]


def test_runs_that_diverged_are_not_started_again_by_what_is_suggested_for_others(tmp_path: Path) -> None:
    sweep = tmp_path / "mine.yaml"
    sweep.write_text(SWEEP.replace("[digits]", "[digits-c]") + "profile: debug\nseeds: 0..1\n")
    place = Place(tmp_path / "runs", tmp_path / "data")
    runs = make_plan(read_sweep(str(sweep)), place.data_root).runs
    for run in runs[:2]:
        leave_failure(run.folder(place.store), run.config, str(run.run_id), "failed", "made so", cause="diverged")

    def told(*words: str) -> list[str]:
        done = CliRunner().invoke(app, ["sweep", *words, str(sweep), "--out", str(place.store)])
        assert done.exit_code == 0, done.output
        return done.stdout.splitlines()

    retry = f"nacbench sweep retry {sweep} --out {place.store}"
    ways = [
        f"left for later: 2 runs, as the run that trains the network diverged; start both with: {retry} "
        "--failed diverged",
        "2 runs diverged, and the same seed diverges again; if it is to be computed all the same: "
        f"{retry} --failed diverged",
    ]
    for words in (["retry"], ["submit"], ["retry", "--failed", "oom"]):
        assert told(*words) == [ways[0], "nothing was started", ways[1]]
    assert [line for line in told("status") if line in ways] == ways[::-1]
    run = runs[0]
    leave_failure(run.folder(place.store), run.config, str(run.run_id), "failed", "made so", cause="oom")
    assert f"1 run failed; start again with: {retry}" in told("submit")


def test_a_hint_omits_defaults() -> None:
    assert Asked("smoke").command("retry") == "nacbench sweep retry smoke"
    asked = Asked("smoke", Path("elsewhere"), "debug")
    assert asked.command("logs") == "nacbench sweep logs smoke --out elsewhere --profile debug"
    assert asked.command("retry") == "nacbench sweep retry smoke --out elsewhere --profile debug"


@pytest.mark.parametrize(("ended", "verb"), [("failed", "retry"), ("cancelled", "resume")])
def test_all_commands_say_the_same_of_a_run_whose_network_did_not_come(tmp_path: Path, ended: str, verb: str) -> None:
    sweep = tmp_path / "mine.yaml"
    sweep.write_text(SWEEP.replace("[digits]", "[digits-c]") + "profile: debug\n")
    place = Place(tmp_path / "runs", tmp_path / "data")
    network, follower = make_plan(read_sweep(str(sweep)), place.data_root).runs
    if ended == "failed":
        leave_failure(network.folder(place.store), network.config, str(network.run_id), "failed", "made so")
    for run in (network, follower)[ended == "failed" :]:
        leave_failure(run.folder(place.store), run.config, str(run.run_id), "cancelled", "made so")

    def told(verb: str) -> str:
        done = CliRunner().invoke(app, ["sweep", verb, str(sweep), "--out", str(place.store)])
        assert done.exit_code == 0, done.output
        return done.stdout

    def states() -> list[str]:
        return [one.state for one in observe([network, follower], place.store).values()]

    if ended == "failed":
        for _ in range(2):  # resume changes nothing that it cannot carry out
            said = told("resume")
            held = "left for later: 1 run, as the run that trains the network failed; start both with: "
            assert f"{held}nacbench sweep {verb} " in said
            assert "nothing was started" in said and "no run is missing" not in said
            assert states() == ["failed", "cancelled"]
    (follower.folder(place.store) / FAILURE).unlink()
    assert states() == [ended, "planned"]
    for asked in ("status", "submit"):
        said = told(asked)
        assert f"nacbench sweep {verb} " in said and "nacbench sweep submit" not in said
    assert "start them with" not in told("plan")


def test_sweep_commands_share_options_in_one_order() -> None:
    verbs: dict[str, Any] = get_command(sweep_app).commands  # type: ignore[attr-defined]
    shared = ["out", "profile", "data_root", "plugin", "task", "model", "max_runs", "seeds"]
    for name in ("plan", "submit", "resume", "retry", "status", "logs", "cancel", "decide"):
        names = [parameter.name for parameter in verbs[name].params]
        assert names[0] == "sweep"
        left_out = ["seeds", "task", "model"] if name == DECIDING else []
        expected = [own for own in shared if own not in left_out]
        assert [own for own in names if own in shared] == expected, name
    assert [p.name for p in verbs["logs"].params] == ["sweep", "run", "lines", *shared]
