"""A part of a sweep: --task and --model of the sweep commands."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nacbench.cli import app
from nacbench.errors import UserError
from nacbench.sweep.only import Only
from nacbench.sweep.plan import make_plan
from nacbench.sweep.read_sweep import parse_sweep
from nacbench.sweep.searching import searches_in

CONTENT: dict[str, Any] = {
    "tasks": ["digits", "digits-c", "parametric-shapes"],
    "models": ["nac", "vit"],
    "scale": "smoke",
    "exclude": [{"task": "parametric-shapes", "model": "vit"}],
    "choices": [{"when": {"task": "digits", "model": "vit"}, "use": {"training.lr": 0.1}}],
}


def part(**only: tuple[str, ...]) -> list[tuple[str, str]]:
    sweep = parse_sweep(CONTENT, Path("mine.yaml")).model_copy(update={"only": Only(**only)})
    return [(config.task.name, config.model.name) for config in sweep.expand()]


def test_without_a_name_it_is_all_of_it() -> None:
    assert len(part()) == 5


def test_names_and_patterns_leave_their_runs() -> None:
    assert part(task=("digits",)) == [("digits", "nac"), ("digits", "vit")]
    assert part(task=("digits*",), model=("vit",)) == [("digits", "vit"), ("digits-c", "vit")]
    # rules that fit no run of the part still fit one of the sweep
    assert part(task=("parametric-shapes", "digits-c"), model=("n?c",)) == [
        ("digits-c", "nac"),
        ("parametric-shapes", "nac"),
    ]


@pytest.mark.parametrize(
    ("only", "message"),
    [
        ({"task": ("digts",)}, "unknown task of this sweep 'digts'; did you mean 'digits'"),
        ({"task": ("digits",), "model": ("vti",)}, "unknown model of this sweep 'vti'; did you mean 'vit'"),
        (
            {"task": ("parametric-shapes",), "model": ("vit",)},
            "^--task parametric-shapes --model vit: sweep 'mine' has no such run",
        ),
        ({"task": ("Digits",)}, "unknown task of this sweep 'Digits'"),
    ],
)
def test_what_fits_no_run_is_refused(only: dict[str, tuple[str, ...]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        part(**only)


def test_runs_that_train_networks_for_others_come_along(tmp_path: Path) -> None:
    sweep = parse_sweep(CONTENT, Path("mine.yaml")).model_copy(update={"only": Only(task=("digits-c",))})
    planned = make_plan(sweep, tmp_path).runs
    assert {(run.config.task.name, run.is_wanted) for run in planned} == {("digits", False), ("digits-c", True)}


def test_ids_are_those_of_the_whole_sweep(tmp_path: Path) -> None:
    sweep = parse_sweep(CONTENT, Path("mine.yaml"))
    whole = {run.run_id for run in make_plan(sweep, tmp_path).runs}
    some = {run.run_id for run in make_plan(sweep.model_copy(update={"only": Only(model=("vit",))}), tmp_path).runs}
    assert some < whole


def test_a_search_is_carried_out_in_part(tmp_path: Path) -> None:
    content = {
        "tasks": "digits-tuning",
        "models": ["nac", "vit"],
        "scale": "smoke",
        "search": {"method": "random", "trials": 3, "space": {"training.lr": {"log": [1e-4, 1e-2]}}},
    }
    sweep = parse_sweep(content, Path("mine.yaml")).model_copy(update={"only": Only(model=("vit",))})
    plan = make_plan(sweep, tmp_path)
    assert {search.model for search in searches_in(plan)} == {"vit"}


def test_the_command_line_has_both_and_repeats_them(tmp_path: Path) -> None:
    words = ["sweep", "plan", "smoke", "--out", str(tmp_path), "--task", "digits*", "--model", "nac", "--model", "per*"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "--task 'digits*' --model nac --model 'per*'" in " ".join(done.stdout.split())


def test_deciding_takes_no_part_as_its_error_rate_is_for_all() -> None:
    done = CliRunner().invoke(app, ["sweep", "decide", "smoke", "--task", "digits"])
    assert done.exit_code == 2
