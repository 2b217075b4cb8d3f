"""Claims: one owner at a time, the highest number owns the run, and a dead process blocks nobody."""

import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from nacbench.machine.process import Life, this_life
from nacbench.recording import claim as claims
from nacbench.recording.claim import BusyError, TakenOverError, hold
from nacbench.recording.claimants import claim_count, claimants, is_held, read_heartbeat, seconds_since_beat

HOLD = """
import pathlib, sys, time
from nacbench.recording.claim import hold
with hold(pathlib.Path(sys.argv[1]), beat_seconds=0.05):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def holder(folder: Path, seconds: float, **environment: str) -> subprocess.Popen[str]:
    """Start another process that holds a run's folder for some time."""
    command = [sys.executable, "-c", HOLD, str(folder), str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def leave_claim(folder: Path, life: Life, number: int = 1) -> None:
    """Write a claim whose owner runs on another machine, or is dead."""
    (folder / "claims").mkdir(parents=True, exist_ok=True)
    content = {"life": asdict(life), "since": "2026-01-01T00:00:00+00:00"}
    (folder / "claims" / f"{number:06d}.json").write_text(json.dumps(content))


ELSEWHERE = Life(host="n7", machine="n7/boot", pid=5)


def test_a_second_process_is_refused_until_the_first_is_killed(tmp_path: Path) -> None:
    first = holder(tmp_path, 60)
    assert is_held(tmp_path)
    with pytest.raises(BusyError, match=f"is being computed by another process .*process {first.pid}"), hold(tmp_path):
        pass
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert not is_held(tmp_path)
    with hold(tmp_path) as claim:
        assert claim.number == 2
    assert [claimant.life.pid for claimant in claimants(tmp_path)] == [first.pid, os.getpid()]


def test_a_requeued_job_takes_over_from_its_earlier_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = holder(tmp_path, 60, SLURM_JOB_ID="12", SLURM_RESTART_COUNT="0")
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    with pytest.raises(BusyError, match="Slurm job 12 on"), hold(tmp_path):
        pass
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    with hold(tmp_path) as claim:
        assert claim.number == 2
        claim.check()
    old.kill()
    old.wait()


def test_only_a_later_start_of_a_job_succeeds_its_process() -> None:
    old = replace(ELSEWHERE, job="12_3", submission="a")
    assert replace(old, restart=1).succeeds(old)
    assert not old.succeeds(old)
    assert not replace(old, submission="b").succeeds(old)
    assert not replace(old, job="12_4", restart=1).succeeds(old)
    assert not replace(ELSEWHERE, restart=1).succeeds(ELSEWHERE)


@pytest.mark.parametrize("token", ["", "nacbench-b"])
def test_in_one_interactive_job_a_second_command_takes_no_live_run_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    worker = holder(tmp_path, 60, SLURM_JOB_ID="12", NACBENCH_SUBMISSION="nacbench-a")  # of a local sweep in the job
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    monkeypatch.setenv("NACBENCH_SUBMISSION", token)
    with pytest.raises(BusyError, match=f"process {worker.pid}"), hold(tmp_path):
        pass
    worker.kill()
    worker.wait()
    with hold(tmp_path) as claim:
        assert claim.number == 2


def test_a_later_start_on_another_machine_takes_over_by_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_claim(tmp_path, replace(ELSEWHERE, job="12", submission="a"))  # alive, by its heartbeat and by Slurm
    with (tmp_path / "claims" / "000001.json").open() as old:
        fcntl.flock(old, fcntl.LOCK_EX)
        monkeypatch.setenv("SLURM_JOB_ID", "12")
        monkeypatch.setenv("NACBENCH_SUBMISSION", "a")
        with pytest.raises(BusyError), hold(tmp_path):
            pass
        monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
        with hold(tmp_path) as claim:
            assert claim.number == 2


@pytest.mark.parametrize(("age", "free"), [(10, False), (400, True)])
def test_slurm_is_not_asked_about_the_job_that_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: float, free: bool
) -> None:
    """Slurm uses numbers again: this job lives, but the claim may be that of an earlier job with its number."""
    monkeypatch.setattr(claims, "is_job_live", lambda job: pytest.fail(f"asked for {job}"))
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    leave_claim(tmp_path, replace(ELSEWHERE, job="12", submission="a"))
    past = time.time() - age
    os.utime(tmp_path / "claims" / "000001.json", (past, past))
    with nullcontext() if free else pytest.raises(BusyError), hold(tmp_path):
        pass


