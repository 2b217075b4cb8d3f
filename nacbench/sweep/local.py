"""Run a submission on this machine, in a number of worker processes, or in this process one run after another."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nacbench.filesystem.files import append_to
from nacbench.filesystem.owner import Process, process, this_process
from nacbench.machine.cores import granted_cores
from nacbench.machine.ending import end_processes
from nacbench.machine.worker import worker_environment
from nacbench.recording.record import FAILURE, RECORD
from nacbench.recording.store import tail
from nacbench.running.failures import in_one_line
from nacbench.sweep.crew import ENDED, CrewFile
from nacbench.sweep.job import DONE, carry_out
from nacbench.sweep.lost import is_cancelled
from nacbench.sweep.plan import PlannedRun
from nacbench.sweep.submission import Submission, read_submission

Say = Callable[[str], None]
GRACE_SECONDS = 120.0  # from SIGTERM to SIGKILL, for processes to save checkpoints
SHOWN_LINES = 5  # last lines of a log that are printed if a worker ended without a failure.json


@dataclass
class _Started:
    index: int
    run: PlannedRun
    process: subprocess.Popen[bytes]
    known: Process
    log: Path
    since: float


def run_here(submission: Submission, runs: Sequence[PlannedRun], say: Say) -> int:
    """Run one after another in this process; return how many runs are done.

    A run that scores the network of a failed run is left out.
    """
    file = submission.write()
    crew = CrewFile(file)
    store = Path(submission.store)
    failed: set[str] = set()
    try:
        for index, run in enumerate(runs):
            if (why := _why_not(run, failed, store)) is not None:
                say(f"{run.title}: {why}")
                failed.add(run.key)
                continue
            crew.write({index: this_process()}, range(index + 1, len(runs)))
            if not _guarded(file, index, run, store, say):
                failed.add(run.key)
    finally:
        crew.remove()
    return len(runs) - len(failed)


def _why_not(run: PlannedRun, failed: set[str], store: Path) -> str | None:
    """Return why a run is not started, or None if it can be."""
    if run.trained_on in failed:
        return "left out, as the run that trains its network is not done"
    return "cancelled" if is_cancelled(run.folder(store)) else None


def _is_done(run: PlannedRun, store: Path) -> bool:
    """Whether a run is done: by its record alone.

    A plug-in that calls exit(0) ends its process without one; a process can die after it has written its record, and
    another one can have done the run in the meantime.
    """
    return (run.folder(store) / RECORD).exists()


def _guarded(file: Path, index: int, run: PlannedRun, store: Path, say: Say) -> bool:
    """Compute a run; return whether it is done. Errors are in its failure.json and do not stop the other runs."""
    try:
        carry_out(file, index)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plug-in can raise anything
        say(f"{run.title}: failed: {in_one_line(error)}")
        return False
    good = _is_done(run, store)
    say(f"{run.title}: {'done' if good else 'not done'}")
    return good


def run_in_processes(submission: Submission, runs: Sequence[PlannedRun], say: Say) -> int:
    """Run in worker processes, up to the profile's ``processes`` at a time; return how many runs are done.

    On Ctrl-C or SIGTERM the workers get SIGTERM, save checkpoints and exit.
    """
    file = submission.write()
    logs = submission.jobs_folder()
    logs.mkdir(parents=True, exist_ok=True)
    processes = submission.profile.processes
    environment = {**os.environ, **worker_environment()}
    crew = _Crew(file, runs, say)
    try:
        while crew.waiting or crew.working:
            for index in crew.due(processes):
                threads = submission.profile_of(index).threads or max(1, granted_cores() // processes)
                crew.start(index, logs / f"{index}.log", {**environment, "OMP_NUM_THREADS": str(threads)})
            crew.collect()
            time.sleep(0.05)
    except BaseException:
        crew.stop()
        raise
    finally:
        crew.file.remove()
    return len(crew.done)


class _Crew:
    """The worker processes of a submission, and what has become of its runs."""

    def __init__(self, submission: Path, runs: Sequence[PlannedRun], say: Say) -> None:
        self.submission = submission
        self.store = Path(read_submission(submission).store)
        self.file = CrewFile(submission)
        self.runs = runs
        self.say = say
        self.waiting = dict(enumerate(runs))
        self.working: list[_Started] = []
        self.done: set[str] = set()
        self.failed: set[str] = set()
        self._keys = {run.key for run in runs}
        self._began = time.monotonic()

    def due(self, processes: int) -> list[int]:
        """Return the runs that can be started now; those that cannot be any more are taken off the list."""
        found: list[int] = []
        for index, run in list(self.waiting.items()):
            if len(self.working) + len(found) >= processes:
                break
            if (why := _why_not(run, self.failed, self.store)) is not None:
                self.say(f"{run.title}: {why}")
                self.failed.add(run.key)
                del self.waiting[index]
            elif run.trained_on not in self._keys or run.trained_on in self.done:
                found.append(index)
        return found

    def start(self, index: int, log: Path, environment: dict[str, str]) -> None:
        """Start the worker of a run."""
        self.working.append(_start(self.submission, index, self.waiting.pop(index), log, environment))
        self._write()

    def collect(self) -> None:
        """Tell of workers that have ended."""
        ended = [started for started in self.working if started.process.poll() is not None]
        for started in ended:
            self.working.remove(started)
            good = _is_done(started.run, self.store)
            (self.done if good else self.failed).add(started.run.key)
            self._tell(started, good=good)
        if ended:
            self._write()

    def stop(self) -> None:
        """End all workers; they save checkpoints."""
        end_processes([started.known for started in self.working], GRACE_SECONDS)
        for started in self.working:
            started.process.wait()

    def _write(self) -> None:
        self.file.write({one.index: one.known for one in self.working}, list(self.waiting))

    def _tell(self, started: _Started, *, good: bool) -> None:
        code = started.process.returncode
        over = len(self.done) + len(self.failed)
        word = "done" if good else f"not done ({_how(code)}); see nacbench sweep logs"
        word += f", though its process ended with {_how(code)}" if good and code != DONE else ""
        took = _duration(time.monotonic() - started.since)
        left = _left(self._began, over, len(self.runs))
        self.say(f"[{over}/{len(self.runs)}] {started.run.title}: {word}, {took}{left}")
        if good:
            return
        with started.log.open("a", encoding="utf-8") as log:
            log.write(f"{ENDED} ({_how(code)})\n")
        # a worker that dies during its imports has not claimed its run, so that only its log shows the error
        if not (started.run.folder(self.store) / FAILURE).exists():
            for line in tail(started.log, SHOWN_LINES + 1)[:-1]:
                self.say(f"    {line}")


def _how(code: int) -> str:
    """Return how a process ended, in a few words: ``exit 1``, ``killed by signal 9``."""
    return f"exit {code}" if code >= 0 else f"killed by signal {-code}"


def _start(file: Path, index: int, run: PlannedRun, log: Path, environment: dict[str, str]) -> _Started:
    with append_to(log) as output:
        started = subprocess.Popen(  # noqa: S603 (our own module)
            [sys.executable, "-m", "nacbench.sweep.job", str(file), str(index)],
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,  # the terminal sends Ctrl-C to its whole session; `_Crew.stop` sends one signal
        )
    return _Started(index, run, started, process(started.pid), log, time.monotonic())


def _left(began: float, over: int, total: int) -> str:
    if over == total:
        return ""
    return f"; about {_duration((time.monotonic() - began) / over * (total - over))} left"


def _duration(seconds: float) -> str:
    from nacbench.formats.text import duration

    return duration(seconds)
