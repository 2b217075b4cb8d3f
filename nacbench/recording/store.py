"""Store of runs: the path of each run's folder, its files, and which runs are finished.

The files are the only state: there is no database that could disagree with them.
"""

import contextlib
import os
import shutil
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from nacbench.errors import UserError
from nacbench.filesystem.files import digest_of, write_json
from nacbench.formats.reading import open_regular, parse_json, read_bytes
from nacbench.recording.bounded import Time
from nacbench.recording.claimants import HEARTBEAT
from nacbench.recording.identity import RecordedIdentity
from nacbench.recording.read_record import read_record
from nacbench.recording.record import FILES, RECORD, RunRecord
from nacbench.recording.upgrade import upgraded_state

STATE = "state.json"
LOG = "log.txt"
INITIAL = "checkpoint/initial.safetensors"  # copy of the weights that a run begins with, if they are given
# files of a run in progress, which it is resumed from; a broken one that was set aside has another name, and stays
RESUMED_FROM = (HEARTBEAT, "checkpoint/last.safetensors", "checkpoint/best.safetensors", INITIAL)
SCORES = "scores"  # folder with evaluations of single splits while a run is in progress
MOST_SET_ASIDE = 9_999  # copies of one run
REPLACED = ".replaced"  # folder beside the runs of a model: runs that were set aside
LASTING = FILES  # files that stay beside a record, which holds their digests
CONFIG, CURVE, PREDICTIONS, WEIGHTS = FILES


def run_folder(store: Path, task: str, model: str, run_id: str) -> Path:
    """Return a run's folder, ``<store>/<task>/<model>/<run_id>``.

    Raises:
        UserError: for a name that would lead out of the store; a record may come from an untrusted archive.
    """
    for name in (task, model, run_id):
        if not name or name[0] == "." or "/" in name or "\\" in name or "\0" in name:
            raise UserError(f"{name!r} is not a valid folder name for a run")
    return store / task / model / run_id


def finished(folder: Path) -> RunRecord | None:
    """Return the record of a finished run, or None if the run is not finished.

    Raises:
        BrokenFileError: if the record is broken, or of another run than the folder's name says;
            `nacbench.running.runner.run` sets it aside and computes again.
        UserError: if it cannot be read, or a newer version wrote it.
    """
    path = folder / RECORD
    return read_record(path) if os.path.lexists(path) else None


def last_set_aside(folder: Path) -> Path | None:
    """Return the folder of the last finished run that `set_aside` moved away from a run's folder, or None."""
    numbered = _set_aside(folder)
    places = [numbered[number] for number in sorted(numbered, reverse=True)]
    return next((place for place in places if _holds_record_of(place, folder.name)), None)


def _set_aside(folder: Path) -> dict[int, Path]:
    """Return the folders that `set_aside` moved away from a run's folder, by their number."""
    return {
        int(number): place
        for place in (folder.parent / REPLACED).glob(f"{folder.name}-*")
        if (number := place.name.removeprefix(f"{folder.name}-")).isdecimal() and len(number) < 6
    }


def _holds_record_of(place: Path, run_id: str) -> bool:
    try:
        return bool(read_record(place / RECORD, run_id))
    except UserError:
        return False


def refuse_links(folder: Path) -> None:
    """Check that a run's folder, which may itself be a link, contains no links.

    What a run writes would go where they lead, and copies of the run would lack what they lead to.

    Raises:
        UserError: if it does; the message names the first.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise UserError(f"{path} is a link, and what the run writes would go where it leads; remove it")


def damage(path: Path, digest: str | None) -> str | None:
    """Return what is wrong with a file beside a record, as a sentence, or None if it matches the record.

    Args:
        path: the file.
        digest: its SHA-256 according to the record; None accepts any content.
    """
    if not os.path.lexists(path):
        return f"{path} is missing"
    try:
        changed = digest_of(path) != digest and digest is not None
    except UserError as error:
        return str(error)
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    return f"{path} is damaged or changed: its SHA-256 is not the one in the record" if changed else None


def set_aside(folder: Path) -> Path | None:
    """Move a run's folder into ``.replaced`` beside it, where no report looks, so that it can be computed again.

    Returns:
        Where it is now; None if there was none.

    Raises:
        UserError: if the run was set aside ``MOST_SET_ASIDE`` times already.
    """
    if not folder.exists():
        return None
    number = max(_set_aside(folder), default=0) + 1  # not the first free one: the highest is the last
    if number > MOST_SET_ASIDE:
        raise UserError(
            f"{folder.parent / REPLACED} holds a copy of {folder.name} with the number {MOST_SET_ASIDE}; delete or "
            "rename it"
        )
    place = folder.parent / REPLACED / f"{folder.name}-{number}"
    place.parent.mkdir(exist_ok=True)
    folder.rename(place)
    return place


def tidy(folder: Path) -> None:
    """Remove from a finished run's folder what only a run in progress needs; a kill after the record can leave it.

    These are the heartbeat, the evaluations of single splits, the checkpoints to resume from, and temporary files.
    """
    with contextlib.suppress(OSError):  # a store that is only read, for example
        shutil.rmtree(folder / SCORES, ignore_errors=True)
        for path in (*(folder / name for name in RESUMED_FROM), *folder.rglob(".*.tmp")):
            path.unlink(missing_ok=True)


def tail(path: Path, lines: int = 20) -> list[str]:
    """Return the last lines of a text file; none if it cannot be read."""
    try:
        with open_regular(path) as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - 200 * lines))  # a log can be long: read only its end, at 200 bytes a line
            return stream.read().decode(errors="replace").splitlines()[-lines:]
    except (OSError, UserError):
        return []


class State(BaseModel):
    """Content of a run's ``state.json``, which is written when the run starts.

    Attributes:
        started: start of the first attempt, ISO 8601 in UTC.
        identity: the run's identity.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    started: Time | None = None
    identity: dict[str, Any]

    @field_validator("identity")
    @classmethod
    def _check_shape(cls, identity: dict[str, Any]) -> dict[str, Any]:
        RecordedIdentity.model_validate(identity, strict=True)
        return identity


def read_state(folder: Path) -> State | None:
    """Return the content of a run's ``state.json``; None if it is missing or broken."""
    path = folder / STATE
    try:
        content = parse_json(read_bytes(path), path)
        return State.model_validate(upgraded_state(content) if isinstance(content, dict) else content)
    except (UserError, ValidationError):
        return None


def write_state(folder: Path, state: State) -> None:
    """Replace a run's ``state.json`` atomically."""
    write_json(folder / STATE, state.model_dump())
