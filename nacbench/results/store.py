"""The folder of runs: where each one lies, and which are done. Files are the truth; there is no other state."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nacbench.errors import UserError
from nacbench.files import write_json
from nacbench.results.record import FAILURE, RECORD, Failure, RunRecord, read_failure, read_record

STATE = "state.json"
CONFIG = "config.yaml"
LOG = "log.txt"
PREDICTIONS = "predictions.parquet"
SCORES = "scores"  # of single splits, while a run is under way
WEIGHTS = "checkpoint/model.safetensors"


def run_folder(store: Path, task: str, model: str, run_id: str) -> Path:
    """Where a run lies: ``<store>/<task>/<model>/<run_id>``."""
    return store / task / model / run_id


def finished(folder: Path) -> RunRecord | None:
    """The record of a run that is done, or None.

    Raises:
        UserError: if there is one that is broken; it is left for people to look at.
    """
    path = folder / RECORD
    try:
        return read_record(path) if path.exists() else None
    except UserError as error:
        raise UserError(f"{error}; delete {folder} to compute the run again") from None


def find(store: Path, name: str) -> list[Path]:
    """The files of this name below a folder, sorted, but for those in folders whose names start with a dot."""
    return sorted(
        path for path in store.rglob(name) if not any(part.startswith(".") for part in path.relative_to(store).parts)
    )


def read_store(*stores: Path) -> tuple[list[RunRecord], list[Failure], list[str]]:
    """All records and failures below some folders, and a line for each file that is neither.

    Raises:
        UserError: if a folder does not exist.
    """
    records, failures, broken = [], [], []
    for store in stores:
        if not store.is_dir():
            raise UserError(f"no folder {store}; name one that holds runs, such as runs/")
        for path in find(store, RECORD):
            try:
                records.append(read_record(path))
            except UserError as error:
                broken.append(str(error))
        for path in find(store, FAILURE):
            try:
                failures.append(read_failure(path))
            except UserError as error:
                broken.append(str(error))
    return records, failures, broken


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


@contextmanager
def sole_process(folder: Path) -> Iterator[None]:
    """Hold a run's folder while computing it.

    Raises:
        UserError: if another process of this machine holds it.
    """
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(f"run {folder.name} is being computed by another process; see {folder / LOG}") from None
        yield
    finally:
        os.close(descriptor)


def read_state(folder: Path) -> dict[str, Any]:
    """What ``state.json`` says of a run under way; empty where there is none that can be read."""
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def write_state(folder: Path, state: dict[str, Any]) -> None:
    """Replace ``state.json``."""
    write_json(folder / STATE, state)
