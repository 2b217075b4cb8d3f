"""Sweeps on the cluster when nothing goes wrong: order, shapes, real training, and the whole way by command line."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from nacbench.machine import slurm
from nacbench.recording.claimants import claimants
from nacbench.sweep.submission import submissions

from .conftest import PROFILE, TestSweep, queue_is_busy, tell, until

Make = Callable[..., TestSweep]
Cluster = Callable[..., None]
REAL = {"tasks": ["digits"], "models": ["nac"], "set": {"training.epochs": 12}, "plugins": []}


def test_thousand_runs_are_submitted_within_ten_seconds(sweep: Make) -> None:
    # measured in the benchmark; here, that they all get there, in arrays that the cluster takes
    # slow steps: the one run that is started must not end before it is cancelled
    it = sweep(task={"pause": 1.0}, seeds="0..999", profile={"array_parallelism": 1})
    assert it.submit().started == 1000
    assert it.submit().started == 0
    assert [len(submission.runs) for submission in submissions(it.store)] == [1000]
    assert len(it.cancel()) == 1000


def test_runs_with_different_resources_are_in_different_arrays(sweep: Make) -> None:
    it = sweep(
        task={"pause": 0.02}, seeds=[0, 1, 2], resources=[{"when": {"seed": 2}, "use": {"memory_gb": 1.8, "time": 30}}]
    )
    it.submit()
    assert sorted(len(submission.runs) for submission in submissions(it.store)) == [1, 2]
    limits = dict(line.split() for line in tell("squeue", "-h", "-o", "%m %l").splitlines())
    assert limits == {"1946M": "1:00:00", "1843M": "30:00"}
    it.finish(attempts=1)


def test_evaluations_wait_for_the_run_they_are_trained_on(sweep: Make) -> None:
    it = sweep(tasks=["digits-c"], models=["nac", "vit"], plugins=[], set={"task.examples": 20})
    assert it.submit().started == 4
    waiting = [job for job in slurm.queue().values() if job.reason == "Dependency"]
    assert len(waiting) in (0, 2)
    records = it.finish(attempts=1)
    assert sorted(record.task for record in records) == ["digits", "digits", "digits-c", "digits-c"]


def test_an_evaluation_starts_only_after_a_retry_of_the_failed_training_run(sweep: Make, tmp_path: Path) -> None:
    it = sweep(tasks=["digits-c"], models=["nac"], plugins=[], set={"task.examples": 20})
    trainer, follower = it.plan().runs
    it.submit()
    job = it.standings()[trainer.key].job
    assert job is not None
    until(lambda: it.standings()[trainer.key].state == "running", "the training run to start")
    tell("scancel", "--signal=KILL", job)
    until(lambda: not queue_is_busy(), "both to be gone")
    assert it.standings()[trainer.key].state in ("lost", "cancelled")
    assert it.standings()[follower.key].attempts == 0
    it.submit(also=["cancelled"])
    it.finish()


# -- real training ---------------------------------------------------------------------------------------------------


def test_killed_training_resumes_to_the_same_weights(sweep: Make) -> None:
    it = sweep(**REAL)
    it.submit()
    it.until_step(10)
    (last,) = claimants(it.folder)
    subprocess.run(["kill", "-9", str(last.life.pid)], check=True)
    it.until_states("lost")
    it.submit()
    it.finish(attempts=2)


def test_requeued_training_resumes_to_the_same_weights(sweep: Make) -> None:
    it = sweep(**REAL)
    it.submit()
    it.until_step(10)
    it.warn()
    assert it.finish()[0].attempts >= 2


@pytest.mark.timeout(600)  # a node that is gone is noticed late on a busy machine
def test_training_with_two_live_copies_ends_once(sweep: Make, cluster: Cluster) -> None:
    it = sweep(**{**REAL, "set": {"training.epochs": 20}})
    it.submit()
    it.until_step(10)
    node = until(lambda: tell("squeue", "-h", "-j", it.job(), "-o", "%N").strip(), "a node")
    pid = claimants(it.folder)[0].life.pid
    subprocess.run(["kill", "-STOP", str(pid)], check=True)  # as if cut off, and slow to come back
    cluster("kill-node", node)
    until(lambda: len(claimants(it.folder)) == 2, "the second copy", 120)
    subprocess.run(["kill", "-CONT", str(pid)], check=True)
    it.finish(attempts=2)


def test_several_processes_train_one_run_together(sweep: Make) -> None:
    it = sweep(**REAL, profile={"nodes": 2, "tasks": 1})
    it.submit()
    it.until_states("done")
    (run,) = it.plan().runs
    assert '"processes": 2' in (run.folder(it.store) / "record.json").read_text()


# -- by command line -------------------------------------------------------------------------------------------------


def test_sweep_by_command_line(sweep: Make, tmp_path: Path) -> None:
    sweep()  # for the environment
    file = tmp_path / "mine.yaml"
    content = {"tasks": "digits", "models": ["nac", "vit"], "scale": "smoke", "profile": PROFILE}
    file.write_text(yaml.safe_dump(content))

    def nacbench(*words: str) -> str:
        command = [sys.executable, "-m", "nacbench", *words, "--out", str(tmp_path / "runs")]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout

    assert "start them with: nacbench sweep submit" in nacbench("sweep", "plan", str(file))
    assert "mine: 2 runs submitted to Slurm (jobs " in nacbench("sweep", "submit", str(file))
    assert "no run is missing" in nacbench("sweep", "submit", str(file))
    until(
        lambda: "done" in (text := nacbench("sweep", "status", str(file))) and "running" not in text, "both to be done"
    )
    assert "no run has failed" in nacbench("sweep", "logs", str(file))
    assert "no run is queued or running" in nacbench("sweep", "cancel", str(file))


@pytest.mark.parametrize("partition", ["nowhere"])
def test_slurm_s_refusal_is_one_line(sweep: Make, partition: str) -> None:
    from nacbench.errors import UserError

    it = sweep(profile={"partition": partition})
    with pytest.raises(UserError, match=r"Slurm refused the submission of 1 runs: .*[Pp]artition"):
        it.submit()
    assert it.standing().state in ("planned", "lost")
