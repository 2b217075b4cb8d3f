"""Sweeps on this machine: order, failures, interruption, and what status and logs tell of them."""

import errno
import fcntl
import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nacbench.recording.claim import hold
from nacbench.recording.read_record import read_failure, read_record
from nacbench.recording.record import FAILURE, RECORD
from nacbench.recording.tags import read_tags
from nacbench.sweep import local, submission
from nacbench.sweep.cancelling import cancel
from nacbench.sweep.observer import observe
from nacbench.sweep.plan import Place
from nacbench.sweep.state import Standing
from nacbench.sweep.submission import Submission, sole_submitter, submissions
from nacbench.sweep.submitting import ready, submit

from .sleepy_runs import CONTENT, let_workers_import, nacbench, plan, states, wait_for, write

pytestmark = pytest.mark.usefixtures("sleepy")


def test_submit_starts_only_missing_runs(place: Place) -> None:
    said: list[str] = []
    two = plan(place, seeds=[0, 1])
    assert states(two, place) == ["planned", "planned"]
    assert submit(two, place, said.append).done == 2
    three = plan(place, seeds=[0, 1, 2])
    assert states(three, place) == ["done", "done", "planned"]
    assert submit(three, place, said.append).started == 1
    assert submit(three, place, said.append).started == 0
    assert said == [f"sleepy · sleepy · seed {seed}: done" for seed in range(3)]


def test_runs_of_a_sweep_get_its_tags_and_those_that_are_there_get_later_ones(place: Place) -> None:
    said: list[str] = []
    plain = plan(place, seeds=[0])
    submit(plain, place, said.append)
    both = plan(place, seeds=[0, 1], tags=["tuned", "v2"], notes="With the longer warm-up")
    assert [run.run_id for run in both.runs][:1] == [run.run_id for run in plain.runs]
    assert submit(both, place, said.append).started == 1
    marks = [read_tags(run.folder(place.store)) for run in both.runs]
    assert [(one.tags, one.notes) for one in marks] == [(("tuned", "v2"), ("With the longer warm-up",))] * 2
    assert "tag tuned, tag v2, note 'With the longer warm-up': added to 1 of 1 runs that are there" in said
    assert submissions(place.store)[-1].tags == both.sweep.marks  # jobs on another machine read them there


def test_submissions_within_a_second_are_read_in_their_order(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "utc_now", lambda: "2026-11-29T10:00:00+00:00")
    runs = plan(place, seeds=[0]).runs
    made = [
        Submission.of(runs, sweep="sleepy", store=place.store, data_root=place.data_root, plugins=()) for _ in range(20)
    ]
    for one in made:
        one.write()
    assert [one.token for one in submissions(place.store)] == [one.token for one in made]


def test_a_failure_is_written_and_does_not_stop_other_runs(place: Place) -> None:
    both = plan(place, include=[{"set": {**CONTENT["set"], "task.fault": "error", "task.fault_step": 1}}])
    assert submit(both, place, print).done == 1
    assert sorted(states(both, place)) == ["done", "failed"]
    (path,) = place.store.rglob("failure.json")
    assert "made to fail" in (read_failure(path).traceback or "")
    assert submit(both, place, print).started == 0
    assert submit(both, place, print, retry=["error"]).started == 1
    assert len(list(place.store.rglob("failures/001.json"))) == 1


def test_runs_that_train_come_first_and_once(place: Place) -> None:
    content: dict[str, Any] = {"tasks": ["digits-c"], "models": ["vit"], "plugins": [], "set": {}}
    planned = plan(place, **content, profile={"executor": "local", "processes": 2, "threads": 1})
    assert [(run.config.task.name, run.is_wanted) for run in planned.runs] == [("digits", False), ("digits-c", True)]
    said: list[str] = []
    assert submit(planned, place, said.append).done == 2
    assert [line.split(" · ")[0] for line in said] == ["[1/2] digits", "[2/2] digits-c"]
    assert "left" in said[0]


