"""What goes wrong on a cluster; whatever it is, every run ends done exactly once, as if nothing had been."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nacbench.errors import UserError
from nacbench.machine import slurm
from nacbench.recording.claimants import claimants
from nacbench.recording.read_record import read_failure
from nacbench.sweep.arrays import LAUNCHER
from nacbench.sweep.submission import submissions

from .conftest import PLUGIN, TestSweep, queue_is_busy, tell, until

Make = Callable[..., TestSweep]
Cluster = Callable[..., None]
SLOW = {"pause": 0.4}  # 20 steps: eight seconds


def node_of(sweep: TestSweep) -> str:
    """Where the only run's job is."""
    return until(lambda: tell("squeue", "-h", "-j", sweep.job(), "-o", "%N").strip(), "a node")


# -- the run itself ------------------------------------------------------------------------------------------------


def test_exception_fails_only_its_own_run(sweep: Make, tmp_path: Path) -> None:
    it = sweep(
        include=[
            {"set": {"task.pause": 0.02}, "seeds": [0, 1]},
            {"set": {"task.fault": "error", "task.mark": str(tmp_path / "mark")}},
        ]
    )
    it.submit()
    it.until_states("done", "failed")
    ((key, standing),) = [(k, s) for k, s in it.standings().items() if s.state == "failed"]
    failure = read_failure(it.store / key / "failure.json")
    assert (standing.cause, failure.cause, failure.reason) == (
        "error",
        "error",
        "RuntimeError: made to fail (sleepy.py, line 71)",
    )
    assert failure.traceback is not None
    assert "in _fail" in failure.traceback
    assert it.submit().started == 0
    assert it.submit(retry=["oom"]).started == 0
    assert it.submit(retry=["error"]).started == 1
    it.finish()
    assert read_failure(it.store / key / "failures" / "001.json", failure.run_id) == failure


def test_killed_run_is_lost_and_resumes_when_submitted_again(sweep: Make, tmp_path: Path) -> None:
    it = sweep(task={"fault": "kill", "mark": str(tmp_path / "mark")})
    it.submit()
    it.until_states("lost")
    assert "FAILED" in it.standing().detail
    assert it.submit().started == 1
    it.finish(attempts=2)
    assert "resuming from step" in (it.folder / "log.txt").read_text()


def test_out_of_memory_is_recognised(sweep: Make, tmp_path: Path) -> None:
    it = sweep(task={"fault": "memory", "mark": str(tmp_path / "mark")})
    it.submit()
    it.until_states("failed")
    assert it.standing().cause == "oom"
    assert it.submit().started == 0
    assert read_failure(it.folder / "failure.json").reason.startswith("out of memory")
    assert it.submit(retry=["oom"]).started == 1
    it.finish(attempts=2)


def test_run_that_never_ends_is_given_up(sweep: Make) -> None:
    # at the first step: later ones would let each attempt go on from a later checkpoint, until one reaches the end
    it = sweep(task={"fault": "kill", "fault_step": 1}, profile={"max_attempts": 2})
    for _ in range(2):
        it.submit()
        it.until_states("lost")
    it.submit()
    it.until_states("failed")
    assert it.standing().cause == "attempts"
    assert "given up after 2 attempts" in it.standing().detail
    assert it.submit().started == 0
    assert it.submit(retry=["attempts"]).started == 1  # a person has looked at it: as many attempts again
    it.until_states("lost")


def test_full_disk_fails_the_run_and_leaves_no_partial_file(sweep: Make, tmp_path: Path) -> None:
    it = sweep(task=SLOW)
    it.store.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", str(it.store)], check=True)
    except subprocess.CalledProcessError:
        pytest.skip("no right to mount a small file system here")
    try:
        it.submit()
        it.until_step(2)
        (it.store / "filler").write_bytes(
            os.urandom(1024 * int(tell("df", "--output=avail", str(it.store)).split()[1]))
        )
        it.until_states("failed", "lost")
        assert it.standing().cause in ("disk", None)
        assert not list(it.store.rglob(".*.tmp"))
        (it.store / "filler").unlink()
        it.submit(retry=["disk"])
        it.finish()
    finally:
        tell("scancel", "--user", str(os.getuid()))
        until(lambda: subprocess.run(["umount", str(it.store)], check=False).returncode == 0, "the disk to go")


def test_corrupted_files_are_named_and_set_aside(sweep: Make, tmp_path: Path) -> None:
    it = sweep(task={"fault": "kill", "mark": str(tmp_path / "mark")})
    it.submit()
    it.until_states("lost")
    for name in ("record.json", "checkpoint/last.safetensors", "heartbeat.json", "state.json"):
        (it.folder / name).write_bytes(b"\x00garbage")
    assert it.standing().state == "lost"
    it.submit()
    it.finish(attempts=2)
    for name in ("record.json", "checkpoint/last.safetensors"):
        assert (it.folder / f"{name}.broken-1").read_bytes() == b"\x00garbage"
        assert Path(name).name in (it.folder / "log.txt").read_text()


