"""Store of runs: the path of each run's folder, its files, and which runs are finished.

The files are the only state: there is no database that could disagree with them.
"""

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from nacbench.errors import UserError
from nacbench.files import digest_of, write_json
from nacbench.recording.claim import HEARTBEAT
from nacbench.recording.record import RECORD, RunRecord, read_record
from nacbench.recording.upgrade import upgraded_state

STATE = "state.json"
CONFIG = "config.yaml"
LOG = "log.txt"
PREDICTIONS = "predictions.parquet"
SCORES = "scores"  # folder with evaluations of single splits while a run is in progress
WEIGHTS = "checkpoint/model.safetensors"
CURVE = "curve.jsonl"
LASTING = (CONFIG, CURVE, PREDICTIONS, WEIGHTS)  # files that stay beside a record, which holds their digests


def run_folder(store: Path, task: str, model: str, run_id: str) -> Path:
    """Return a run's folder, ``<store>/<task>/<model>/<run_id>``.

    Raises:
        UserError: for a name that would lead out of the store; a record may come from an untrusted archive.
    """
    for name in (task, model, run_id):
        if not name or name[0] == "." or "/" in name or "\\" in name or "\0" in name:
            raise UserError(f"{name!r} is not a valid folder name for a run")
    return store / task / model / run_id


def locate(name: str, store: Path) -> Path:
    """Return the folder of a run, given as a path or as a prefix of its id.

    Raises:
        UserError: if it is neither, or several ids start with it.
    """
    path = Path(name)
    folders = [path] if path.is_dir() else sorted(store.glob(f"*/*/{name}*")) if name.isalnum() else []
    if len(folders) == 1:
        return folders[0]
    found = (
        f"{len(folders)} runs in {store} have ids that start with it" if folders else f"no id in {store} starts with it"
    )
    raise UserError(f"{name!r} is not a run's folder; {found}")


def finished(folder: Path) -> RunRecord | None:
    """Return the record of a finished run, or None if the run is not finished.

    Raises:
        BrokenFileError: if the record is broken; `nacbench.running.runner.run` sets it aside and computes again.
        UserError: if a newer version wrote it.
    """
    path = folder / RECORD
    return read_record(path) if path.exists() else None


def damage(path: Path, digest: str | None) -> str | None:
    """Return what is wrong with a file beside a record, as a sentence, or None if it matches the record.

    Args:
        path: the file.
        digest: its SHA-256 according to the record; None accepts any content.
    """
    try:
        changed = digest_of(path) != digest and digest is not None
    except FileNotFoundError:
        return f"{path} is missing"
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    return f"{path} is damaged or changed: its SHA-256 is not the one in the record" if changed else None


def set_aside(folder: Path) -> None:
    """Move a run's folder into ``.replaced`` beside it, where no report looks, so that it can be computed again.

    Raises:
        UserError: if the run was set aside 9,999 times already.
    """
    if not folder.exists():
        return
    for number in range(1, 10_000):
        place = folder.parent / ".replaced" / f"{folder.name}-{number}"
        if not place.exists():
            place.parent.mkdir(exist_ok=True)
            folder.rename(place)
            return
    raise UserError(f"{folder.parent / '.replaced'} holds too many copies of {folder.name}; delete some of them")


def tidy(folder: Path) -> None:
    """Remove from a finished run's folder what only a run in progress needs; a kill after the record can leave it.

    These are the heartbeat, the evaluations of single splits, the checkpoints to resume from, and temporary files.
    """
    with contextlib.suppress(OSError):  # a store that is only read, for example
        shutil.rmtree(folder / SCORES, ignore_errors=True)
        checkpoints = (folder / WEIGHTS).parent.glob("*")
        for path in (folder / HEARTBEAT, *checkpoints, *folder.rglob(".*.tmp")):
            if path != folder / WEIGHTS:
                path.unlink(missing_ok=True)


def tail(path: Path, lines: int = 20) -> list[str]:
    """Return the last lines of a text file; none if it cannot be read."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - 200 * lines))  # a log can be long: read only its end, at 200 bytes a line
            return stream.read().decode(errors="replace").splitlines()[-lines:]
    except OSError:
        return []


def read_state(folder: Path) -> dict[str, Any]:
    """Return the content of a run's ``state.json``; empty if it is missing or broken."""
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return upgraded_state(state) if isinstance(state, dict) else {}


def write_state(folder: Path, state: dict[str, Any]) -> None:
    """Replace a run's ``state.json`` atomically."""
    write_json(folder / STATE, state)