def test_a_part_of_a_plan_is_started_alone_and_with_networks_that_are_there(place: Place) -> None:
    planned = plan(place, tasks=["digits-c"], models=["floor-linear"], plugins=[], set={"task.examples": 20})
    network, follower = planned.runs
    assert submit(planned, place, print, only=[follower]).started == 0  # without its network it could only fail
    assert states(planned, place) == ["planned", "planned"]
    assert submit(planned, place, print, only=[network]).done == 1
    assert states(planned, place) == ["done", "planned"]
    assert submit(planned, place, print, only=[follower]).done == 1
    assert states(planned, place) == ["done", "done"]


def test_a_network_that_another_process_trains_is_waited_for(place: Place) -> None:
    local_ = {"executor": "local", "processes": 2, "threads": 1}
    planned = plan(
        place, tasks=["digits-c"], models=["floor-linear"], plugins=[], set={"task.examples": 20}, profile=local_
    )
    network, follower = planned.runs
    with hold(network.folder(place.store)):
        found = submit(planned, place, print)
        assert (found.started, [(one.run, one.state) for one in found.held]) == (0, [(follower, "running")])
    assert not follower.folder(place.store).exists()
    assert submit(planned, place, print).done == 2


@pytest.mark.parametrize(
    ("standing", "executor", "starts"),
    [
        (Standing(state="done"), "debug", True),
        (Standing(state="running"), "local", False),
        (Standing(state="running"), "slurm", False),  # by a process that is no job
        (Standing(state="queued", job="7"), "local", False),
        (Standing(state="queued", job="7"), "slurm", True),
        (Standing(state="failed", job="7"), "slurm", False),
        (Standing(state="unreadable"), "debug", False),
    ],
)
def test_a_run_is_started_only_if_its_network_is_there_or_comes(
    place: Place, standing: Standing, executor: str, starts: bool
) -> None:
    network, follower = plan(place, tasks=["digits-c"], models=["vit"], plugins=[], set={}).runs
    follower = replace(follower, profile=follower.profile.model_copy(update={"executor": executor}))
    todo, held = ready([follower], {network.key: standing})
    assert (bool(todo), bool(held)) == (starts, not starts)
    elsewhere = replace(network, profile=network.profile.model_copy(update={"executor": "slurm"}))
    todo, held = ready([elsewhere, follower], {network.key: Standing(state="planned")})
    assert todo == ([elsewhere, follower] if executor == "slurm" else [elsewhere])


def test_a_run_that_cannot_be_read_is_left_alone_and_the_others_are_started(place: Place) -> None:
    both = plan(place, seeds=[0, 1])
    folder = both.runs[0].folder(place.store)
    folder.parent.mkdir(parents=True)
    folder.write_text("")
    warned: list[str] = []
    assert submit(both, place, print, warn=warned.extend).done == 1
    assert states(both, place) == ["unreadable", "done"]
    assert warned == [f"{folder} is a file, where the folder of a run belongs; remove or rename it"]


@pytest.mark.parametrize("executor", ["debug", "local"])
def test_rules_of_resources_hold_for_runs_of_this_machine(place: Place, executor: str) -> None:
    rules = [{"when": {"seed": 0}, "use": {"threads": 2, "checkpoint_seconds": 77}}]
    base = {"executor": executor, "device": "cpu", "threads": 1}
    both = plan(place, seeds=[0, 1], resources=rules, profile=base)
    assert submit(both, place, print).done == 2
    found = [read_record(run.folder(place.store) / RECORD).environment.hardware.threads for run in both.runs]
    assert found == [2, 1]
    (one,) = submissions(place.store)
    assert [one.profile_of(index).checkpoint_seconds for index in range(2)] == [
        77,
        both.runs[1].profile.checkpoint_seconds,
    ]


