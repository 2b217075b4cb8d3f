"""The folder of runs: where each one lies, and which are done. Files are the truth; there is no other state."""

import json
import os
from pathlib import Path
from typing import Any

from nacbench.errors import UserError
from nacbench.files import digest_of, write_json
from nacbench.recording.record import RECORD, RunRecord, read_record
from nacbench.recording.upgrade import upgraded_state

STATE = "state.json"
CONFIG = "config.yaml"
LOG = "log.txt"
PREDICTIONS = "predictions.parquet"
SCORES = "scores"  # of single splits, while a run is under way
WEIGHTS = "checkpoint/model.safetensors"
CURVE = "curve.jsonl"
LASTING = (CONFIG, CURVE, PREDICTIONS, WEIGHTS)  # what stays beside a record


def run_folder(store: Path, task: str, model: str, run_id: str) -> Path:
    """Where a run lies: ``<store>/<task>/<model>/<run_id>``.

    Raises:
        UserError: for names, perhaps of a foreign record, that would lead elsewhere.
    """
    for name in (task, model, run_id):
        if not name or name[0] == "." or "/" in name or "\\" in name or "\0" in name:
            raise UserError(f"{name!r} is no name for a folder of a run")
    return store / task / model / run_id


def locate(name: str, store: Path) -> Path:
    """The folder of a run, from the folder itself or the beginning of its id.

    Raises:
        UserError: if it is neither, or several ids begin with it.
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
    """The record of a run that is done, or None.

    Raises:
        BrokenFileError: if there is one that is broken; `nacbench.running.runner.run` sets it aside and computes again.
        UserError: if a newer version wrote it.
    """
    path = folder / RECORD
    return read_record(path) if path.exists() else None


def damage(path: Path, digest: str | None) -> str | None:
    """What is wrong with a file beside a record, as a sentence; None where it is there as it was recorded.

    Args:
        path: the file.
        digest: the SHA-256 that the record has of it; None: any content will do.
    """
    try:
        changed = digest_of(path) != digest and digest is not None
    except FileNotFoundError:
        return f"{path} is missing"
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    return f"{path} is damaged or changed: its SHA-256 is not the one in the record" if changed else None


def set_aside(folder: Path) -> None:
    """Move a run out of the way into ``.replaced`` beside it, where no report looks, so that it can be done again."""
    if not folder.exists():
        return
    for number in range(1, 10_000):
        place = folder.parent / ".replaced" / f"{folder.name}-{number}"
        if not place.exists():
            place.parent.mkdir(exist_ok=True)
            folder.rename(place)
            return
    raise UserError(f"{folder.parent / '.replaced'} is full; delete what is not needed there")


def tail(path: Path, lines: int = 20) -> list[str]:
    """The last lines of a text file; none where it cannot be read."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - 200 * lines))
            return stream.read().decode(errors="replace").splitlines()[-lines:]
    except OSError:
        return []


def read_state(folder: Path) -> dict[str, Any]:
    """What ``state.json`` says of a run; empty where there is none that can be read."""
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return upgraded_state(state) if isinstance(state, dict) else {}


def write_state(folder: Path, state: dict[str, Any]) -> None:
    """Replace ``state.json``."""
    write_json(folder / STATE, state)
