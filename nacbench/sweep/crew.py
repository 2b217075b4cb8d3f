"""Processes of a local submission, in a file while it goes on: status reads it, and cancel, to end what hangs."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from nacbench.errors import UserError
from nacbench.filesystem.files import write_json
from nacbench.filesystem.owner import Process, machine, this_process
from nacbench.formats.reading import read_json

ENDED = "nacbench: this process ended before its run was done"  # start of the last line in such a worker's log
ENDING = ".local"  # beside the submission file, with its name


class Member(BaseModel):
    """A process in the file; see `nacbench.filesystem.owner.Process`."""

    model_config = ConfigDict(frozen=True)

    pid: Annotated[int, Field(gt=0, lt=2**31)]
    born: str

    @property
    def process(self) -> Process:
        """The process."""
        return Process(self.pid, self.born)


class Crew(BaseModel):
    """Processes of a local submission.

    Attributes:
        machine: where they run; see `nacbench.filesystem.owner.machine`.
        submitter: the process that starts the workers.
        workers: by the index of their run in the submission.
        waiting: indices of runs that have not been started.
    """

    machine: str
    submitter: Member
    workers: dict[Annotated[int, Field(ge=0, lt=2**31)], Member]
    waiting: tuple[Annotated[int, Field(ge=0, lt=2**31)], ...]


class CrewFile:
    """The file of a submission's processes, written by the submitter at each change and removed at the end."""

    def __init__(self, submission: Path) -> None:
        self._path = submission.with_suffix(ENDING)

    def write(self, workers: Mapping[int, Process], waiting: Sequence[int]) -> None:
        """Replace the file. Errors are ignored: status and cancel then know less, and the runs go on."""
        own = this_process()
        crew = Crew(
            machine=machine(),
            submitter=Member(pid=own.pid, born=own.born),
            workers={index: Member(pid=p.pid, born=p.born) for index, p in workers.items()},
            waiting=tuple(waiting),
        )
        with suppress(OSError):
            write_json(self._path, crew.model_dump(mode="json"))

    def remove(self) -> None:
        """Remove the file."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def read_crews(folder: Path) -> dict[str, Crew]:
    """Return the processes of local submissions on this machine, by the token of the submission.

    Args:
        folder: of submission files. Files that cannot be read, and those of other machines, are left out.
    """
    found: dict[str, Crew] = {}
    for path in sorted(folder.glob(f"nacbench-*{ENDING}")):
        with suppress(UserError):
            crew = read_json(path, Crew)
            if crew.machine == machine():
                found[path.stem] = crew
    return found


def forget_dead_crews(folder: Path) -> None:
    """Remove the files of local submissions whose processes have all ended; a killed submitter leaves its own."""
    for token, crew in read_crews(folder).items():
        if not any(member.process.lives() for member in (crew.submitter, *crew.workers.values())):
            with suppress(OSError):
                (folder / f"{token}{ENDING}").unlink(missing_ok=True)