def has_started_python(job: str, option: bytes) -> bool:
    """Whether a process of the job, on this machine as all are, is submitit's Python (-u), or is to become it (-c)."""
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words, environment = (place / "cmdline").read_bytes().split(b"\0"), (place / "environ").read_bytes()
        except OSError:
            continue
        of_job = f"SLURM_JOB_ID={job}\0".encode() in environment and os.environ["SLURM_CONF"].encode() in environment
        if of_job and b"submitit.core._submit" in words and words[1] == option:
            return True
    return False


# -- signals, requeueing, preemption ---------------------------------------------------------------------------------


def test_slurm_s_warning_checkpoints_and_requeues(sweep: Make) -> None:
    it = sweep(task=SLOW)
    it.submit()
    it.until_step(4)
    it.warn()
    record = it.finish()[0]
    assert record.attempts >= 2
    assert "resuming from step" in (it.folder / "log.txt").read_text()


def test_warning_during_imports_is_not_lost(sweep: Make) -> None:
    it = sweep(task=SLOW)
    it.submit()
    job = it.job()
    until(lambda: has_started_python(job, b"-u"), "Python to start")
    it.warn()
    finish_by_itself(it, job)


def test_warning_before_imports_is_not_lost(sweep: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nacbench.sweep.arrays.LAUNCHER", f"import time;time.sleep(10);{LAUNCHER}")
    it = sweep(task={"pause": 0.02})
    it.submit()
    job = it.job()
    until(lambda: has_started_python(job, b"-c"), "the launcher to start")
    it.warn()
    finish_by_itself(it, job)
    assert it.standing().attempts == 1  # the first life got nowhere


def finish_by_itself(it: TestSweep, job: str) -> None:
    """Wait for the end of the only run, which nobody had to submit again."""
    it.finish()
    assert slurm.verdicts([job])[job].state == "COMPLETED"
    assert len(submissions(it.store)) == 1


def test_job_requeued_from_outside_resumes_from_its_checkpoint(sweep: Make) -> None:
    it = sweep(task=SLOW)
    it.submit()
    it.until_step(4)
    tell("scontrol", "requeue", it.job())
    until(lambda: it.standing().state == "preempted", "the job to wait again")
    it.finish(attempts=2)
    assert "resuming from step" in (it.folder / "log.txt").read_text()


def test_requeue_during_a_write_leaves_no_trace(sweep: Make, tmp_path: Path) -> None:
    it = sweep(task={"fault": "requeue", "mark": str(tmp_path / "mark")})
    it.submit()
    it.finish(attempts=2)


def test_preempted_run_checkpoints_and_resumes(sweep: Make, tmp_path: Path) -> None:
    it = sweep(task=SLOW, profile={"partition": "low"})
    it.submit()
    it.until_step(4)
    # fills all three nodes
    tell("sbatch", "--partition=high", "-N3", "--ntasks-per-node=2", "-o", "/dev/null", "--wrap", "srun sleep 4")
    until(lambda: it.standing().state == "preempted", "the preemption")
    record = it.finish()[0]
    assert record.attempts >= 2
    assert "resuming from step" in (it.folder / "log.txt").read_text()


def test_warning_without_requeue_ends_the_job_and_is_resubmitted(sweep: Make) -> None:
    it = sweep(task=SLOW, profile={"requeue": False})
    it.submit()
    it.until_step(4)
    it.warn()
    it.until_states("lost")
    assert it.submit().started == 1
    it.finish(attempts=2)


def test_time_limits(sweep: Make, tmp_path: Path) -> None:
    """One that heeds the warning is put back and ends; one that is deaf to it fails, and is retried."""
    it = sweep(
        profile={"time": 1, "signal_seconds": 25, "array_parallelism": 2},  # Slurm warns up to half a minute earlier
        include=[
            {"set": {"task.pause": 3.0}},
            {"set": {"task.fault": "deaf", "task.fault_step": 1, "task.mark": str(tmp_path / "mark")}},
        ],
    )
    heeds, deaf = (run.key for run in it.plan().runs)
    it.submit()
    until(lambda: it.standings()[deaf].state == "failed", "the time limit", 200)
    assert it.standings()[deaf].cause == "timeout"
    until(lambda: it.standings()[heeds].state == "done", "the other to be done", 200)
    assert it.standings()[heeds].attempts >= 2
    it.submit()
    failure = read_failure(it.store / deaf / "failure.json")
    assert failure.cause == "timeout"
    assert failure.log
    assert it.submit(retry=["timeout"]).started == 1
    it.until_states("done", seconds=250)
    it.finish()


# -- cancelling ------------------------------------------------------------------------------------------------------


def test_cancelled_runs_stay_cancelled_until_resumed(sweep: Make) -> None:
    it = sweep(task=SLOW, seeds=[0, 1, 2], profile={"array_parallelism": 1})
    it.submit()
    until(lambda: it.states() == ["queued", "running"], "the first to run")
    time.sleep(4)
    assert len(it.cancel()) == 3
    until(lambda: not queue_is_busy(), "the jobs to go")
    assert it.states() == ["cancelled"]
    assert it.submit().started == 0
    assert it.submit(also=["cancelled"]).started == 3
    it.finish()


@pytest.mark.parametrize("which", ["running", "pending", "all"])
def test_jobs_cancelled_from_outside_can_be_resumed(sweep: Make, which: str) -> None:
    it = sweep(task={"pause": 0.2}, seeds=[0, 1, 2], profile={"array_parallelism": 1})
    it.submit()
    until(lambda: "running" in it.states(), "the first to run")
    jobs = {s.state: s.job for s in it.standings().values() if s.job}
    array = jobs["queued"].partition("_")[0]
    tell("scancel", {"running": jobs["running"], "pending": jobs["queued"], "all": array}[which])
    it.until_states("done", "cancelled", "lost", "planned")
    assert "done" in it.states() or which == "all"
    it.submit(also=["cancelled"])
    it.finish()


def test_cancel_at_the_finish_leaves_no_partial_run(sweep: Make) -> None:
    it = sweep(task={"pause": 0.1})
    it.submit()
    job = it.job()  # once it is done it has none
    it.until_step(18)
    tell("scancel", job)
    until(lambda: not queue_is_busy(), "the job to go")
    if it.standing().state != "done":
        it.submit(also=["cancelled"])
    it.finish()


# -- nodes and daemons -----------------------------------------------------------------------------------------------


def test_run_moves_from_a_node_set_down(sweep: Make) -> None:
    it = sweep(task=SLOW)
    it.submit()
    it.until_step(4)
    node = node_of(it)
    # drained first: a node that is only down is back as soon as its daemon registers, and gets the job a second time
    # while its first copy ends there ("Duplicate jobid"), which Slurm then holds
    for state in ("DRAIN", "DOWN"):
        tell("scontrol", "update", f"NodeName={node}", f"State={state}", "Reason=test")
    record = it.finish()[0]
    assert record.attempts >= 2


def test_of_two_live_copies_only_one_publishes(sweep: Make, cluster: Cluster) -> None:
    it = sweep(task={"pause": 2.0})
    it.submit()
    it.until_step(2)
    old = claimants(it.folder)[0].life
    cluster("kill-node", node_of(it))  # its daemon; the job lives on
    until(lambda: len(claimants(it.folder)) == 2, "the second copy", 120)
    assert Path(f"/proc/{old.pid}").exists(), "the old copy should still be alive"
    it.finish(attempts=2)
    until(lambda: not Path(f"/proc/{old.pid}").exists(), "the old copy to notice", 30)
    words = "\n".join(path.read_text() for path in it.observer().job_logs(it.run.key))
    assert "was taken over by another process" in words


def test_run_moves_from_a_node_that_loses_power(sweep: Make, cluster: Cluster) -> None:
    it = sweep(task=SLOW)
    it.submit()
    it.until_step(4)
    cluster("kill-node", node_of(it), "--hard")
    until(lambda: it.standing().state != "running" or it.standing().attempts > 1, "Slurm to notice", 120)
    it.finish(attempts=2)


@pytest.mark.parametrize("word", ["stop-ctld", "kill-ctld"])
def test_restart_of_the_controller_is_harmless(sweep: Make, cluster: Cluster, word: str) -> None:
    it = sweep(task={"pause": 0.9 if word == "stop-ctld" else 0.1}, seeds=[0, 1])
    it.submit()
    if word == "stop-ctld":
        it.until_states("running")
    cluster(word)
    try:
        try:
            assert it.submit().started == 0  # nobody need be asked while both runs give signs of life
        except UserError as error:
            assert "Slurm does not answer" in str(error)
        assert set(it.states()) <= {"running", "unknown", "done"}
    finally:
        cluster("start-ctld")
    until(lambda: not {"queued", "running", "preempted"} & set(it.states()), "the jobs to end")
    it.submit()  # jobs that were submitted in the seconds before a crash are forgotten
    it.finish()


def test_states_without_accounting(sweep: Make, cluster: Cluster) -> None:
    it = sweep(task={"pause": 0.2})
    it.submit()
    it.until_states("running")
    cluster("kill-dbd")
    try:
        it.until_states("done")
    finally:
        cluster("start-dbd")
    it.finish(attempts=1)


def test_suspended_run_is_neither_lost_nor_duplicated(sweep: Make) -> None:
    it = sweep(task=SLOW)
    it.submit()
    it.until_step(4)
    job = it.job()
    tell("scontrol", "suspend", job)
    assert it.standing().state == "running"
    assert it.submit().started == 0
    tell("scontrol", "resume", job)
    it.finish(attempts=1)


def test_job_held_after_a_failed_launch_is_released(sweep: Make) -> None:
    it = sweep(task=SLOW)
    it.submit()
    it.until_step(2)
    job = it.job()
    tell("scontrol", "requeuehold", job)
    held = until(lambda: [j for j in slurm.queue().values() if j.job == job and j.state == "PENDING"], "it to be held")
    assert held[0].is_held
    assert it.submit().started == 0
    assert it.said == ["released 1 jobs that Slurm held after a failed launch"]
    it.finish(attempts=2)


# -- the submitter ---------------------------------------------------------------------------------------------------

DRIVER = """
import os, signal, sys
from pathlib import Path
from nacbench.plugin_files import load_plugin_file
load_plugin_file(Path({plugin!r}))
from nacbench.sweep import arrays as module
from nacbench.sweep.read_sweep import parse_sweep
from nacbench.sweep.plan import Place, make_plan
from nacbench.sweep.submission import Submission
from nacbench.sweep.submitting import submit
import submitit

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

moment = {moment!r}
if moment == "before the manifest":
    Submission.write = die
elif moment == "before sbatch":
    module._executor = die
elif moment == "before the pickles":
    submitit.core.utils.JobPaths.move_temporary_file = die
elif moment == "after":
    Submission.write_job = die
store = Path({store!r})
plan = make_plan(parse_sweep({content!r}, store / "sweep.yaml"), store.parent / "data")
print(submit(plan, Place(store, store.parent / "data"), print).started)
"""


def drive(it: TestSweep, moment: str = "never") -> "subprocess.Popen[str]":
    """Another submitter, which dies at some moment."""
    code = DRIVER.format(plugin=str(PLUGIN), moment=moment, store=str(it.store), content=it.content)
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("moment", ["before the manifest", "before sbatch", "before the pickles", "after"])
def test_killed_submitter_loses_and_duplicates_nothing(sweep: Make, moment: str) -> None:
    it = sweep(task={"pause": 0.02}, seeds=[0, 1])
    driver = drive(it, moment)
    assert driver.wait(60) == -signal.SIGKILL
    started = it.submit().started
    assert started == (2 if moment.startswith("before") and "pickles" not in moment else 0)
    if "pickles" in moment:  # the jobs wait a minute for their pickles; no need to
        tell("scancel", "--user", str(os.getuid()))
        until(lambda: not queue_is_busy(), "the jobs to go")
        it.submit(also=["cancelled"])
    it.finish(attempts=1)


def test_two_concurrent_submitters_start_every_run_once(sweep: Make) -> None:
    it = sweep(task={"pause": 0.02}, seeds=[0, 1, 2])
    drivers = [drive(it), drive(it)]
    assert sorted(int(driver.communicate(timeout=60)[0].split()[-1]) for driver in drivers) == [0, 3]
    it.finish(attempts=1)


def test_submitting_again_starts_missing_runs_only(sweep: Make, tmp_path: Path) -> None:
    it = sweep(
        include=[
            {"set": {"task.pause": 0.3}, "seeds": [0, 1]},
            {"set": {"task.fault": "kill", "task.fault_step": 1, "task.mark": str(tmp_path / "mark")}},
        ]
    )
    assert it.submit().started == 3
    assert it.submit().started == 0
    until(lambda: "lost" in it.states() and "running" in it.states(), "one to be lost while others run")
    assert it.submit().started == 1
    assert it.submit().started == 0
    it.finish()


def test_stale_files_of_a_reused_job_id_are_harmless(sweep: Make) -> None:
    it = sweep(task={"pause": 0.2})
    number = int(tell("sbatch", "--parsable", "-o", "/dev/null", "--wrap", "true").split(";")[0])
    # what an earlier submission of this run left, whose job had the number that the next one will get
    it.submit()
    old = submissions(it.store)[0]
    it.cancel()
    until(lambda: not queue_is_busy(), "the job to go")
    old.write_job(str(number + 2))
    claims = sorted((it.folder / "claims").glob("*.json")) if (it.folder / "claims").exists() else []
    for claim in claims:
        claim.write_text(claim.read_text().replace(f'"job": "{number + 1}"', f'"job": "{number + 2}"'))
    assert it.submit(also=["cancelled"]).started == 1
    assert it.job() == str(number + 2)
    it.finish()