def test_a_run_is_done_by_its_record_however_its_process_ends(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    start = local._start

    def dies_late(*arguments: Any) -> Any:
        started = start(*arguments)
        started.process.wait()
        started.process.returncode = -6
        return started

    monkeypatch.setattr(local, "_start", dies_late)
    content: dict[str, Any] = {"tasks": ["digits-c"], "models": ["floor-linear"], "plugins": []}
    planned = plan(place, **content, set={"task.examples": 20}, profile={"executor": "local", "threads": 1})
    said: list[str] = []
    assert submit(planned, place, said.append).done == 2
    assert [": done, though its process ended with killed by signal 6, " in line for line in said] == [True, True]


@pytest.mark.parametrize(("profile", "threads"), [({"processes": 2}, 3), ({"processes": 9}, 1), ({"threads": 5}, 5)])
def test_a_worker_gets_its_share_of_the_cores_that_are_granted(
    place: Place, monkeypatch: pytest.MonkeyPatch, profile: dict[str, int], threads: int
) -> None:
    monkeypatch.setattr(local, "granted_cores", lambda: 6)
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    given = []

    def start(*arguments: Any) -> None:
        given.append(arguments[-1]["OMP_NUM_THREADS"])
        raise KeyboardInterrupt

    monkeypatch.setattr(local, "_start", start)
    with pytest.raises(KeyboardInterrupt):
        submit(plan(place, profile={"executor": "local", **profile}), place, print)
    assert given == [str(threads)]


def test_a_run_whose_network_fails_is_left_out(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from nacbench.data.live import Classification

    monkeypatch.setattr(Classification, "loss", lambda self, net, batch: 1 / 0)
    said: list[str] = []
    planned = plan(place, tasks=["digits-c"], models=["vit"], plugins=[], set={})
    assert submit(planned, place, said.append).done == 0
    assert said[-1] == "digits-c · vit · seed 0: left out, as the run that trains its network is not done"
    assert states(planned, place) == ["failed", "planned"]
    assert submit(planned, place, said.append).started == 0  # what waits for a failed run could only fail likewise


def test_an_unsupported_task_is_skipped_with_a_reason(place: Place) -> None:
    planned = plan(place, tasks=["listops-short"], models=["vit"], plugins=[], set={})
    (run,) = planned.runs
    assert run.is_unsuited
    assert states(planned, place) == ["skipped"]
    assert submit(planned, place, print).started == 0
    failure = read_failure(run.folder(place.store) / FAILURE)  # for the report's table
    assert (failure.status, failure.reason) == ("skipped", "it takes images only")


def test_missing_data_is_planned_for_but_not_started(place: Place) -> None:
    planned = plan(place, tasks=["modelnet40", "digits"], models=["nac"], plugins=[], set={})
    assert [run.run_id is None for run in planned.runs] == [True, False]
    assert "modelnet40 is not in" in (planned.runs[0].problem or "")
    assert "modelnet40" not in json.dumps([run.key for run in planned.doable])


def test_a_running_run_is_not_started_again(place: Place) -> None:
    planned = plan(place)
    (run,) = planned.runs
    with hold(run.folder(place.store)) as claim:
        claim.progress(step=3, steps=9)
        claim.beat()
        (standing,) = observe(planned.runs, place.store).values()
        assert (standing.state, standing.detail) == ("running", "step 3 of 9")
        assert submit(planned, place, print).started == 0
    assert states(planned, place) == ["lost"]
    assert submit(planned, place, print).started == 1


def test_a_run_is_given_up_after_max_attempts(place: Place) -> None:
    profile = {"executor": "local", "max_attempts": 2}
    planned = plan(place, set={**CONTENT["set"], "task.fault": "kill", "task.fault_step": 1}, profile=profile)
    for _ in range(2):
        assert submit(planned, place, print).done == 0
        assert states(planned, place) == ["lost"]
    submit(planned, place, print)
    (standing,) = observe(planned.runs, place.store).values()
    assert (standing.state, standing.cause) == ("failed", "attempts")


def test_code_that_changed_since_the_submission_is_not_run_under_the_old_id(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nacbench.running import identity

    planned = plan(place)
    monkeypatch.setattr(identity, "engine_digest", lambda: "another")
    assert submit(planned, place, print).done == 0
    (standing,) = observe(planned.runs, place.store).values()
    assert standing.state == "failed"
    assert "code or data has changed since; submit the sweep again" in standing.detail


@pytest.mark.parametrize("executor", ["local", "debug"])
def test_runs_save_checkpoints_on_a_signal_and_no_other_is_started(place: Place, tmp_path: Path, executor: str) -> None:
    slow = {"task.pause": 0.3, "training.epochs": 9}
    words = write(place, tmp_path, set=slow, seeds=[0, 1], profile={"executor": executor, "checkpoint_seconds": 1000})
    process = subprocess.Popen([sys.executable, "-m", "nacbench", "sweep", "submit", *words])
    deadline = time.monotonic() + 60
    while not any("step" in path.read_text() for path in place.store.rglob("curve.jsonl")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 130
    assert list(place.store.rglob("checkpoint/last.safetensors"))
    assert states(plan(place, set=slow, seeds=[0, 1]), place) == ["lost", "planned"]


@pytest.mark.parametrize("locks", [True, False])
def test_one_submitter_waits_for_another_with_and_without_locks(
    place: Place, monkeypatch: pytest.MonkeyPatch, locks: bool
) -> None:
    def no_locks(*words: object) -> None:
        raise OSError(errno.ENOSYS, "no locks")

    if not locks:
        monkeypatch.setattr(fcntl, "flock", no_locks)
    order: list[str] = []

    def second() -> None:
        with sole_submitter(place.store):
            order.append("second")

    with ThreadPoolExecutor(1) as pool:
        with sole_submitter(place.store):
            waiting = pool.submit(second)
            time.sleep(0.5)
            order.append("first")
        waiting.result(10)
    assert order == ["first", "second"]
    with sole_submitter(place.store):  # claims do not pile up
        assert len(list(place.store.rglob("claims/*.json"))) == 1


def test_a_killed_submitter_leaves_workers_that_are_known_and_a_file_that_goes(place: Place, tmp_path: Path) -> None:
    slow = {"task.pause": 0.3, "training.epochs": 9}
    words = write(place, tmp_path, set=slow, seeds=[0, 1], profile={"executor": "local"})
    process = subprocess.Popen([sys.executable, "-m", "nacbench", "sweep", "submit", *words])
    planned = plan(place, set=slow, seeds=[0, 1], profile={"executor": "local"})
    wait_for(lambda: states(planned, place) == ["running", "queued"])
    process.kill()
    process.wait()
    assert states(planned, place) == ["running", "planned"]
    assert len(cancel(planned, place).runs) == 1
    assert list(place.store.rglob("*.local"))
    assert submit(plan(place, seeds=[2]), place, print).done == 1
    assert not list(place.store.rglob("*.local"))


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"machine": 3}', '{"machine": "m", "submitter": {"pid": -1, "born": ""}, "workers": {}}']
)
def test_a_broken_file_of_workers_is_ignored(place: Place, content: str) -> None:
    submit(plan(place), place, print)
    (file,) = (place.store / ".sweeps" / "submissions").glob("*.json")
    file.with_suffix(".local").write_text(content)
    assert states(plan(place), place) == ["done"]


def test_a_worker_that_dies_during_imports_is_reported(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its run has no folder yet, so that only the worker's own log knows why."""
    let_workers_import(monkeypatch, tmp_path / "broken", "raise ImportError('broken on purpose')\n")
    said: list[str] = []
    planned = plan(place, profile={"executor": "local", "threads": 1})
    assert submit(planned, place, said.append).done == 0
    assert said[-1] == "    ImportError: broken on purpose"
    assert not planned.runs[0].folder(place.store).exists()
    (standing,) = observe(planned.runs, place.store).values()
    how = "its process ended before the run started (exit 1): ImportError: broken on purpose"
    assert (standing.state, standing.detail) == ("lost", how)
    assert how in nacbench("status", *write(place, tmp_path, profile={"executor": "local", "threads": 1})).stdout
    told = nacbench("logs", *write(place, tmp_path, profile={"executor": "local", "threads": 1})).stdout
    assert "ImportError: broken on purpose\n  nacbench: this process ended before its run was done (exit 1)" in told
    monkeypatch.undo()
    assert submit(planned, place, said.append).done == 1


def test_a_worker_that_ends_well_without_a_record_is_not_done(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it does if a plug-in calls exit(0)."""
    let_workers_import(monkeypatch, tmp_path / "leaving", "raise SystemExit(0)\n")
    said: list[str] = []
    assert submit(plan(place, profile={"executor": "local", "threads": 1}), place, said.append).done == 0
    assert any("not done (exit 0)" in line for line in said)


def test_status_prints_states(place: Place, tmp_path: Path) -> None:
    words = write(place, tmp_path, include=[{"set": {**CONTENT["set"], "task.fault": "error", "task.fault_step": 1}}])
    assert "mine: 2 runs" in nacbench("plan", *words).stdout
    submitted = nacbench("submit", *words)
    assert submitted.returncode == 1
    assert "mine: 1 of 2 runs done" in submitted.stdout
    status = nacbench("status", *words).stdout
    title = "sleepy · sleepy · seed 0 · task.fault=error, task.fault_step=1"
    assert f"failed (error)  {title}: RuntimeError: made to fail" in status
    assert "nacbench sweep retry" in status
    rows = json.loads(nacbench("status", *words, "--json").stdout)
    assert sorted((row["state"], row["cause"]) for row in rows) == [("done", None), ("failed", "error")]
    logs = nacbench("logs", *words).stdout
    assert "Traceback" in logs
    assert "RuntimeError: made to fail" in logs
    mistake = nacbench("retry", *words, "--failed", "tiemout")
    assert (mistake.returncode, mistake.stderr) == (
        2,
        "error: unknown cause of failure 'tiemout'; did you mean 'timeout'?\n",
    )
    assert nacbench("logs", words[0], "xyz", *words[1:]).returncode == 2


def test_missing_data_stops_a_submission_unless_it_is_allowed(place: Place, tmp_path: Path) -> None:
    words = write(place, tmp_path, include=[{"tasks": "modelnet40", "models": "nac", "set": {}}])
    empty = tmp_path / "empty"
    empty.mkdir()
    refused = nacbench("submit", *words, "--data-root", str(empty))
    assert refused.returncode == 2
    assert "modelnet40 is not in" in refused.stderr
    assert not submissions(place.store)
    assert "1 of 1 runs done" in nacbench("submit", *words, "--data-root", str(empty), "--allow-missing").stdout


def test_broken_submission_files_are_ignored(place: Place) -> None:
    submit(plan(place), place, print)
    (place.store / ".sweeps" / "submissions" / "nacbench-x.json").write_text("{")
    assert len(submissions(place.store)) == 1
    assert {path.name for path in place.store.iterdir()} == {".sweeps", "sleepy"}


def test_states_of_a_large_sweep_come_from_the_index(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    submit(plan(place, seeds=[0, 1]), place, print)
    three = plan(place, seeds=[0, 1, 2])
    one_by_one = observe(three.runs, place.store)
    monkeypatch.setattr("nacbench.sweep.observer.MANY", 2)
    assert observe(three.runs, place.store) == one_by_one
    done, moved = (run.folder(place.store) for run in three.runs[:2])
    moved.rename(moved.with_name(f"{moved.name}-copy"))  # no longer where the run would be
    (done / "record.json").write_text("{")
    assert states(three, place) == ["lost", "planned", "planned"]
