"""Index of finished runs: one row per run with what tables need, cached as Parquet.

Reading a hundred thousand records takes seconds, so the rows are cached in one Parquet file per store, in the user's
cache; a store itself is never written to. A record is read again if its size or modification time has changed.
"""

from __future__ import annotations

import gc
import json
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

from nacbench.code_digest import ROOT, code_digest, short_digest
from nacbench.data.mirror.places import cache_folder
from nacbench.errors import UserError
from nacbench.files import resolved, whole_file
from nacbench.recording.record import FAILURE, RECORD, Failure, RunRecord, read_failure, read_record


class Run(NamedTuple):
    """One row of the index: what tables and figures need of a finished run.

    For fields that are not listed see `nacbench.recording.record.RunRecord`.

    Attributes:
        folder: folder of the run.
        size, changed: size in bytes and modification time in nanoseconds of ``record.json``.
        trained_on: id of the run that trained the network; empty if it is this one.
        series: digest of ``settings``; the runs of a series differ only in their seed.
        settings: JSON of the identity without the seed and what follows from it.
        metrics, measured: JSON by split.
        scored: number of examples behind the score.
        trained, examples_per_second: number of training examples, and how many per second; NaN if nothing was trained.
        partial, notes: sentences, joined by semicolons.
        machine: precision, processor, threads and torch version, as one text.
        versions: JSON of library versions.
    """

    folder: str
    size: int
    changed: int
    run_id: str
    task: str
    model: str
    model_size: str
    scale: str
    seed: int
    precision: str
    protocol: str
    trained_on: str
    metric: str
    score: float
    series: str
    settings: str
    metrics: str
    measured: str
    fingerprint: str
    scored: int
    trained: float
    partial: str
    notes: str
    selection: str
    parameters: int
    forward_flops: int
    train_seconds: float
    examples_per_second: float
    evaluate_seconds: float
    total_seconds: float
    peak_memory_bytes: int
    machine: str
    processor: str
    versions: str
    commit: str
    attempts: int
    finished: str

    @property
    def task_label(self) -> str:
        """Name of the task, marked if the data set was incomplete."""
        return f"{self.task} (part)" if self.partial else self.task

    def all_metrics(self) -> dict[str, dict[str, float]]:
        """Return all metrics by split and name."""
        found: dict[str, dict[str, float]] = json.loads(self.metrics)
        return found

    def numbers(self, split: str = "test") -> dict[str, float]:
        """Return a split's metrics and measurements by name."""
        measured: dict[str, dict[str, float]] = json.loads(self.measured)
        return {**self.all_metrics().get(split, {}), **measured.get(split, {})}

    def record(self) -> RunRecord:
        """Read the complete record from its file."""
        return read_record(Path(self.folder) / RECORD)


@dataclass(frozen=True)
class Runs:
    """Content of one or more stores.

    Attributes:
        runs: finished runs, sorted by folder within a store; of runs with the same id only the first.
        failures: failures of runs without a record.
        broken: one line for each file that cannot be read.
    """

    runs: Sequence[Run]
    failures: Sequence[Failure] = ()
    broken: Sequence[str] = field(default_factory=list)


def read_runs(*stores: Path) -> Runs:
    """Return all finished runs and failures below some folders.

    Raises:
        UserError: if a folder does not exist.
    """
    with _without_collections():
        return _read_runs(stores)


