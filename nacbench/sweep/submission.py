"""Submission files, written before jobs are started: the runs, their profile, and a token that identifies Slurm jobs.

The submitter may be killed between sbatch and its answer. The token is then the only way to find the jobs in the queue,
so it must be on disk before sbatch is called.
"""

import getpass
import json
import re
import secrets
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from nacbench.errors import BrokenFileError, UserError
from nacbench.filesystem.files import resolved, utc_now, write_text
from nacbench.formats.reading import read_json, read_text
from nacbench.formats.terminal import say
from nacbench.recording.bounded import Name, Text, Time
from nacbench.recording.claim import BusyError, forget_claims, hold
from nacbench.recording.tags import NOTHING, Tags
from nacbench.sweep.plan import PlannedRun
from nacbench.sweep.profile import Profile

SWEEPS = ".sweeps"  # in a store; no report looks into folders whose names start with a dot
SUBMISSIONS = "submissions"
WAIT_SECONDS = 0.2  # between looks at a submission lock that another process holds
JOB_NUMBER = re.compile(r"[0-9]{1,20}")


class SubmittedRun(BaseModel):
    """One run of a submission.

    Attributes:
        key: ``task/model/run id``.
        config: as from ``RunConfig.as_dict``.
        profile: its own, where it is another one than the submission's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: Annotated[str, Field(pattern=r"^[^/\x00-\x1f]+/[^/\x00-\x1f]+/[0-9a-f]{12}$")]
    config: dict[str, Any]
    profile: Profile | None = None


class Submission(BaseModel):
    """Runs that were started together: a Slurm job array, or processes of this machine.

    Attributes:
        token: unique; the comment of its Slurm jobs.
        sweep: name of the sweep.
        when: time of submission, UTC.
        user: who submitted it; the queue is asked for this user's jobs.
        host: the machine it was submitted from.
        store: folder of runs.
        data_root: mirror of data sets.
        plugins: plug-in files that jobs load first.
        profile: executor and resources; those of a run with a profile of its own are other ones.
        tags: tags and notes that its runs get as they start.
        runs: by their index in the job array.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: Annotated[str, Field(pattern=r"^nacbench-[0-9a-f]{32}$")]
    sweep: Name
    when: Time
    user: Name
    host: Name
    store: Text
    data_root: Text
    plugins: tuple[Text, ...]
    profile: Profile
    tags: Tags = NOTHING
    runs: tuple[SubmittedRun, ...]

    _job: str | None = PrivateAttr(None)  # read once: it never changes, and status asks for each run

    @classmethod
    def of(
        cls,
        runs: Sequence[PlannedRun],
        *,
        sweep: str,
        store: Path,
        data_root: Path,
        plugins: Sequence[str],
        tags: Tags = NOTHING,
        profile: Profile | None = None,
    ) -> "Submission":
        """Make a submission with a new token.

        Paths are made absolute, as jobs run in another working folder.

        Args:
            runs: at least one. Those of a Slurm array must have one shape, as Slurm gives all the same.
            sweep, store, data_root, plugins, tags: see the attributes.
            profile: of the submission; by default that of the first run.
        """
        common = profile or runs[0].profile
        return cls(
            # the time comes first, so that submissions within a second have an order, too
            token=f"nacbench-{time.time_ns():016x}{secrets.token_hex(8)}",
            sweep=sweep,
            when=utc_now(),
            user=getpass.getuser(),
            host=socket.gethostname(),
            store=str(resolved(store)),
            data_root=str(resolved(data_root)),
            plugins=tuple(str(Path(file).resolve()) for file in plugins),
            profile=common,
            tags=tags,
            runs=tuple(
                SubmittedRun(
                    key=run.key,
                    config=run.config.as_dict(),
                    profile=None if run.profile == common else run.profile,
                )
                for run in runs
            ),
        )

    def profile_of(self, index: int) -> Profile:
        """Return the profile of one run."""
        return self.runs[index].profile or self.profile

    def write(self) -> Path:
        """Write it to its store, atomically; return the file."""
        path = folder_of_submissions(Path(self.store)) / f"{self.token}.json"
        content = self.model_dump(mode="json")
        for run in content["runs"]:  # as a rule there is none, and jobs of an earlier version know no such key
            if run["profile"] is None:
                del run["profile"]
        # without indentation, which Python's JSON writes ten times slower: these files have thousands of runs
        write_text(path, json.dumps(content, allow_nan=False) + "\n")
        return path

    def write_job(self, job: str) -> None:
        """Write down the job number that sbatch returned."""
        write_text(folder_of_submissions(Path(self.store)) / f"{self.token}.job", f"{job}\n")

    def jobs_folder(self) -> Path:
        """Return the folder of submitit's files and of logs.

        Each submission has its own, as Slurm may use a job number again after its controller has crashed.
        """
        return Path(self.store) / SWEEPS / "jobs" / self.token

    def job_number(self) -> str | None:
        """Return the job number, or None if the submitter was killed before it wrote it down."""
        if self._job is None:
            with suppress(UserError):
                number = read_text(folder_of_submissions(Path(self.store)) / f"{self.token}.job").strip()
                self._job = number if JOB_NUMBER.fullmatch(number) else None
        return self._job

    def job_of(self, index: int) -> str | None:
        """Return the job number of one run as squeue shows it: ``number_index`` in an array."""
        number = self.job_number()
        return number and (f"{number}_{index}" if len(self.runs) > 1 else number)


def read_submission(path: Path) -> Submission:
    """Read a submission file.

    Raises:
        BrokenFileError: if it is not a submission, or that of another file's name.
        UserError: if it cannot be read.
    """
    submission = read_json(path, Submission)
    if path.name != f"{submission.token}.json":
        raise BrokenFileError(f"{path} is a copy of submission {submission.token}; only the file of that name counts")
    return submission


@cache  # submission files never change, and status reads all of them
def _read_once(path: Path) -> Submission | str:
    try:
        return read_submission(path)
    except UserError as error:
        return str(error)


def submissions(store: Path) -> list[Submission]:
    """Return all submissions of a store, the oldest first."""
    return read_submissions(store)[0]


def read_submissions(store: Path) -> tuple[list[Submission], list[str]]:
    """Return all submissions of a store, the oldest first, and a line for each file that is none."""
    found = [_read_once(path) for path in sorted(folder_of_submissions(store).glob("nacbench-*.json"))]
    whole = sorted(
        (one for one in found if isinstance(one, Submission)),
        key=lambda submission: (submission.when, submission.token),
    )
    return whole, [one for one in found if isinstance(one, str)]


@contextmanager
def sole_submitter(store: Path, name: str = "submitter", does: str = "submits to") -> Iterator[None]:
    """Hold the store's submission lock, a claim as on a run; wait for it if another process holds it.

    Without it, two submitters that look at the queue at the same time would both start the missing runs.

    Args:
        store: folder of runs.
        name: of the lock; another one has another name.
        does: what its holder does, for the message of a process that waits.
    """
    place = store / SWEEPS / name
    with ExitStack() as stack:
        said = False
        while True:
            try:
                claim = stack.enter_context(hold(place))
                break
            except BusyError:
                if not said:
                    say(f"waiting for another process that {does} {store}", err=True)
                said = True
                time.sleep(WAIT_SECONDS)
        forget_claims(claim)
        yield


def folder_of_submissions(store: Path) -> Path:
    """Return the folder of a store's submission files."""
    return store / SWEEPS / SUBMISSIONS