def test_an_earlier_start_does_not_take_its_successor_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_claim(tmp_path, replace(ELSEWHERE, job="12", submission="a", restart=1))
    past = time.time() - 9999
    os.utime(tmp_path / "claims" / "000001.json", (past, past))
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    monkeypatch.setenv("NACBENCH_SUBMISSION", "a")
    with pytest.raises(BusyError), hold(tmp_path):
        pass


@pytest.mark.parametrize("count", ["", "x", "-1", "9" * 5000])
def test_a_restart_count_that_is_none_counts_as_zero(monkeypatch: pytest.MonkeyPatch, count: str) -> None:
    monkeypatch.setenv("SLURM_RESTART_COUNT", count)
    assert this_life().restart == 0


@pytest.mark.parametrize(
    "name", ["000001 (copy).json", "x.json", "000001.json~", "1.json", "٠٠٠٠٠١.json", "-00001.json"]
)
def test_other_files_among_the_claims_are_none(tmp_path: Path, name: str) -> None:
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / name).write_text("{}")
    assert claim_count(tmp_path) == 0
    assert claimants(tmp_path) == []
    with hold(tmp_path) as claim:
        assert claim.number == 1


@pytest.mark.parametrize(
    "change", [{"pid": -1}, {"pid": 0}, {"pid": 2**40}, {"restart": -1}, {"pid": "x"}, {"host": 5}]
)
def test_a_claim_of_no_process_is_read_as_none(tmp_path: Path, change: dict[str, object]) -> None:
    leave_claim(tmp_path, ELSEWHERE)
    path = tmp_path / "claims" / "000001.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "life": {**content["life"], **change}}))
    assert claimants(tmp_path) == []


def test_a_process_that_was_taken_over_stops_writing(tmp_path: Path) -> None:
    with hold(tmp_path, beat_seconds=60) as claim:
        leave_claim(tmp_path, ELSEWHERE, 2)
        (tmp_path / "heartbeat.json").unlink()
        with pytest.raises(TakenOverError, match=r"claim 2 after 1\); this copy stops"):
            claim.check()
        with pytest.raises(TakenOverError):
            claim.progress(step=3)
        claim.beat()
        assert not (tmp_path / "heartbeat.json").exists()


@pytest.mark.parametrize(("age", "free"), [(10, False), (400, True)])
def test_without_slurm_the_heartbeat_of_another_machine_decides(tmp_path: Path, age: float, free: bool) -> None:
    leave_claim(tmp_path, ELSEWHERE)
    (tmp_path / "heartbeat.json").write_text(json.dumps({"claim": 1, "time": 0}))
    past = time.time() - age
    os.utime(tmp_path / "heartbeat.json", (past, past))
    if free:
        with hold(tmp_path) as claim:
            assert claim.number == 2
    else:
        with pytest.raises(BusyError, match="n7, process 5"), hold(tmp_path):
            pass


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT])
def test_whoever_cannot_write_sees_that_a_run_of_another_machine_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    leave_claim(tmp_path, ELSEWHERE)

    def refuse(path: Path, *words: object, **named: object) -> None:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "touch", refuse)
    assert -60 < seconds_since_beat(tmp_path, 1) < 60


@pytest.mark.parametrize(("answer", "free"), [(True, False), (False, True), (None, False)])
def test_slurm_is_asked_before_the_heartbeat_of_another_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bool | None, free: bool
) -> None:
    asked = []

    def is_job_live(job: str) -> bool | None:
        asked.append(job)
        return answer

    monkeypatch.setattr(claims, "is_job_live", is_job_live)
    leave_claim(tmp_path, replace(ELSEWHERE, job="12_3"))  # just now, so that by its heartbeat it would be alive
    if free:
        with hold(tmp_path):
            pass
    else:
        with pytest.raises(BusyError), hold(tmp_path):
            pass
    assert asked == ["12_3"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"claim": "x"}',
        '{"claim": -1, "time": 0}',
        '{"claim": 1, "time": NaN}',
        '{"claim": 1, "time": 0, "step": "many"}',
    ],
)
def test_a_broken_heartbeat_is_read_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "heartbeat.json").write_text(content)
    assert read_heartbeat(tmp_path) is None


