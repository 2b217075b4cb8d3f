"""Carrying a submission out on this machine: so many processes at a time, or one after another in this one."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nacbench.machine.worker import worker_environment
from nacbench.recording.record import FAILURE, RECORD
from nacbench.recording.store import tail
from nacbench.sweep.job import DONE, carry_out
from nacbench.sweep.plan import PlannedRun
from nacbench.sweep.submission import Submission

Say = Callable[[str], None]
GRACE_SECONDS = 120.0  # for processes to save themselves after they were asked to stop
SHOWN_LINES = 5  # of the log of a worker that ended before it could write down why


@dataclass
class _Started:
    run: PlannedRun
    process: subprocess.Popen[bytes]
    log: Path
    since: float


def run_here(submission: Submission, runs: Sequence[PlannedRun], say: Say) -> int:
    """Carry runs out one after another in this process; returns how many are done.

    A run that needs the network of a failed one is left out, as it would fail likewise.
    """
    file = submission.write()
    failed: set[str] = set()
    for index, run in enumerate(runs):
        if run.trained_on in failed:
            say(f"{run.title}: left out, as the run that its network comes from is not done")
            failed.add(run.key)
        elif _guarded(file, index, run, say) != DONE:
            failed.add(run.key)
    return len(runs) - len(failed)


def _guarded(file: Path, index: int, run: PlannedRun, say: Say) -> int:
    """One run's exit code; its failure is in its folder and must not touch the others."""
    try:
        code = carry_out(file, index)
    except (Exception, SystemExit) as error:
        say(f"{run.title}: failed: {type(error).__name__}: {error}")
        return 1
    say(f"{run.title}: {'done' if code == DONE else 'not done'}")
    return code


def run_in_processes(submission: Submission, runs: Sequence[PlannedRun], say: Say) -> int:
    """Carry runs out in processes of this machine, as many at a time as the profile says; returns how many are done.

    A stop request (Ctrl-C, SIGTERM) is passed on: the processes save themselves and leave.
    """
    file = submission.write()
    logs = submission.jobs_folder()
    logs.mkdir(parents=True, exist_ok=True)
    profile = submission.profile
    threads = profile.threads or max(1, (os.cpu_count() or 1) // profile.processes)
    environment = {**os.environ, **worker_environment(), "OMP_NUM_THREADS": str(threads)}
    waiting = list(enumerate(runs))
    working: list[_Started] = []
    failed: set[str] = set()
    done: set[str] = set()
    keys = {run.key for run in runs}
    began = time.monotonic()
    try:
        while waiting or working:
            for index, run in list(waiting):
                if run.trained_on in failed:
                    say(f"{run.title}: left out, as the run that its network comes from is not done")
                    failed.add(run.key)
                    waiting.remove((index, run))
                elif len(working) < profile.processes and (run.trained_on not in keys or run.trained_on in done):
                    waiting.remove((index, run))
                    working.append(_start(file, index, run, logs / f"{index}.log", environment))
            for started in _ended(working):
                # a plug-in that calls exit(0) ends the worker, too: done means that there is a record
                recorded = (started.run.folder(Path(submission.store)) / RECORD).exists()
                good = started.process.returncode == DONE and recorded
                (done if good else failed).add(started.run.key)
                word = "done" if good else f"not done (exit {started.process.returncode}); see nacbench sweep logs"
                took = time.monotonic() - started.since
                say(
                    f"[{len(done) + len(failed)}/{len(runs)}] {started.run.title}: {word}, {_duration(took)}"
                    f"{_left(began, len(done) + len(failed), len(runs))}"
                )
                if not good:
                    _tell_early_end(started, Path(submission.store), say)
            time.sleep(0.05)
    except BaseException:
        _stop(working)
        raise
    return len(done)


def _start(file: Path, index: int, run: PlannedRun, log: Path, environment: dict[str, str]) -> _Started:
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 (our own module)
            [sys.executable, "-m", "nacbench.sweep.job", str(file), str(index)],
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,  # a Ctrl-C reaches them through us, once
        )
    return _Started(run, process, log, time.monotonic())


def _tell_early_end(started: _Started, store: Path, say: Say) -> None:
    """Say the last lines of a worker's log, unless its run has a failure.json, which says more."""
    # a worker that dies while it imports has no run yet, so that nothing but its log knows why
    if not (started.run.folder(store) / FAILURE).exists():
        for line in tail(started.log, SHOWN_LINES):
            say(f"    {line}")


def _ended(working: list[_Started]) -> list[_Started]:
    ended = [started for started in working if started.process.poll() is not None]
    for started in ended:
        working.remove(started)
    return ended


def _stop(working: list[_Started]) -> None:
    """Ask all to save themselves, wait, and kill what does not."""
    for started in working:
        started.process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    for started in working:
        try:
            started.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            started.process.kill()
            started.process.wait()


def _left(began: float, over: int, total: int) -> str:
    if over == total:
        return ""
    return f"; about {_duration((time.monotonic() - began) / over * (total - over))} left"


def _duration(seconds: float) -> str:
    from nacbench.text import duration

    return duration(seconds)
