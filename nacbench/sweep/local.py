"""Run a submission on this machine, in a number of worker processes, or in this process one run after another."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nacbench.files import append_to
from nacbench.machine.worker import worker_environment
from nacbench.recording.record import FAILURE, RECORD
from nacbench.recording.store import tail
from nacbench.sweep.job import DONE, carry_out
from nacbench.sweep.plan import PlannedRun
from nacbench.sweep.submission import Submission

Say = Callable[[str], None]
GRACE_SECONDS = 120.0  # from SIGTERM to SIGKILL, for processes to save checkpoints
SHOWN_LINES = 5  # last lines of a log that are printed if a worker ended without a failure.json


@dataclass
class _Started:
    run: PlannedRun
    process: subprocess.Popen[bytes]
    log: Path
    since: float


def run_here(submission: Submission, runs: Sequence[PlannedRun], say: Say) -> int:
    """Run one after another in this process; return how many runs are done.

    A run that scores the network of a failed run is left out.
    """
    file = submission.write()
    failed: set[str] = set()
    for index, run in enumerate(runs):
        if run.trained_on in failed:
            say(f"{run.title}: left out, as the run that trains its network is not done")
            failed.add(run.key)
        elif _guarded(file, index, run, say) != DONE:
            failed.add(run.key)
    return len(runs) - len(failed)


def _guarded(file: Path, index: int, run: PlannedRun, say: Say) -> int:
    """Compute a run and return its exit code; errors are in its failure.json and do not stop the other runs."""
    try:
        code = carry_out(file, index)
    except (Exception, SystemExit) as error:
        say(f"{run.title}: failed: {type(error).__name__}: {error}")
        return 1
    say(f"{run.title}: {'done' if code == DONE else 'not done'}")
    return code


def run_in_processes(submission: Submission, runs: Sequence[PlannedRun], say: Say) -> int:
    """Run in worker processes, up to the profile's ``processes`` at a time; return how many runs are done.

    On Ctrl-C or SIGTERM the workers get SIGTERM, save checkpoints and exit.
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
                    say(f"{run.title}: left out, as the run that trains its network is not done")
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
    with append_to(log) as output:
        process = subprocess.Popen(  # noqa: S603 (our own module)
            [sys.executable, "-m", "nacbench.sweep.job", str(file), str(index)],
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,  # the terminal sends Ctrl-C to its whole session; `_stop` sends one signal instead
        )
    return _Started(run, process, log, time.monotonic())


def _tell_early_end(started: _Started, store: Path, say: Say) -> None:
    """Print the last lines of a worker's log, unless its run has a failure.json, which has more."""
    # a worker that dies during its imports has not claimed its run, so only its log shows the error
    if not (started.run.folder(store) / FAILURE).exists():
        for line in tail(started.log, SHOWN_LINES):
            say(f"    {line}")


def _ended(working: list[_Started]) -> list[_Started]:
    ended = [started for started in working if started.process.poll() is not None]
    for started in ended:
        working.remove(started)
    return ended


def _stop(working: list[_Started]) -> None:
    """Send SIGTERM to all workers, so that they save checkpoints; kill those that are alive after GRACE_SECONDS."""
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
    from nacbench.formats.text import duration

    return duration(seconds)
