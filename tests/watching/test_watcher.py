"""What the live page is told: states as `sweep status` has them, what has changed, and no more reading than needed."""

import json
import os
import shutil
import signal
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from nacbench.contracts.metric import ACCURACY, Metric
from nacbench.errors import UserError
from nacbench.formats.terminal import console
from nacbench.machine.process import this_life
from nacbench.recording import curve as curves
from nacbench.recording.claim import hold
from nacbench.sweep.observer import observe
from nacbench.sweep.plan import make_plan
from nacbench.sweep.read_sweep import parse_sweep
from nacbench.sweep.submission import Submission
from nacbench.watching import watcher as watching
from nacbench.watching.progress import progress_of
from nacbench.watching.rows import curve_of, thinned
from nacbench.watching.sources import FolderSource, SweepSource
from nacbench.watching.text import table_of
from nacbench.watching.watcher import Watcher

from ..made import made_failure, made_record, write_failure, write_run
from ..recording.test_claim import ELSEWHERE, holder, leave_claim

HOSTILE = '<b>"\x1b[31m\u202e'
SWEEP: dict[str, Any] = {"tasks": "digits", "models": "nac", "scale": "smoke", "precision": "fp32"}


def begun(store: Path, **changes: Any) -> Path:
    """The folder of a run that has begun and written some of its curve, but has no record."""
    folder = write_run(store, made_record(**changes))
    (folder / "record.json").unlink()
    lines = (folder / "curve.jsonl").read_text().splitlines(keepends=True)
    (folder / "curve.jsonl").write_text("".join(lines[:2]))
    return folder


def beat(folder: Path, **facts: float) -> None:
    """Write a heartbeat of its first attempt."""
    (folder / "heartbeat.json").write_text(json.dumps({"claim": 1, "time": time.time(), **facts}))


def looking(top: Path) -> Watcher:
    """A watcher that has looked once."""
    found = Watcher(FolderSource(top))
    found.look()
    return found


def rows(watcher: Watcher, since: int = 0) -> dict[str, dict[str, Any]]:
    """Rows that have changed since a version, by the run's id."""
    return {row["run"]: row for row in watcher.changes(since)["rows"]}


def only(watcher: Watcher) -> dict[str, Any]:
    """The only row."""
    (row,) = rows(watcher).values()
    return row


# -- states


def test_a_finished_run_has_its_score_with_the_unit(tmp_path: Path) -> None:
    write_run(tmp_path, made_record(score=0.875))
    row = only(looking(tmp_path))
    assert (row["state"], row["score"], row["elapsed"], row["loss"]) == ("done", "87.50 %", 76.5, 0.1)
    assert (row["task"], row["scale"], row["model"], row["seed"]) == ("digits", "mini", "nac", 0)


