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
from nacbench.registry import MODELS

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
