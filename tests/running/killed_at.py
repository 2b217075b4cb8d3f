"""Compute a small run again and again, killed at its first file-system call, its second, and so on; run by a test.

Each attempt is a fork, so that torch is imported once. Usage: ``killed_at.py FOLDER FIRST STRIDE``; prints as JSON the
number of calls, and what was wrong after which call.
"""

import hashlib
import importlib
import json
import mmap
import os
import signal
import struct
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from nacbench.errors import UserError
from nacbench.recording.store import damage, finished
from nacbench.running.resolve import resolve
from nacbench.running.runner import identify, run
from nacbench.training.execution import Execution

SETTINGS: dict[str, Any] = {
    "task": "digits",
    "model": {"name": "transformer", "depth": 1},
    "scale": "smoke",
    "precision": "fp32",
    "training": {"epochs": 2, "batch_size": 720, "warmup_epochs": 0, "selection": "best-validation"},
}
PASSING = ("claims", "log.txt", "state.json")  # these tell of attempts, and when they were


# a fork would otherwise import them each time
for name in (
    "accelerate.data_loader",
    "nacbench.data.images.augment",
    "nacbench.profiling.counting",
    "nacbench.training.loop",
    "pyarrow.parquet",
    "sklearn.datasets",
    "torch.utils.flop_counter",
):
    importlib.import_module(name)


def main(folder: Path, first: int, stride: int) -> None:
    config = resolve(SETTINGS)
    run_id = identify(config, folder).run_id
    place = ("digits", "transformer", run_id)

    def compute(store: Path) -> None:
        execution = Execution(checkpoint_seconds=0, show_progress=False)  # a checkpoint after every step
        run(config, store=store, data_root=folder, execution=lambda: execution)

    calls = killed_at(0, lambda: compute(folder / "whole"), folder / "whole")
    wanted = content(folder.joinpath("whole", *place))
    wrong = {}
    for number in range(first, calls + 1, stride):
        store = folder / f"killed-{number}"
        killed_at(number, partial(compute, store), store)
        problem = half_done(store.joinpath(*place))
        killed_at(0, partial(compute, store), store)
        problem = problem or differing(content(store.joinpath(*place)), wanted)
        if problem:
            wrong[number] = problem
    print(json.dumps({"calls": calls, "wrong": wrong}))  # noqa: T201


def killed_at(number: int, work: Callable[[], object], store: Path) -> int:
    """Do some work in a fork that is killed at its ``number``-th call on a file of the store; 0: it is not killed.

    Returns:
        The number of calls.
    """
    with mmap.mmap(-1, 8) as shared:  # shared with the fork, which a kill cannot take away
        child = os.fork()
        if child == 0:
            status = 1
            try:
                _count(shared, number, f"{store}/")
                work()
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        calls: int = struct.unpack("q", shared[:8])[0]
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert killed if number else status == 0, f"call {number}: the run ended with status {status}"
    return calls


def _count(shared: mmap.mmap, number: int, within: str) -> None:
    """Count this process's calls on files of a folder, and kill it before the call with a number."""

    def count(path: object) -> None:
        text = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else ""
        if isinstance(path, int) and path >= 0:
            text = str(Path(f"/proc/self/fd/{path}").readlink())
        if not text.startswith(within):
            return
        done = struct.unpack("q", shared[:8])[0] + 1
        shared[:8] = struct.pack("q", done)
        if done == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_event(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" or (event.startswith(("os.", "fcntl.")) and event != "os.kill"):
            count(arguments[0] if arguments else None)

    # Python reports no event for these
    for name in ("fsync", "write", "close"):
        setattr(os, name, _counted(getattr(os, name), count))
    sys.addaudithook(on_event)


def _counted(call: Callable[..., Any], count: Callable[[object], None]) -> Callable[..., Any]:
    def counted(first: Any, *others: Any) -> Any:
        count(first)
        return call(first, *others)

    return counted


def half_done(folder: Path) -> str | None:
    """Return what a killed run has left that looks done and is not."""
    try:
        record = finished(folder)
    except UserError as error:
        return str(error)
    if record is None:
        return None
    return next(filter(None, (damage(folder / name, digest) for name, digest in record.files.items())), None)


def content(folder: Path) -> dict[str, str]:
    """Return the digest of every file of a run that must not depend on interruptions, by name."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_dir() or name.startswith(PASSING):
            continue
        text = path.read_bytes()
        if name == "record.json":
            record = json.loads(text)
            kept = ("run_id", "metrics", "selection", "identity", "data")
            text = json.dumps({key: record[key] for key in kept}).encode()
        found[name] = hashlib.sha256(text).hexdigest()
    return found


def differing(found: dict[str, str], wanted: dict[str, str]) -> str | None:
    names = [name for name in sorted({*found, *wanted}) if found.get(name) != wanted.get(name)]
    return f"after a resume these files are not those of an undisturbed run: {', '.join(names)}" if names else None


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
