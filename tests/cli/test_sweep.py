"""Hints of ``nacbench sweep`` name the same sweep that they were given for."""

import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from nacbench.cli import app
from nacbench.cli.shared.asked import DECIDING, LOOKING, Asked
from nacbench.cli.sweep import app as sweep_app
from nacbench.recording.record import FAILURE
from nacbench.registry import MODELS
from nacbench.running.failures import leave_failure
from nacbench.sweep.control import Place
from nacbench.sweep.plan import make_plan
from nacbench.sweep.read_sweep import read_sweep
from nacbench.sweep.state import observe

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
    assert hint("status", sweep, *out, *named) == [*start, *out, *named]


def test_a_hint_omits_defaults_and_options_of_other_commands() -> None:
    assert Asked("smoke").command("retry") == "nacbench sweep retry smoke"
    asked = Asked("smoke", Path("elsewhere"), "debug")
    assert asked.command("logs") == "nacbench sweep logs smoke --out elsewhere"
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
        left_out = ["profile"] if name in LOOKING else ["seeds", "task", "model"] if name == DECIDING else []
        expected = [own for own in shared if own not in left_out]
        assert [own for own in names if own in shared] == expected, name
    of_logs = ["sweep", "run", "lines", "out", "data_root", "plugin", "task", "model", "max_runs", "seeds"]
    assert [p.name for p in verbs["logs"].params] == of_logs