def test_the_heartbeat_has_the_progress_and_is_removed_at_the_end(tmp_path: Path) -> None:
    with hold(tmp_path, beat_seconds=0.01) as claim:
        claim.progress(step=3, steps=9)
        deadline = time.monotonic() + 10
        while (read_heartbeat(tmp_path) or {}).get("step") != 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert read_heartbeat(tmp_path) is None


def test_an_interrupted_run_keeps_its_last_heartbeat(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), hold(tmp_path):
        raise KeyboardInterrupt
    assert read_heartbeat(tmp_path) is not None
    assert not is_held(tmp_path)


def test_temporary_files_of_killed_processes_are_removed(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").mkdir()
    leftovers = [tmp_path / ".record.json.abc.tmp", tmp_path / "checkpoint" / ".last.safetensors.abc.tmp"]
    for file in leftovers:
        file.write_text("half")
    with hold(tmp_path):
        assert not any(file.exists() for file in leftovers)


def test_only_one_of_many_concurrent_processes_gets_the_claim(tmp_path: Path) -> None:
    code = HOLD.replace("import pathlib", "import nacbench.recording.claim, pathlib")
    command = [sys.executable, "-c", code, str(tmp_path), "1.0"]
    racers = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(5)]
    outputs = [racer.communicate() for racer in racers]
    assert sum(out == "held\n" for out, _ in outputs) == 1
    assert sum("BusyError" in err for _, err in outputs) == 4
    assert claim_count(tmp_path) == 1


def test_a_process_outside_of_slurm_has_no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert this_life().job == ""
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "12")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    assert this_life().job == "12_3"


# -- file systems that lack something --------------------------------------------------------------------------------

WITHOUT = """
import errno, fcntl, os, sys
def missing(number):
    def call(*words, **named):
        raise OSError(number, os.strerror(number))
    return call
for name in sys.argv.pop().split(","):
    call, _, code = name.partition("=")
    setattr({"flock": fcntl, "link": os}[call], call, missing(getattr(errno, code)))
"""
NO_FLOCK = ["flock=ENOSYS", "flock=ENOTSUP", "flock=EOPNOTSUPP", "flock=ENOLCK", "flock=EINVAL", "flock=EIO"]
NO_LINK = ["link=EPERM", "link=EOPNOTSUPP", "link=EMLINK", "link=EXDEV", "link=ENOSYS", "link=ENOTSUP", "link=EINVAL"]


def lacking(folder: Path, seconds: float, lacks: str, code: str = HOLD) -> subprocess.Popen[str]:
    """Start another process that holds a run's folder on such a file system."""
    command = [sys.executable, "-c", WITHOUT + code, str(folder), str(seconds), lacks]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(params=[*NO_FLOCK, *NO_LINK, "flock=ENOSYS,link=EPERM"])
