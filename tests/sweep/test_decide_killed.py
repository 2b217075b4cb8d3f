"""``nacbench sweep decide`` on digits: killed twice, it ends with the verdicts of an undisturbed one."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from nacbench.recording.decisions import DECISIONS
from nacbench.recording.index import read_runs
from nacbench.sweep.submission import sole_submitter

from .killing import kill_when

CONTENT: dict[str, Any] = {
    "tasks": "digits",
    "models": ["floor-linear", "floor-nearest-mean"],
    "scale": "smoke",
    "precision": "fp32",
    "set": {"training.epochs": 1},
}
COMPARED = ("verdict", "seeds", "decided_at", "measured")


DEBUG: dict[str, Any] = {"executor": "debug", "device": "cpu", "threads": 1}
LOCAL = {**DEBUG, "executor": "local"}


def command(place: Path, profile: dict[str, Any], *more: str, content: dict[str, Any] = CONTENT) -> list[str]:
    """The command line, for a store of its own below a folder, which is made."""
    place.mkdir(exist_ok=True)
    file = place / "mine.yaml"
    file.write_text(yaml.safe_dump({**content, "profile": profile}))
    words = ["sweep", "decide", str(file), "--out", str(place / "runs"), "--compare", *CONTENT["models"], "--json"]
    return [sys.executable, "-m", "nacbench", *words, *more]


def decided(
    place: Path, profile: dict[str, Any], *more: str, content: dict[str, Any] = CONTENT
) -> list[dict[str, Any]]:
    """What it ends with."""
    done = subprocess.run(
        command(place, profile, *more, content=content), capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return [{key: answer[key] for key in COMPARED} for answer in answers]


def test_killed_twice_it_ends_with_the_same_verdicts(tmp_path: Path) -> None:
    """Once before the first run, with another executor, whose process goes on; once between two looks."""
    undisturbed = decided(tmp_path, DEBUG)
    store = tmp_path / "again" / "runs"
    kill_when(lambda: list(store.glob(f"{DECISIONS}/*.json")), command(store.parent, LOCAL))
    kill_when(lambda: len(list(store.rglob("record.json"))) >= 3, command(store.parent, DEBUG))
    assert decided(store.parent, DEBUG) == undisturbed
    assert [answer["verdict"] for answer in undisturbed] == ["worse"]
    check_store(store, undisturbed)


def test_networks_that_are_there_are_not_needed_again(tmp_path: Path) -> None:
    """Killed when a network was trained, and what it is for had not begun."""
    content = {**CONTENT, "tasks": "digits-c", "set": {"trained_on.training.epochs": 1, "task.examples": 20}}
    few = ("--most", "3")
    undisturbed = decided(tmp_path, DEBUG, *few, content=content)
    place = tmp_path / "again"
    shutil.copytree(tmp_path / "runs", place / "runs")
    ends = sorted((place / "runs").glob("digits-c/*/*"))
    for folder in ends[::2]:
        shutil.rmtree(folder)
    assert len(ends) == 6
    assert decided(place, DEBUG, *few, content=content) == undisturbed
    assert [answer["seeds"] for answer in undisturbed] == [3]


def check_store(store: Path, undisturbed: list[dict[str, Any]]) -> None:
    """Every seed that was looked at is there once, and marked, and no other."""
    runs = read_runs(store).runs
    assert {run.adaptive for run in runs} == {3}  # seeds before the first look
    assert sorted(run.seed for run in runs) == sorted([*range(undisturbed[0]["seeds"])] * 2)  # none too many
    assert len(list(store.glob(f"{DECISIONS}/*.json"))) == 1


def test_two_at_once_wait_for_each_other(tmp_path: Path) -> None:
    """The second one waits until the first has ended, and then finds all decided."""
    (tmp_path / "runs").mkdir()
    with sole_submitter(tmp_path / "runs", "decider"):
        second = subprocess.Popen(command(tmp_path, DEBUG, "--most", "3"), stderr=subprocess.PIPE, text=True)
        assert second.stderr is not None
        assert "waiting for another process that decides in" in second.stderr.readline()
        assert not list((tmp_path / "runs").rglob("record.json"))
    second.send_signal(signal.SIGKILL)
    second.wait(60)


def test_a_preview_writes_nothing(tmp_path: Path) -> None:
    (answer,) = decided(tmp_path, DEBUG, "--dry-run")
    assert answer == {"verdict": "undecided", "seeds": 0, "decided_at": None, "measured": []}
    assert not (tmp_path / "runs").exists()


def test_what_the_file_of_a_sweep_fixes_is_decided(tmp_path: Path) -> None:
    """The other pair than usual, and a margin in which the two are equivalent; an option overrides the pair."""
    file = tmp_path / "mine.yaml"
    models = CONTENT["models"]
    file.write_text(yaml.safe_dump({**CONTENT, "profile": DEBUG, "decide": {"compare": [models[::-1]], "margin": 100}}))
    words = [sys.executable, "-m", "nacbench", "sweep", "decide", str(file), "--out", str(tmp_path / "runs"), "--json"]
    (answer,) = json.loads(subprocess.run(words, capture_output=True, text=True, check=True, timeout=300).stdout)
    assert (answer["question"], answer["verdict"]) == ("floor-nearest-mean - floor-linear", "equivalent")
    refused = subprocess.run([*words, "--margin", "1"], capture_output=True, text=True, check=False, timeout=120)
    assert refused.returncode == 2
    assert "margin" in refused.stderr
    other = subprocess.run([*words, "--compare", *models, "--dry-run"], capture_output=True, text=True, check=True)
    assert [one["question"] for one in json.loads(other.stdout)] == ["floor-linear - floor-nearest-mean"]


def test_claims_of_ones_own_are_asked_beside_comparisons(tmp_path: Path) -> None:
    claim = {"name": "near", "kind": "competitive", "says": "is near", "task": "digits", "within": 0.02}
    claim |= {"model": "floor-linear", "baseline": "floor-nearest-mean", "scale": "smoke"}
    (tmp_path / "claims.yaml").write_text(yaml.safe_dump({"source": "me", "claims": [claim]}))
    words = command(tmp_path, DEBUG, "--claims-in", str(tmp_path / "claims.yaml"), "--dry-run")
    answers = json.loads(subprocess.run(words, capture_output=True, text=True, check=True, timeout=120).stdout)
    assert [(one["question"], one["kind"]) for one in answers] == [
        ("floor-linear - floor-nearest-mean", "comparison"),
        ("near", "claim"),
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--budget", "3x"], "--budget 3x: write core-hours with a unit, such as 8h, 90min or 2d"),
        (["--budget", "8"], "--budget 8: write core-hours with a unit, such as 8h, 90min or 2d"),
        (["--compare", "floor-linear", "vut"], "unknown model of this sweep 'vut'"),
        (["--compare", "floor-linear", "--dry-run"], "--compare floor-linear: give two names"),
        (["--failed", "boredom"], "unknown cause of failure 'boredom'"),
        (["--first", "9", "--most", "4"], "--first 9 is more than --most 4"),
        (["--most", "1000", "--max-runs", "10"], "sweep 'mine' with 1000 seeds: 2,000 runs would take"),
        (["--claims"], "the runs of this sweep decide none of the claims"),
        (["--margin", "inf"], "--margin inf: give a number from 0 to"),
    ],
)
def test_bad_requests_are_refused_in_one_line(words: list[str], message: str, tmp_path: Path) -> None:
    done = subprocess.run(command(tmp_path, DEBUG, *words), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 2
    assert message in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()
