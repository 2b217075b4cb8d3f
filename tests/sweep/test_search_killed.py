"""``nacbench sweep search`` on digits: killed twice, with workers or without, it ends with the same choice."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from nacbench.recording.index import read_runs
from nacbench.recording.searches import SEARCHES, read_searches
from nacbench.reporting.build import build_report
from nacbench.sweep.content import read_choices
from nacbench.sweep.plan import make_plan
from nacbench.sweep.read_sweep import read_sweep
from nacbench.sweep.submission import Submission

from .killing import kill_when

CONTENT: dict[str, Any] = {
    "tasks": "digits",
    "models": ["floor-linear", "floor-nearest-mean"],
    "scale": "smoke",
    "precision": "fp32",
    "set": {"training.epochs": 2},
    "search": {
        "method": "halving",
        "trials": 4,
        "halving": {"factor": 2, "rungs": 2},
        "space": {"training.lr": {"log": [1.0e-3, 1.0e-1]}, "training.weight_decay": {"choice": [0.0, 0.1]}},
    },
}
DEBUG: dict[str, Any] = {"executor": "debug", "device": "cpu", "threads": 1}
LOCAL = {**DEBUG, "executor": "local", "processes": 2}
RUNS = 2 * (4 + 2)


def command(place: Path, profile: dict[str, Any], verb: str, *more: str, **changes: Any) -> list[str]:
    """The command line, for a store of its own below a folder, which is made."""
    place.mkdir(exist_ok=True, parents=True)
    file = place / "mine.yaml"
    file.write_text(yaml.safe_dump({**CONTENT, "profile": profile, **changes}))
    return [sys.executable, "-m", "nacbench", "sweep", verb, str(file), "--out", str(place / "runs"), *more]


def said(words: list[str], code: int = 0) -> str:
    """What a command prints to standard output."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == code, done.stderr
    return done.stdout


def searched(place: Path, profile: dict[str, Any]) -> list[dict[str, Any]]:
    """What it ends with."""
    found: list[dict[str, Any]] = json.loads(said(command(place, profile, "search", "--json")))
    return found


def check_store(store: Path) -> None:
    """Every trial that was due is there once, and no other."""
    assert len(read_runs(store).runs) == RUNS
    assert len(read_searches(store)) == 2


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search that was carried out at once, one run after another, with what it ended with."""
    place = tmp_path_factory.mktemp("undisturbed")
    (place / "found.json").write_text(json.dumps(searched(place, DEBUG)))
    return place


def test_killed_twice_it_ends_with_the_same_trials_and_choice(undisturbed: Path, tmp_path: Path) -> None:
    """Once before the first run, with workers, which go on; once among the runs."""
    store = tmp_path / "runs"
    kill_when(lambda: list(store.glob(f"{SEARCHES}/*.json")), command(tmp_path, LOCAL, "search"))
    kill_when(lambda: len(list(store.rglob("record.json"))) >= 3, command(tmp_path, DEBUG, "search"))
    found = searched(tmp_path, DEBUG)
    assert found == json.loads((undisturbed / "found.json").read_text())
    check_store(store)
    first, second = found
    assert [len(rung["trials"]) for rung in first["rungs"]] == [4, 2]
    assert [one["settings"] for one in first["rungs"][0]["trials"]] == [
        one["settings"] for one in second["rungs"][0]["trials"]
    ]
    assert first["chosen"] and first["finished"]


def test_runs_of_this_machine_do_not_wait_for_a_slurm_that_does_not_answer(tmp_path: Path) -> None:
    """A store that once had a submission to Slurm, on a machine where that is gone."""
    few = {**CONTENT["search"], "trials": 2}
    words = command(tmp_path, DEBUG, "search", "--json", search=few, models=["floor-nearest-mean"])
    plan = make_plan(read_sweep(str(tmp_path / "mine.yaml")), tmp_path)
    gone = plan.runs[0].profile.model_copy(update={"executor": "slurm", "time": "1:00:00"})
    about: dict[str, Any] = {"sweep": "other", "store": tmp_path / "runs", "data_root": tmp_path, "plugins": ()}
    Submission.of([replace(plan.runs[0], run_id="0" * 12)], profile=gone, **about).write()
    (found,) = json.loads(said(words))
    assert found["finished"]


def test_submit_starts_one_rung_at_a_time(tmp_path: Path) -> None:
    few = {**CONTENT["search"], "trials": 2}
    first = said(command(tmp_path, DEBUG, "submit", search=few))
    assert "4 of 4 runs done" in first and "go on with its next runs until it is: nacbench sweep search" in first
    assert "rung 2 of 2" in said(command(tmp_path, DEBUG, "status", search=few))
    second = said(command(tmp_path, DEBUG, "submit", search=few))
    assert "2 of 2 runs done" in second and "not finished" not in second
    assert len(read_runs(tmp_path / "runs").runs) == 2 * (2 + 1)


def test_the_plan_says_the_budget_beforehand(tmp_path: Path, undisturbed: Path) -> None:
    told = said(command(tmp_path, DEBUG, "plan"))
    budget = (
        "for each of floor-linear, floor-nearest-mean: (4 trials × 1 + 2 trials × 2) × 1 seed = 8 (training.epochs)"
    )
    assert budget in told and "no estimate for 2 of 2 searches" in told
    assert not (tmp_path / "runs").exists()
    words = command(undisturbed, DEBUG, "plan", search={**CONTENT["search"], "seed": 1})
    assert "core-hours of the searches left, estimated from finished runs" in said(words)


def test_the_choice_and_the_report_have_what_was_tried(undisturbed: Path, tmp_path: Path) -> None:
    store, file = undisturbed / "runs", tmp_path / "choices.yaml"
    said([sys.executable, "-m", "nacbench", "tune", str(store), "--to", str(file)])
    found = json.loads((undisturbed / "found.json").read_text())
    choices = read_choices(file)
    assert [choice["use"] for choice in choices] == [one["chosen"] for one in found]
    evidence = choices[0]["evidence"]
    assert evidence["search"] | {"space": 0} == {
        "method": "halving", "trials": 4, "seed": 0, "by": "training.epochs", "budgets": [1, 2], "sizes": [4, 2],
        "budget": 8, "space": 0,
    }  # fmt: skip
    assert sorted(map(len, evidence["tried"].values())) == [1, 1, 2, 2]
    built = build_report([store], tmp_path / "report", html=True)
    assert {"searches.csv", "searches.png", "searches.pdf", "index.html"} <= {path.name for path in built.files}
    assert "halving, 2 rungs" in built.text and "4 × 1, 2 × 2" in built.text
    assert len((tmp_path / "report" / "searches.csv").read_text().splitlines()) == 1 + RUNS


@pytest.mark.parametrize(
    ("verb", "changes", "message"),
    [
        ("search", {"search": None}, "sweep 'mine' has no search; start its runs with: nacbench sweep submit"),
        ("decide", {}, "sweep 'mine' is a search, which scores on validation examples"),
        ("search", {"tasks": "nowhere"}, "unknown task"),
    ],
)
def test_bad_requests_are_one_line(verb: str, changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    words = command(tmp_path, DEBUG, verb, **changes)
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 2
    assert message in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()
