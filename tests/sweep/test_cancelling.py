"""Cancelling runs of this machine: what hangs is killed, and what no sweep started goes on."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from nacbench.filesystem import owner
from nacbench.machine import ending
from nacbench.machine.process import Life, this_life
from nacbench.recording.claim import hold
from nacbench.recording.claimants import is_held
from nacbench.sweep.cancelling import cancel
from nacbench.sweep.plan import Place
from nacbench.sweep.submission import submissions
from nacbench.sweep.submitting import submit

from ..recording.test_claim import leave_claim
from .sleepy_runs import CONTENT, let_workers_import, nacbench, plan, states, wait_for, write

pytestmark = pytest.mark.usefixtures("sleepy")


def test_cancelled_runs_start_again_on_resume_only(place: Place, tmp_path: Path) -> None:
    slow = {"task.pause": 0.2, "training.epochs": 6}
    words = write(place, tmp_path, set=slow, profile={"executor": "local"})
    process = subprocess.Popen([sys.executable, "-m", "nacbench", "sweep", "submit", *words])
    planned = plan(place, set=slow)
    deadline = time.monotonic() + 60
    while states(planned, place) != ["running"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(3)  # until it can heed a signal
    assert len(cancel(planned, place).runs) == 1
    assert process.wait(60) == 1
    assert states(planned, place) == ["cancelled"]
    assert "no run is missing" in nacbench("submit", *words).stdout
    assert "1 of 1 runs done" in nacbench("resume", *words).stdout


def test_cancel_kills_a_worker_that_hangs_and_its_children(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "PATIENCE_SECONDS", 1.0)
    monkeypatch.setenv("SLEEPY_CHILD", str(tmp_path / "child"))
    settings = {**CONTENT["set"], "task.fault": "hang", "task.fault_step": 1}
    words = write(place, tmp_path, set=settings, seeds=[0, 1], profile={"executor": "local"})
    process = subprocess.Popen([sys.executable, "-m", "nacbench", "sweep", "submit", *words])
    planned = plan(place, set=settings, seeds=[0, 1])
    wait_for(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text())
    child = owner.process(int((tmp_path / "child").read_text()))
    assert child.lives()
    assert states(planned, place) == ["running", "queued"]
    assert submit(planned, place, print).started == 0
    cancelled = cancel(planned, place)
    assert (len(cancelled.runs), cancelled.killed, cancelled.left) == (2, 1, [])
    assert not child.lives()
    assert process.wait(60) == 1
    assert states(planned, place) == ["cancelled", "cancelled"]


def test_cancel_ends_a_worker_that_hangs_during_its_imports(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has not claimed its run yet."""
    let_workers_import(monkeypatch, tmp_path / "stuck", "import time\ntime.sleep(300)\n")
    planned = plan(place, profile={"executor": "local", "threads": 1})
    with ThreadPoolExecutor(1) as pool:
        submitting = pool.submit(submit, planned, place, print)
        wait_for(lambda: states(planned, place) == ["running"])
        assert len(cancel(planned, place).runs) == 1
        assert submitting.result(60).done == 0
    assert states(planned, place) == ["cancelled"]


def test_cancel_leaves_what_no_sweep_started(place: Place) -> None:
    planned = plan(place)
    (run,) = planned.runs
    with hold(run.folder(place.store)):
        cancelled = cancel(planned, place)
        assert cancelled.runs == []
        assert "it was not started by a sweep of this folder" in cancelled.left[0]
        assert states(planned, place) == ["running"]
    assert not list(place.store.rglob("failure.json"))


def test_cancel_does_not_end_a_process_that_has_the_number_of_a_dead_worker(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker's claim looks alive, as on a file system without locks; but its number is another process's."""
    submit(plan(place), place, print)
    token = submissions(place.store)[0].token
    planned = plan(place, seeds=[0, 1])
    folder = planned.runs[1].folder(place.store)
    with subprocess.Popen(["sleep", "60"]) as bystander:
        own = owner.process(bystander.pid)
        space, _, ticks = own.born.partition(" ")
        for born in (f"{space} {int(ticks) - 1}", ""):
            leave_claim(folder, replace(this_life(), pid=own.pid, born=born, submission=token))
            assert is_held(folder) is False
            monkeypatch.setattr("nacbench.sweep.observer.is_held", lambda folder: True)
            cancel(planned, place)
            monkeypatch.undo()
            assert bystander.poll() is None
        bystander.kill()


def test_a_run_of_another_machine_is_not_said_to_be_cancelled(place: Place) -> None:
    planned = plan(place)
    leave_claim(planned.runs[0].folder(place.store), Life(host="n7", machine="n7/boot", pid=5))
    assert states(planned, place) == ["running"]
    cancelled = cancel(planned, place)
    assert cancelled.runs == []
    assert "it runs on another machine (n7, process 5); cancel it there" in cancelled.left[0]
