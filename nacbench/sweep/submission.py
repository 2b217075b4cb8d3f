"""What is written down before anything is started: which runs, how, and the token that finds Slurm's jobs again."""

import getpass
import json
import os
import socket
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from nacbench.contracts.plugin import first_problem
from nacbench.errors import BrokenFileError, UserError
from nacbench.files import utc_now, write_json, write_text
from nacbench.sweep.plan import PlannedRun
from nacbench.sweep.profile import Profile

SWEEPS = ".sweeps"  # in a store; no report looks into folders whose names start with a dot
SUBMISSIONS = "submissions"


class SubmittedRun(BaseModel):
    """One run of a submission: its place in the store, and its configuration for `nacbench.running.config.resolve`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    config: dict[str, Any]


class Submission(BaseModel):
    """Runs that were started together: an array of jobs, or processes of this machine.

    Attributes:
        token: unlike any other; Slurm keeps it as the jobs' comment.
        sweep: name of the sweep.
        store: folder of runs.
        profile: how they are carried out.
        runs: by their index in the array.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: str
    sweep: str
    when: str
    user: str
    host: str
    store: str
    data_root: str
    plugins: tuple[str, ...]
    profile: Profile
    runs: tuple[SubmittedRun, ...]

    @classmethod
    def of(
        cls, runs: Sequence[PlannedRun], *, sweep: str, store: Path, data_root: Path, plugins: Sequence[str]
    ) -> "Submission":
        """A new one; all runs have the first one's resources."""
        return cls(
            token=f"nacbench-{uuid.uuid4().hex}",
            sweep=sweep,
            when=utc_now(),
            user=getpass.getuser(),
            host=socket.gethostname(),
            store=str(store.resolve()),
            data_root=str(data_root.resolve()),
            plugins=tuple(str(Path(file).resolve()) for file in plugins),
            profile=runs[0].profile,
            runs=tuple(SubmittedRun(key=run.key, config=run.config.as_dict()) for run in runs),
        )

    def write(self) -> Path:
        """Write it to its store, whole; returns the file."""
        path = _folder(Path(self.store)) / f"{self.token}.json"
        write_json(path, self.model_dump(mode="json"))
        return path

    def write_job(self, job: str) -> None:
        """Note the number that Slurm gave."""
        write_text(_folder(Path(self.store)) / f"{self.token}.job", f"{job}\n")

    def jobs_folder(self) -> Path:
        """Where submitit keeps its files, a folder for each submission: job numbers can come back."""
        return Path(self.store) / SWEEPS / "jobs" / self.token

    def job_number(self) -> str | None:
        """The number that Slurm gave, if the submitter lived to write it down."""
        try:
            return (_folder(Path(self.store)) / f"{self.token}.job").read_text(encoding="utf-8").strip() or None
        except OSError:
            return None

    def job_of(self, index: int) -> str | None:
        """The number of one run's job as Slurm shows it."""
        number = self.job_number()
        return number and (f"{number}_{index}" if len(self.runs) > 1 else number)


def read_submission(path: Path) -> Submission:
    """Read what `Submission.write` wrote.

    Raises:
        BrokenFileError: if it is not that.
    """
    try:
        return Submission.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise BrokenFileError(f"cannot read {path}: {error.strerror}") from None
    except ValidationError as error:
        raise BrokenFileError(f"{path} is not a submission: {first_problem(error, '')}") from None
    except ValueError:
        raise BrokenFileError(f"{path} is not JSON") from None


@cache
def _read_once(path: Path) -> Submission | None:
    try:
        return read_submission(path)
    except BrokenFileError:
        return None


def submissions(store: Path) -> list[Submission]:
    """All of a store, the oldest first; broken ones are left out."""
    found = (_read_once(path) for path in sorted(_folder(store).glob("nacbench-*.json")))
    return sorted((submission for submission in found if submission), key=lambda submission: submission.when)


@contextmanager
def sole_submitter(store: Path) -> Iterator[None]:
    """Wait until nobody else submits to this store, and keep others waiting while inside."""
    import fcntl
    import sys

    folder = store / SWEEPS
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR, 0o664)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"somebody else submits to {store}; waiting", file=sys.stderr)  # noqa: T201
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            raise UserError(f"cannot lock {folder / '.lock'}: {error.strerror}") from None
        yield
    finally:
        os.close(descriptor)


def _folder(store: Path) -> Path:
    return store / SWEEPS / SUBMISSIONS