def test_a_run_goes_on_ends_and_is_done(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    process = holder(folder, 60)
    watcher = looking(tmp_path)
    row = only(watcher)
    assert (row["state"], row["epoch"], row["epochs"], row["step"], row["steps"]) == ("running", 1.0, 2, 10, 20)
    assert row["loss"] == pytest.approx(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    watcher.look()
    assert (only(watcher)["state"], only(watcher)["why"]) == ("lost", "ended without record or failure")
    (folder / "record.json").write_text(json.dumps(made_record().model_dump(mode="json")))
    watcher.look()
    assert only(watcher)["state"] == "done"


@pytest.mark.parametrize("state", ["skipped", "failed", "cancelled"])
def test_a_failure_says_why(tmp_path: Path, state: str) -> None:
    write_failure(tmp_path, made_failure(status=state, cause="oom", reason="no memory left"))
    row = only(looking(tmp_path))
    assert row["state"] == state
    assert row["why"] == ("oom: no memory left" if state == "failed" else "no memory left")
    assert (row["seed"], row["model"]) == (0, "vit")


@pytest.mark.parametrize(("age", "state"), [(10, "running"), (1000, "lost")])
def test_on_another_machine_the_heartbeat_decides_and_nothing_is_written(tmp_path: Path, age: int, state: str) -> None:
    folder = begun(tmp_path)
    leave_claim(folder, ELSEWHERE)
    beat(folder, step=10, steps=20)
    os.utime(folder / "heartbeat.json", (time.time() - age,) * 2)
    before = folder.joinpath("claims").stat().st_mtime_ns
    assert only(looking(tmp_path))["state"] == state
    assert folder.joinpath("claims").stat().st_mtime_ns == before


def test_states_are_those_of_sweep_status(tmp_path: Path) -> None:
    plan = make_plan(parse_sweep({**SWEEP, "seeds": "0..2"}, tmp_path / "mine.yaml"), tmp_path / "data")
    done, held, left = (run.folder(tmp_path) for run in plan.runs)
    write_failure(tmp_path, made_failure(model="nac", run_id=done.name, status="failed", reason="it broke"))
    leave_claim(left, this_life())
    with hold(held):
        watcher = Watcher(SweepSource(plan, tmp_path))
        watcher.look()
        standings = observe(plan.runs, tmp_path)
        assert {row["place"]: row["state"] for row in rows(watcher).values()} == {
            key: standing.state for key, standing in standings.items()
        }
    assert sorted(row["state"] for row in rows(watcher).values()) == ["failed", "lost", "running"]


def test_runs_of_a_sweep_that_have_not_begun_are_there(tmp_path: Path) -> None:
    sweep = parse_sweep({**SWEEP, "tasks": ["digits", "cifar10"]}, tmp_path / "mine.yaml")
    watcher = Watcher(SweepSource(make_plan(sweep, tmp_path / "data"), tmp_path / "runs"))
    watcher.look()
    found = {row["task"]: row for row in watcher.changes()["rows"]}
    assert (found["digits"]["state"], found["cifar10"]["state"]) == ("planned", "no data")
    assert "cifar10" in found["cifar10"]["why"]


@pytest.mark.parametrize(("attempts", "state"), [(0, "queued"), (1, "unknown")])
def test_slurm_is_not_asked_and_the_page_says_so(tmp_path: Path, attempts: int, state: str) -> None:
    profile = {"executor": "slurm", "time": "1h"}
    plan = make_plan(parse_sweep({**SWEEP, "profile": profile}, tmp_path / "mine.yaml"), tmp_path / "data")
    store = tmp_path / "runs"
    submission = Submission.of(plan.runs, sweep="mine", store=store, data_root=tmp_path / "data", plugins=())
    submission.write()
    submission.write_job("77")
    if attempts:
        leave_claim(plan.runs[0].folder(store), ELSEWHERE)
        os.utime(plan.runs[0].folder(store) / "claims" / "000001.json", (0, 0))
    row = only(looking(store))
    assert (row["state"], row["attempts"]) == (state, attempts)
    assert "not asked" in row["why"]


@pytest.mark.parametrize(("silent", "told"), [(0, ""), (1200, "step 10 of 20, at this step for 20 min")])
def test_a_run_that_goes_on_has_no_remark_unless_it_is_stuck(tmp_path: Path, silent: int, told: str) -> None:
    folder = begun(tmp_path)
    leave_claim(folder, ELSEWHERE)
    beat(folder, step=10, steps=20, progress_time=time.time() - silent)
    assert only(looking(tmp_path))["why"] == told


# -- estimates


def test_what_is_left_is_told_by_the_time_of_the_steps_so_far(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    leave_claim(folder, ELSEWHERE)
    beat(folder, step=10, steps=20, seconds=100.0)
    assert progress_of(folder, {}, 3).left == pytest.approx(100)


def test_a_first_attempt_without_a_heartbeat_is_estimated_by_its_curve(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    (folder / "claims").mkdir()
    content = {"life": asdict(ELSEWHERE), "since": "2026-01-01T00:00:00+00:00"}
    (folder / "claims" / "000001.json").write_text(json.dumps(content))
    os.utime(folder / "curve.jsonl", (1767225600 + 40,) * 2)  # 40 s later, at step 10 of 20
    config = {"training": {"epochs": 2}}
    assert progress_of(folder, config, 1).left == pytest.approx(40)
    assert progress_of(folder, config, 2).left is None  # a later attempt did not begin with the first step


@pytest.mark.parametrize("epoch", [0, 5e-324])
def test_an_epoch_that_cannot_be_gives_no_estimate(tmp_path: Path, epoch: float) -> None:
    row = {"step": 5, "epoch": epoch, "split": "train", "loss": 1.0}
    (tmp_path / "curve.jsonl").write_text(json.dumps(row) + "\n")
    assert progress_of(tmp_path, {"training": {"epochs": 2}}, 1).steps is None


def test_runs_that_wait_are_expected_to_take_as_long_as_similar_ones(tmp_path: Path) -> None:
    write_run(tmp_path, made_record(seed=0))
    leave_claim(begun(tmp_path, seed=1), ELSEWHERE)
    write_failure(tmp_path, made_failure(model="nac", status="failed", seed=2))
    found = {row["seed"]: row["expected"] for row in rows(looking(tmp_path)).values()}
    assert found == {0: None, 1: 76.5, 2: None}


# -- changes


def test_only_what_has_changed_is_told_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(3):
        write_run(tmp_path, made_record(seed=seed))
    write_failure(tmp_path, made_failure(status="failed"))
    watcher = looking(tmp_path)
    version = watcher.version
    for name in ("read_record", "look_at_runs", "described", "row_of_finished"):
        monkeypatch.setattr(watching, name, None)
    watcher.look()
    assert watcher.version == version
    assert watcher.changes(version)["rows"] == []


def test_a_new_run_a_change_and_a_run_that_is_gone_are_told(tmp_path: Path) -> None:
    gone = write_run(tmp_path, made_record(seed=0))
    watcher = looking(tmp_path)
    first = watcher.version
    write_run(tmp_path, made_record(seed=1))
    shutil.rmtree(gone)
    watcher.look()
    assert [row["seed"] for row in watcher.changes(first)["rows"]] == [1]
    assert len(watcher.changes(first)["gone"]) == 1


def test_a_record_that_is_replaced_is_read_again(tmp_path: Path) -> None:
    folder = write_run(tmp_path, made_record(score=0.5))
    watcher = looking(tmp_path)
    (folder / "record.json").write_text(json.dumps(made_record(score=0.75).model_dump(mode="json")))
    watcher.look()
    assert only(watcher)["score"] == "75.00 %"


def test_the_settings_that_differ_are_told_as_in_tables(tmp_path: Path) -> None:
    for lr in (0.001, 0.003):
        write_run(tmp_path, made_record(lr=lr))
    leave_claim(begun(tmp_path, lr=0.01), this_life())
    found = rows(looking(tmp_path)).values()
    assert sorted(row["variant"] for row in found) == ["lr=0.001", "lr=0.003", "lr=0.01"]
    assert len({row["dash"] for row in found}) == 3


def test_a_folder_that_is_not_there_yet_fills(tmp_path: Path) -> None:
    watcher = looking(tmp_path / "runs")
    assert watcher.changes()["rows"] == []
    write_run(tmp_path / "runs", made_record())
    watcher.look()
    assert only(watcher)["state"] == "done"


@pytest.mark.parametrize("inside", ["", "digits", "digits/nac"])
def test_a_part_of_a_store_is_watched_alone(tmp_path: Path, inside: str) -> None:
    write_run(tmp_path, made_record())
    write_run(tmp_path, made_record(task="listops"))
    found = rows(looking(tmp_path / inside)).values()
    assert {row["task"] for row in found} == ({"digits"} if inside else {"digits", "listops"})


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is not a folder; name one that holds runs"):
        FolderSource(tmp_path / "file")


def test_the_table_for_a_terminal_has_what_goes_on_first(tmp_path: Path) -> None:
    for seed in range(3):
        write_run(tmp_path, made_record(seed=seed))
    with hold(begun(tmp_path, seed=7)):
        table = table_of(looking(tmp_path), 2)
    out = console()
    out.width = 120
    with out.capture() as captured:
        out.print(table)
    lines = captured.get().splitlines()
    assert "1 running, 3 done" in " ".join(captured.get().split())  # a long folder wraps
    first, second = (line for line in lines if " nac " in line)
    assert first.split()[:6] == ["nac", "digits", "·", "mini", "7", "running"]
    assert "90.00 %" in second
    assert "2 more runs are not shown" in lines[-1]


# -- what is broken or foreign


def test_a_broken_record_is_named_at_every_look(tmp_path: Path) -> None:
    folder = write_run(tmp_path, made_record())
    (folder / "record.json").write_text("{")
    watcher = looking(tmp_path)
    for _ in range(2):
        watcher.look()
        assert only(watcher)["why"] == "its record.json is broken; it will be set aside"
        assert any("record.json is not a record" in line for line in watcher.changes()["problems"])


def test_a_submission_of_another_version_does_not_stop_the_page(tmp_path: Path) -> None:
    plan = make_plan(parse_sweep(SWEEP, tmp_path / "mine.yaml"), tmp_path / "data")
    submission = Submission.of(plan.runs, sweep="mine", store=tmp_path, data_root=tmp_path / "data", plugins=())
    path = submission.write()
    content = json.loads(path.read_text())
    content["runs"][0]["config"] = {"task": 5}
    path.write_text(json.dumps(content))
    assert (only(looking(tmp_path))["task"], only(looking(tmp_path))["seed"]) == ("digits", None)


def test_texts_of_others_can_be_seen(tmp_path: Path) -> None:
    write_failure(tmp_path, made_failure(status="failed", model="m\u202e", reason=HOSTILE))
    row = only(looking(tmp_path))
    assert row["model"] == "m\\u202e"
    assert row["why"] == '<b>"\\x1b[31m\\u202e'


# -- curves


def test_a_curve_that_is_being_written_is_read_up_to_its_last_whole_line(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    with (folder / "curve.jsonl").open("a") as stream:
        stream.write('{"step": 15, "epoch": 1.5, "spl')
    watcher = looking(tmp_path)
    (curve,) = watcher.curves([0]).values()
    assert curve["loss"] == [(0.5, 0.4), (1.0, 0.2)]
    with (folder / "curve.jsonl").open("a") as stream:
        stream.write('it": "train", "loss": 0.1}\n')
    watcher.look()
    (after,) = watcher.curves([0]).values()
    assert after["loss"][-1] == (1.5, 0.1)
    assert after["stamp"] != curve["stamp"]


def test_scores_of_a_curve_are_in_the_unit_of_tables() -> None:
    points = [
        curves.Point.model_validate({"step": 5, "epoch": 1.0, "split": "validation", "accuracy": 0.5, "mse": 2.0}),
    ]
    assert curve_of(points, ACCURACY, 9)["check"] == [(1.0, 50.0)]
    assert curve_of(points, ACCURACY, 9)["heading"] == "validation accuracy (%)"
    assert curve_of(points, Metric(name="mse", better="lower"), 9)["check"] == [(1.0, 2.0)]
    assert curve_of(points, None, 9)["heading"] == "validation accuracy"


def test_a_thinned_curve_keeps_its_ends() -> None:
    assert thinned(range(10), 4) == [0, 3, 6, 9]
    assert thinned(range(11), 4) == [0, 3, 6, 9, 10]
    assert thinned([], 4) == []


def test_the_end_of_a_long_curve_is_enough(tmp_path: Path) -> None:
    lines = [{"step": s, "epoch": s / 10, "split": "train", "loss": 1.0 + s} for s in range(1000)]
    (tmp_path / "curve.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    train, other = curves.last_points(tmp_path / "curve.jsonl")
    assert train is not None
    assert (train.loss, other) == (1000.0, None)
