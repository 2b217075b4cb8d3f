"""What ``nacbench sweep plan`` says before anything is started: how many runs, and what they cost."""

import json
from pathlib import Path

import pytest

from nacbench.sweep.plan import Place, make_plan
from nacbench.sweep.read_sweep import parse_sweep
from nacbench.sweep.submitting import submit

from .sleepy_runs import nacbench, plan, write

pytestmark = pytest.mark.usefixtures("sleepy")


def test_runs_without_data_are_counted(place: Place) -> None:
    axes = {"model.depth": [1, 2], "training.lr": [0.1, 0.2]}
    missing = plan(place, tasks=["cifar10"], models=["nac"], plugins=[], set={}, axes=axes, seeds=[0, 1, 2])
    assert [run.run_id for run in missing.runs] == [None] * 12


def test_a_plan_estimates_what_is_left_by_similar_runs(place: Place, tmp_path: Path) -> None:
    submit(plan(place), place, print)
    words = write(place, tmp_path, seeds=[0, 1, 2], include=[{"tasks": "digits", "models": "nac", "set": {}}])
    printed = nacbench("plan", *words).stdout
    assert "of one core's computing left, estimated from finished runs" in printed
    assert f"no estimate for 3 runs: no similar run is done in {place.store}\n" in printed


def test_a_plan_estimates_by_the_runs_of_another_folder(place: Place, tmp_path: Path) -> None:
    submit(plan(place), place, print)
    elsewhere = [str(tmp_path / "new") if word == str(place.store) else word for word in write(place, tmp_path)]
    assert "no estimate for 1 run: no similar run" in nacbench("plan", *elsewhere).stdout
    printed = nacbench("plan", *elsewhere, "--like", str(place.store)).stdout
    assert "of one core's computing left, estimated from finished runs" in printed
    assert "no estimate" not in printed
    (alone,) = json.loads(nacbench("plan", *elsewhere, "--json").stdout)
    (by_others,) = json.loads(nacbench("plan", *elsewhere, "--like", str(place.store), "--json").stdout)
    assert alone["core_seconds"] is None
    assert by_others["core_seconds"] > 0


def test_a_search_is_not_estimated_by_other_runs(place: Place, tmp_path: Path) -> None:
    space = {"training.lr": {"log": [1e-4, 1e-2]}}
    submit(plan(place), place, print)
    refused = nacbench(
        "plan", *write(place, tmp_path, search={"space": space, "trials": 2}), "--like", str(place.store)
    )
    assert refused.returncode == 2
    assert "leave --like out" in refused.stderr


def test_a_folder_of_similar_runs_must_exist(place: Place, tmp_path: Path) -> None:
    words = [*write(place, tmp_path), "--like", str(tmp_path / "missing")]
    for more in ([], ["--json"]):
        refused = nacbench("plan", *words, *more)
        assert refused.returncode == 2
        assert str(tmp_path / "missing") in refused.stderr
        assert not refused.stdout  # before anything is planned


def test_a_folder_of_similar_runs_that_is_the_sweeps_own_is_named_once(place: Place, tmp_path: Path) -> None:
    words = [*write(place, tmp_path), "--like", str(place.store)]
    place.store.mkdir(exist_ok=True)
    assert nacbench("plan", *words).stdout.count(str(place.store)) == 2  # where there is none, and how to start them


def test_seeds_of_the_command_line_replace_those_of_the_file(place: Place, tmp_path: Path) -> None:
    words = write(place, tmp_path, seeds=[0, 7])
    done = nacbench("plan", *words, "--seeds", "0..2")
    assert done.stdout.startswith("mine: 3 runs\n")
    assert "--seeds 0..2" in done.stdout  # what it suggests is about the same runs


def test_a_plan_of_one_run_counts_in_the_singular(place: Place, tmp_path: Path) -> None:
    planned = nacbench("plan", *write(place, tmp_path)).stdout
    assert planned.startswith("mine: 1 run\n")
    assert "no estimate for 1 run: no similar run is done" in planned


def test_a_plan_shows_differing_settings(tmp_path: Path) -> None:
    content = {"tasks": "digits-tuning", "models": ["nac"], "scale": "smoke", "axes": {"training.lr": [0.1, 0.2]}}
    runs = make_plan(parse_sweep(content, Path("mine.yaml")), tmp_path).runs
    assert [run.title for run in runs] == [f"digits-tuning · nac · seed 0 · training.lr={lr}" for lr in (0.1, 0.2)]
    (alone,) = make_plan(parse_sweep({**content, "axes": {}}, Path("mine.yaml")), tmp_path).runs
    assert alone.title == "digits-tuning · nac · seed 0"
