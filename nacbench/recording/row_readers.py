"""Read very many records in several processes: each is checked, which takes about 0.2 ms on one core.

The processes are Python's own, started anew: a forked one could hang on locks of threads that it does not have, and
multiprocessing's would run the user's script again.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

from nacbench.errors import UserError
from nacbench.machine.cores import granted_cores
from nacbench.machine.worker import worker_environment
from nacbench.recording.read_record import read_record
from nacbench.recording.record import RECORD
from nacbench.recording.row import Run, row_of
from nacbench.recording.row_tables import rows_of, table_of, text_columns

MANY = 10_000  # records from which on it pays to start processes, which takes half a second
EACH = 5000  # records that one process reads at least

Place = tuple[str, int, int]  # a record's folder, and the size and time of the last change (ctime) of its file


def rows_at(places: Sequence[Place]) -> dict[str, Run]:
    """Return the rows of records by folder; those that cannot be read, for whatever reason, are left out."""
    if len(places) < MANY:
        return {}
    count = min(granted_cores(), len(places) // EACH)
    if count < 2:
        return {}
    workers = [_started() for _ in range(count)]
    for number, worker in enumerate(workers):
        _ask(worker, places[number::count])
    found: dict[str, Run] = {}
    for worker in workers:
        found |= _result(worker)
    return found


def _started() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "nacbench.recording.row_readers"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **worker_environment()},
    )


def _ask(worker: subprocess.Popen[bytes], places: Sequence[Place]) -> None:
    assert worker.stdin is not None
    with suppress(BrokenPipeError), worker.stdin:  # one that could not start: its records are read by this process
        worker.stdin.write(json.dumps(places).encode())


def _result(worker: subprocess.Popen[bytes]) -> dict[str, Run]:
    import pyarrow as pa

    assert worker.stdout is not None
    with worker:
        content = worker.stdout.read()
    if worker.returncode:
        return {}
    try:
        with pa.ipc.open_stream(content) as stream:
            table = stream.read_all()
    except pa.ArrowException:
        return {}
    return {run.folder: run for run in rows_of(table)}


def serve(given: IO[bytes], out: IO[bytes]) -> None:
    """Read places as JSON, and write the rows of their records as an Arrow stream."""
    import pyarrow as pa

    gc.disable()  # rows stay: collections would visit them again and again, and free nothing
    rows = []
    for folder, size, changed in json.loads(given.read()):
        try:
            rows.append(row_of(read_record(f"{folder}/{RECORD}", folder.rpartition("/")[2]), folder, size, changed))
        except UserError:
            continue  # the process that asked names it
    table = table_of(rows)
    for name in text_columns():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, table.column(name).dictionary_encode())
    with pa.ipc.new_stream(out, table.schema) as stream:
        stream.write_table(table)


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
