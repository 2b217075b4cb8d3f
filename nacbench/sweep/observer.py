"""Find out the state of every run of a sweep, from the runs' folders and Slurm's queue.

The runs' folders decide: job numbers can be used again, and submitit's and Slurm's states can lag or be wrong. Slurm is
asked which jobs are in the queue, and, for runs that ended without a record or failure, for the cause.
"""

import os
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from nacbench.errors import BrokenFileError, UserError
from nacbench.filesystem.files import absolute
from nacbench.filesystem.owner import Process
from nacbench.machine.slurm import QueuedJob, SlurmSilentError, Verdict, is_available, queue, verdicts
from nacbench.recording.claimants import (
    STALE_SECONDS,
    claim_count,
    is_held,
    last_claimant,
    read_heartbeat,
    seconds_since_beat,
)
from nacbench.recording.index import look_at_runs
from nacbench.recording.read_record import read_failure
from nacbench.recording.record import FAILURE, RECORD, Failure
from nacbench.recording.store import LOG, finished, tail
from nacbench.sweep.crew import read_crews
from nacbench.sweep.job_logs import JobLogs, early_end
from nacbench.sweep.lost import cause_by_slurm, is_cancelled
from nacbench.sweep.state import LIVE, STUCK, Standing, State
from nacbench.sweep.submission import Submission, folder_of_submissions, read_submissions

MANY = 200  # runs from which on the index of the store is quicker than each run's record


class Observed(Protocol):
    """A run whose state is asked for, planned or found; attributes as in `nacbench.sweep.plan.PlannedRun`."""

    @property
    def run_id(self) -> str | None: ...
    @property
    def key(self) -> str: ...
    @property
    def problem(self) -> str | None: ...
    @property
    def is_unsuited(self) -> bool: ...
    @property
    def trained_on(self) -> str | None: ...
    def folder(self, store: Path, /) -> Path: ...


DROPPED = Standing(state="planned", detail="Slurm dropped it, as the run that trains its network did not end well")


def observe(runs: Iterable[Observed], store: Path, *, ask_slurm: bool = True) -> dict[str, Standing]:
    """Return the state of each run by key; runs without an id are left out.

    Args:
        runs: of a plan.
        store: folder of runs.
        ask_slurm: if false, use files alone.
    """
    return Observer(store, ask_slurm=ask_slurm).standings(runs)