def lacks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the file system cannot do, here and in children."""
    for one in request.param.split(","):
        call, _, code = one.partition("=")
        number = getattr(errno, code)

        def missing(*words: object, number: int = number, **named: object) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr({"flock": fcntl, "link": os}[call], call, missing)
    return str(request.param)


def test_claims_work_without_locks_or_links(tmp_path: Path, lacks: str) -> None:
    first = lacking(tmp_path, 60, lacks)
    assert first.stdout is not None
    assert first.stdout.readline() == "held\n"
    assert is_held(tmp_path)
    with pytest.raises(BusyError, match=f"process {first.pid}"), hold(tmp_path):
        pass
    first.kill()
    first.communicate()
    assert not is_held(tmp_path)
    with hold(tmp_path) as claim:
        assert claim.number == 2
        assert is_held(tmp_path)
    assert is_held(tmp_path) is False  # given up, though its process lives
    with hold(tmp_path) as claim:
        assert claim.number == 3
    assert [path.name for path in tmp_path.rglob("*.tmp")] == []


def test_without_locks_the_heartbeat_of_another_machine_decides(tmp_path: Path, lacks: str) -> None:
    leave_claim(tmp_path, ELSEWHERE)
    with pytest.raises(BusyError), hold(tmp_path):
        pass
    past = time.time() - 400
    os.utime(tmp_path / "claims" / "000001.json", (past, past))
    with hold(tmp_path) as claim:
        assert claim.number == 2


@pytest.mark.parametrize("lacks_both", ["flock=ENOSYS,link=EPERM", "link=EPERM", "flock=ENOLCK"])
def test_one_of_many_gets_the_claim_without_locks_or_links(tmp_path: Path, lacks_both: str) -> None:
    code = HOLD.replace("import pathlib", "import nacbench.recording.claim, pathlib")
    racers = [lacking(tmp_path, 1.5, lacks_both, code) for _ in range(5)]
    outputs = [racer.communicate() for racer in racers]
    assert sum(out == "held\n" for out, _ in outputs) == 1, outputs
    assert sum("BusyError" in err for _, err in outputs) == 4
    assert claim_count(tmp_path) == 1


def test_without_locks_a_process_number_that_is_used_again_is_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*words: object) -> None:
        raise OSError(errno.ENOSYS, "no locks")

    monkeypatch.setattr(fcntl, "flock", missing)
    own = this_life()
    space, _, ticks = own.born.partition(" ")
    leave_claim(tmp_path, replace(own, born=f"{space} {int(ticks) - 1}"))
    path = tmp_path / "claims" / "000001.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "locked": False}))
    assert is_held(tmp_path) is False
    leave_claim(tmp_path, replace(own, born="pid:[7] 99"))  # in another container, which has numbers of its own
    assert is_held(tmp_path) is None


def test_an_error_that_is_none_of_links_is_raised_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*words: object) -> None:
        raise PermissionError(errno.EACCES, "not yours")

    monkeypatch.setattr(os, "link", refused)
    monkeypatch.setattr(os, "replace", refused)
    with pytest.raises(PermissionError, match="not yours"), hold(tmp_path):
        pass
    assert list((tmp_path / "claims").iterdir()) == []


def test_copies_of_a_claim_are_no_claims(tmp_path: Path) -> None:
    """Tools that sync folders leave such files."""
    leave_claim(tmp_path, ELSEWHERE)
    for name in ("000001 (copy).json", "000002.json~", "2.json", "٠٠٠٠٠٣.json", "0000004.json", ".000005.json"):
        (tmp_path / "claims" / name).write_text("{}")
    assert claim_count(tmp_path) == 1
    assert [claimant.life for claimant in claimants(tmp_path)] == [ELSEWHERE]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "[" * 100_000,
        '{"life": {}, "since": "2026"}',
        '{"claim": "1", "time": 0}',
        '{"claim": 1, "time": NaN}',
    ],
)
def test_a_broken_claim_or_heartbeat_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims/000001.json").write_text(content)
    (tmp_path / "heartbeat.json").write_text(content)
    assert claimants(tmp_path) == []
    assert claim_count(tmp_path) == 1
    assert read_heartbeat(tmp_path) is None


def test_a_claim_or_heartbeat_that_is_a_pipe_is_none(tmp_path: Path) -> None:
    (tmp_path / "claims").mkdir()
    for name in ("claims/000001.json", "heartbeat.json"):
        os.mkfifo(tmp_path / name)
    assert claimants(tmp_path) == []
    assert read_heartbeat(tmp_path) is None
    assert is_held(tmp_path) is None  # `sweep status` asks; opening a pipe would wait for ever


def test_steps_of_a_heartbeat_are_numbers(tmp_path: Path) -> None:
    (tmp_path / "heartbeat.json").write_text('{"claim": 1, "time": 5.0, "step": "many"}')
    assert read_heartbeat(tmp_path) is None


@pytest.mark.parametrize("way", ["moved", "deleted", "another working folder"])
def test_a_run_whose_folder_is_gone_says_so(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was told as taken over by another process, claim 0 after 1."""
    monkeypatch.chdir(tmp_path)
    Path("run").mkdir()
    (tmp_path / "away").mkdir()
    with hold(Path("run"), beat_seconds=1000) as claim:
        claim.check()
        if way == "moved":
            Path("run").rename("other")
        elif way == "deleted":
            shutil.rmtree("run")
        else:
            monkeypatch.chdir(tmp_path / "away")
        with pytest.raises(TakenOverError, match=r"the folder of run run was moved or deleted .* has no claim 1 any"):
            claim.check()