@contextmanager
def _without_collections() -> Iterator[None]:
    """Disable the garbage collector while inside.

    Building rows allocates millions of small objects that all stay alive. Each allocation burst would trigger a
    collection that visits all of them and frees nothing.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _read_runs(stores: Sequence[Path]) -> Runs:
    runs: dict[str, Run] = {}
    failures: list[Failure] = []
    broken: list[str] = []
    for store in stores:
        if not store.is_dir():
            raise UserError(f"no folder {store}; name one that holds runs, such as runs/")
        found = sorted(_files(os.path.abspath(store)))  # noqa: PTH100 (plain strings: there may be very many)
        known = {run.folder: run for run in _remembered(store)}
        own: list[Run] = []
        new = False
        for folder, name, size, changed in found:
            if name == FAILURE:
                _collect(failures, broken, Path(folder) / FAILURE)
                continue
            run = known.get(folder)
            if run is None or (run.size, run.changed) != (size, changed):
                new = True
                try:
                    run = row_of(read_record(Path(folder) / RECORD), folder, size, changed)
                except UserError as error:
                    broken.append(str(error))
                    continue
            own.append(run)
        if new or len(own) != len(known):
            _remember(store, own)
        for run in own:
            runs.setdefault(run.run_id, run)
    return Runs(list(runs.values()), failures, broken)


def _collect(failures: list[Failure], broken: list[str], path: Path) -> None:
    try:
        failures.append(read_failure(path))
    except UserError as error:
        broken.append(str(error))


def _files(top: str) -> Iterator[tuple[str, str, int, int]]:
    """Yield folder, name, size and modification time of every record and failure below a folder.

    Folders whose names start with a dot are skipped. A folder with a record is a run's and is not descended into.
    """
    # os.stat and os.scandir on plain strings: with 100,000 runs, Path objects would dominate the time
    stack = [top]
    while stack:
        folder = stack.pop()
        for name in (RECORD, FAILURE):
            try:
                found = os.stat(f"{folder}/{name}")  # noqa: PTH116
            except OSError:
                continue
            yield folder, name, found.st_size, found.st_mtime_ns
            break
        else:
            try:
                entries = os.scandir(folder)
            except OSError:  # deleted in the meantime, or not readable
                continue
            with entries:
                stack += [e.path for e in entries if e.name[0] != "." and e.is_dir(follow_symlinks=False)]


def row_of(record: RunRecord, folder: str, size: int, changed: int) -> Run:
    """Return the row of a record.

    Args:
        record: the record.
        folder: folder that it lies in.
        size: size of its file in bytes.
        changed: modification time of its file in nanoseconds.
    """
    settings = _settings(record.identity)
    cost, hardware = record.cost, record.environment.hardware
    versions = record.environment.versions
    processor = str(hardware["gpu"] or hardware["cpu"])
    machine = f"{record.precision} on {processor} ({hardware['threads']} threads), torch {versions.get('torch', '?')}"
    return Run(
        folder=folder,
        size=size,
        changed=changed,
        run_id=record.run_id,
        task=record.task,
        model=record.model,
        model_size=record.size,
        scale=record.scale,
        seed=record.seed,
        precision=record.precision,
        protocol=record.protocol,
        trained_on=record.trained_on.run_id if record.trained_on else "",
        metric=record.metric,
        score=record.score,
        series=short_digest(settings.encode()),
        settings=settings,
        metrics=json.dumps(record.metrics),
        measured=json.dumps(record.measured),
        fingerprint=record.data.fingerprint,
        scored=record.scored_examples,
        trained=float(record.data.splits.get("train", math.nan)),
        partial="; ".join(record.data.partial),
        notes="; ".join(record.data.notes),
        selection=record.selection.rule,
        parameters=cost.parameters,
        forward_flops=cost.forward_flops,
        train_seconds=cost.train_seconds,
        examples_per_second=math.nan if cost.examples_per_second is None else cost.examples_per_second,
        evaluate_seconds=cost.evaluate_seconds,
        total_seconds=cost.total_seconds,
        peak_memory_bytes=cost.peak_memory_bytes,
        machine=machine,
        processor=processor,
        versions=json.dumps(versions, sort_keys=True),
        commit=record.environment.git_commit or "",
        attempts=record.attempts,
        finished=record.finished,
    )


SHARED = ("model", "scale", "seed", "precision")  # settings that a run has in common with the run it is trained_on


def _settings(identity: dict[str, Any]) -> str:
    """Return a run's settings as JSON: its identity without the seed, the training run's id, and repeated settings."""
    config = {key: value for key, value in identity["config"].items() if key != "seed"}
    if isinstance(trained_on := config.get("trained_on"), dict):
        config["trained_on"] = {key: value for key, value in trained_on.items() if key not in SHARED}
    rest = {key: value for key, value in identity.items() if key not in ("config", "trained_on")}
    return json.dumps({**config, **rest}, sort_keys=True)


# -- cache -----------------------------------------------------------------------------------------------------------


def _index_file(store: Path) -> Path:
    return cache_folder() / "index" / f"{short_digest(os.fsencode(resolved(store)))}-{_version()}.parquet"


@cache
def _version() -> str:
    """Return the version of cached rows: a digest of the code that makes them."""
    return code_digest([ROOT / "recording" / name for name in ("index.py", "record.py", "upgrade.py")])


def _remembered(store: Path) -> Iterable[Run]:
    """Return the cached rows of a store; none if there is no readable cache."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(_index_file(store), columns=list(Run._fields), read_dictionary=list(_texts()))
    except (OSError, pa.ArrowException):
        return []
    columns = [_values(table.column(name)) for name in Run._fields]
    return map(Run._make, zip(*columns, strict=True))


def _values(column: Any) -> list[Any]:
    """Return a column as Python values; equal texts share one object, which saves time and memory."""
    import pyarrow as pa

    column = column.combine_chunks()
    if not isinstance(column, pa.DictionaryArray):
        values: list[Any] = column.to_pylist()
        return values
    texts = column.dictionary.to_pylist()
    return [texts[index] for index in column.indices.to_numpy(zero_copy_only=False).tolist()]


def _texts() -> Iterator[str]:
    return (name for name, kind in get_type_hints(Run).items() if kind is str)


def _remember(store: Path, runs: Sequence[Run]) -> None:
    """Write the rows to the cache. Errors are ignored: without a cache, reading is only slower."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    schema = pa.schema([(name, kinds[kind]) for name, kind in get_type_hints(Run).items() if name in Run._fields])
    columns = zip(*runs, strict=True) if runs else ([] for _ in Run._fields)
    table = pa.table([pa.array(column, type=kind) for column, kind in zip(columns, schema.types, strict=True)], schema)
    path = _index_file(store)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for old in path.parent.glob(f"{path.name.partition('-')[0]}-*.parquet"):
            old.unlink(missing_ok=True)
        with whole_file(path) as aside:
            pq.write_table(table, aside, compression="zstd")
    except OSError:
        return