class Observer:
    """A store's submissions and Slurm's queue at one moment.

    Args:
        store: folder of runs.
        ask_slurm: if false, use files alone, and write none: not even one to read the file system's clock from.

    Attributes:
        jobs: jobs in the queue by the key of their run.
        broken: one line for each submission, record or failure that cannot be read.
        is_silent: whether Slurm did not answer or was not asked, which does not mean that no job is in the queue.
    """

    def __init__(self, store: Path, *, ask_slurm: bool = True) -> None:
        self.store = store
        self.submissions, self.broken = read_submissions(store)
        self.is_silent = False
        self._ask_slurm = ask_slurm
        self.jobs = dict(_jobs_by_key(self.submissions, self._queue()))
        self._places: dict[str, list[tuple[Submission, int]]] = defaultdict(list)  # of a run in submissions, by key
        for submission in self.submissions:
            for index, run in enumerate(submission.runs):
                self._places[run.key].append((submission, index))
        self._logs = JobLogs()
        self._workers, self._waiting = _local(store, self.submissions)

    @property
    def silence(self) -> str:
        """Why a silent Slurm says nothing, for readers: it may be back soon, or on another machine."""
        return "Slurm does not answer" if is_available() else "there is no Slurm on this machine (squeue not found)"

    def require_known(self, unknown: Collection[str], what: str) -> None:
        """Refuse to go on if there are runs of which Slurm alone knows, which does not answer or is not here.

        Args:
            unknown: keys of these runs.
            what: is not done then, as a participle.

        Raises:
            UserError: if there are any.
        """
        if unknown:
            runs = "1 run" if len(unknown) == 1 else f"{len(unknown):,} runs"
            way = "try again later" if is_available() else "do this where it is"
            raise UserError(f"{self.silence}, which alone knows of {runs}; nothing was {what}: {way}")

    def is_slurms(self, key: str) -> bool:
        """Whether a run was submitted to Slurm the last time that it was."""
        return any(submission.profile.executor == "slurm" for submission, _ in self._places.get(key, [])[-1:])

    def worker_of(self, key: str) -> Process | None:
        """Return the live process of this machine that a local sweep started for a run."""
        return self._workers.get(key)

    def traces(self, key: str) -> tuple[int, bool, bool]:
        """Return what is known of a run outside its folder: in how many submissions it is, and whether it has a live
        process, or will get one, of a local sweep of this machine.
        """
        return len(self._places.get(key, ())), key in self._workers, key in self._waiting

    def standings(self, runs: Iterable[Observed]) -> dict[str, Standing]:
        """Return the state of each run that has an id, by key."""
        runs = list(runs)
        done = self._done() if len(runs) >= MANY else {}
        found = {
            run.key: Standing(state="done", attempts=done[run.key]) if run.key in done else self._from_files(run)
            for run in runs
            if run.run_id
        }
        # sacct is slow, so it is asked once, for all runs whose folders do not say how they ended
        silent = {key: jobs for key, standing in found.items() if standing is None and (jobs := self._past_jobs(key))}
        words = verdicts(job for jobs in silent.values() for job in jobs) if self._ask_slurm and silent else {}
        by_key = {run.key: run for run in runs if run.run_id}
        known = {
            key: standing or self._ended(by_key[key], silent.get(key, []), words) for key, standing in found.items()
        }
        return {key: DROPPED if self._is_dropped(by_key[key], known) else own for key, own in known.items()}

    def _is_dropped(self, run: Observed, known: Mapping[str, Standing]) -> bool:
        """Whether Slurm cancelled a run because the run that trains its network failed: nobody wanted it to stop."""
        own = known[run.key]
        if run.trained_on is None or own.state != "cancelled" or own.attempts or own.job is None:
            return False
        before = known.get(run.trained_on)
        if before is None:
            return not os.path.lexists(self.store / run.trained_on / RECORD)
        return before.state != "done" and before.state not in LIVE

    def _done(self) -> dict[str, int]:
        """Return the number of attempts of all finished runs by key, from the index, which knows what was checked."""
        if not self.store.is_dir():
            return {}
        within = f"{absolute(self.store)}/"  # a run elsewhere is another one
        return {run.folder.removeprefix(within): run.attempts for run in look_at_runs(self.store).runs}

    def _queue(self) -> dict[str, QueuedJob]:
        users = {s.user for s in self.submissions if s.profile.executor == "slurm"}
        if not users or not self._ask_slurm or not is_available():
            self.is_silent = bool(users)
            return {}
        try:
            return queue(users)
        except SlurmSilentError:
            self.is_silent = True
            return {}

    def _from_files(self, run: Observed) -> Standing | None:
        """Return the state of a run that is done, live, or has a failure.json; otherwise None."""
        folder = run.folder(self.store)
        if folder.exists() and not folder.is_dir():
            self._name_broken(UserError(f"{folder} is a file, where the folder of a run belongs; remove or rename it"))
            return Standing(state="unreadable", detail="a file has the name of its folder")
        attempts = claim_count(folder)
        try:
            if finished(folder):
                return Standing(state="done", attempts=attempts)
        except BrokenFileError as error:
            self._name_broken(error)
            detail = f"its {RECORD} is broken; it will be set aside"
            return self._live(run, folder, attempts) or Standing(state="lost", detail=detail, attempts=attempts)
        except UserError as error:
            self._name_broken(error)
            return Standing(state="unreadable", detail=f"its {RECORD} cannot be read", attempts=attempts)
        if run.problem:
            return Standing(state="skipped" if run.is_unsuited else "no data", detail=run.problem)
        live = self._live(run, folder, attempts)
        if live:
            return live
        failure = self._failure_of(folder)
        if failure:
            cause = failure.cause if failure.status == "failed" else None
            return Standing(state=failure.status, detail=failure.reason, cause=cause, attempts=attempts)
        if self.is_silent and (jobs := self._past_jobs(run.key)):
            return self._by_slurm_alone(jobs, attempts)
        return None

    def _by_slurm_alone(self, jobs: list[str], attempts: int) -> Standing:
        """Return the state of a run of which only Slurm knows more, which does not answer or was not asked."""
        if self._ask_slurm:
            return Standing(state="unknown", detail=self.silence, attempts=attempts)
        job = jobs[0] or None
        if not attempts:
            return Standing(state="queued", detail="was submitted to Slurm, which is not asked", job=job)
        detail = "its process has ended; Slurm, which knows whether it goes on, is not asked"
        return Standing(state="unknown", detail=detail, job=job, attempts=attempts)

    def _failure_of(self, folder: Path) -> Failure | None:
        try:
            return read_failure(folder / FAILURE) if os.path.lexists(folder / FAILURE) else None
        except UserError as error:
            self._name_broken(error)
            return None

    def _name_broken(self, error: UserError) -> None:
        if str(error) not in self.broken:
            self.broken.append(str(error))

    def _live(self, run: Observed, folder: Path, attempts: int) -> Standing | None:
        """Return the state of a run that is queued or running, by the queue, its lock or its heartbeat; else None."""
        job = self.jobs.get(run.key)
        if job and job.is_live:
            # a job on a failed node (NODE_FAIL) is requeued by Slurm, so it is still live
            waits = job.state in ("PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "PREEMPTED", "NODE_FAIL")
            state: State = ("preempted" if attempts else "queued") if waits else "running"
            reason = job.reason if waits and job.reason not in ("None", "") else ""
            detail = reason if waits else _progress(folder)
            return Standing(state=state, detail=detail, job=job.job, attempts=attempts)
        if run.key in self._workers:
            return Standing(state="running", detail=_progress(folder), attempts=attempts)
        if run.key in self._waiting and not is_cancelled(folder):
            return Standing(state="queued", detail="waits for a process of this machine", attempts=attempts)
        if not attempts:
            return None
        held = is_held(folder)
        if held is not None:
            return Standing(state="running", detail=_progress(folder), attempts=attempts) if held else None
        # locks do not reach other machines on every file system; there a fresh heartbeat decides, unless Slurm, which
        # knows the job, says that it is over
        last = last_claimant(folder)
        unknown_to_slurm = last is not None and (not last.life.job or self.is_silent)
        if unknown_to_slurm and self._seconds_since_beat(folder, attempts) < STALE_SECONDS:
            return Standing(state="running", detail=_progress(folder), attempts=attempts)
        return None

    def _seconds_since_beat(self, folder: Path, attempts: int) -> float:
        return seconds_since_beat(folder, attempts, now=None if self._ask_slurm else time.time())

    def _past_jobs(self, key: str) -> list[str]:
        """Return the numbers of Slurm jobs that this run was submitted as, the latest first."""
        places = reversed(self._places.get(key, []))
        return [s.job_of(index) or "" for s, index in places if s.profile.executor == "slurm"]

    def _ended(self, run: Observed, jobs: list[str], words: Mapping[str, Verdict]) -> Standing:
        """Return the state of a run without record, failure or live process."""
        folder = run.folder(self.store)
        attempts = claim_count(folder)
        word = words.get(jobs[0]) if jobs else None
        said: dict[str, Any] = {"attempts": attempts, "job": jobs[0] if jobs else None}
        if word and word.state == "CANCELLED":
            return Standing(state="cancelled", detail="in Slurm", **said)
        cause = cause_by_slurm(word, self.log_of(run))
        if cause:
            how = f"Slurm: {word.state}, exit {word.exit_code}" if word else "by its log"
            return Standing(state="failed", detail=how, cause=cause, is_noted=False, **said)
        if not attempts and not jobs:
            # a local worker that died during its imports never claimed the run, but has a log
            logs = self.job_logs(run.key)
            return Standing(state="lost", detail=early_end(logs[-1])) if logs else Standing(state="planned")
        how = f"Slurm: {word.state}, exit {word.exit_code}" if word else "ended without record or failure"
        return Standing(state="lost", detail=how, **said)

    def log_of(self, run: Observed) -> list[str]:
        """Return the last lines of the run's own log and of its job's logs."""
        lines = tail(run.folder(self.store) / LOG)
        last = self._places.get(run.key, [])[-1:]  # what an earlier job wrote is not why this one ended
        for path in self._logs.of(last):
            lines += tail(path)
        return lines

    def job_logs(self, key: str) -> list[Path]:
        """Return the files of standard output and error of a run's jobs that are not empty, the latest last."""
        return self._logs.of(self._places.get(key, []))


def _jobs_by_key(known: list[Submission], queued: Mapping[str, QueuedJob]) -> Iterable[tuple[str, QueuedJob]]:
    """Return pairs of run key and job in the queue, live jobs last, so that they win in a dictionary.

    Jobs are found by their comment, the token of a submission. A job number decides only for a job without a token, as
    numbers can be used again.
    """
    by_token = {submission.token: submission for submission in known}
    by_number = {number: s for s in known if (number := s.job_number())}
    for job in sorted(queued.values(), key=lambda job: job.is_live):
        array, _, task = job.job.partition("_")
        by_comment = by_token.get(job.comment)
        submission = by_comment or (by_number.get(array) if not job.comment.startswith("nacbench-") else None)
        index = int(task) if task.isdigit() else 0
        if submission and index < len(submission.runs):
            yield submission.runs[index].key, job


def _progress(folder: Path) -> str:
    """Return the progress of a run by its last heartbeat, and whether it is stuck at a step."""
    beat = read_heartbeat(folder)
    if not beat or "step" not in beat:
        return "starting"
    silent = float(beat["time"]) - float(beat.get("progress_time", beat["time"]))
    stuck = f", {STUCK} {silent / 60:.0f} min" if silent > STALE_SECONDS else ""
    return f"step {beat['step']:,} of {beat.get('steps', 0):,}{stuck}"


def _local(store: Path, known: Iterable[Submission]) -> tuple[dict[str, Process], set[str]]:
    """Return live workers of this machine by the key of their run, and the runs that a live submitter will start."""
    crews = read_crews(folder_of_submissions(store))
    workers: dict[str, Process] = {}
    waiting: set[str] = set()
    for submission in known:
        crew = crews.get(submission.token)
        if crew is None:
            continue
        runs = dict(enumerate(submission.runs))
        found = {runs[index].key: member.process for index, member in crew.workers.items() if index in runs}
        workers |= {key: process for key, process in found.items() if process.lives()}
        if crew.submitter.process.lives():
            waiting |= {runs[index].key for index in crew.waiting if index in runs}
    return workers, waiting
