"""Index of finished runs: one row per run with what tables need, cached as Parquet.

Reading a hundred thousand records takes seconds, so the rows are cached in one Parquet file per store, in the user's
cache; a store itself is never written to. A record is read again if its size or the time of its last change differs,
and so is a file of tags.
The cached file has its own digest in its name, so that a damaged one is not believed.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from functools import cache
from hashlib import sha256
from pathlib import Path

from nacbench.code_digest import ROOT, code_digest, short_digest
from nacbench.data.mirror.places import cache_folder
from nacbench.errors import UserError
from nacbench.filesystem.files import absolute, digest_of, resolved, write_bytes
from nacbench.formats.terminal import passing
from nacbench.recording.decisions import marked
from nacbench.recording.doubled import only_set_aside, refuse_doubled
from nacbench.recording.read_record import MisplacedRecordError, read_failure, read_record
from nacbench.recording.record import FAILURE, RECORD, Failure
from nacbench.recording.row import Run, row_of
from nacbench.recording.row_readers import rows_at
from nacbench.recording.row_tables import rows_of, table_of, text_columns
from nacbench.recording.tags import read_tags, stamp_of, united
from nacbench.recording.walk import Walk


@dataclass(frozen=True)
class Runs:
    """Content of one or more stores.

    Attributes:
        runs: finished runs, sorted by folder within a store; of equal copies of a run only the first.
        failures: failures of runs without a record.
        broken: one line for each file or folder that cannot be read, and for each run of which only an earlier
            record is left, which was set aside.
        misplaced: records in folders that are not called by their run's id, such as copies. They do not count, but if
            a run has other numbers in one of them, nobody knows which are right.
        unfinished: folders of runs that were started and have neither record nor failure.
        failed: folders of the failures, in their order.
    """

    runs: Sequence[Run]
    failures: Sequence[Failure] = ()
    broken: Sequence[str] = field(default_factory=list)
    misplaced: Sequence[Run] = field(default_factory=list)
    unfinished: Sequence[str] = ()
    failed: Sequence[str] = ()


FOUND = tuple(part.name for part in fields(Runs))


def read_runs(*stores: Path) -> Runs:
    """Return all finished runs and failures below some folders, of which each counts once.

    Raises:
        UserError: if a folder does not exist, a run has different numbers in two places, or there are two runs of one
            series with the same seed.
    """
    with _without_collections():
        found = look_at_runs(*stores)
        refuse_doubled(found.runs, found.misplaced)
        copies: dict[str, list[Run]] = {}
        for run in found.runs:
            copies.setdefault(run.run_id, []).append(run)
        if len(copies) == len(found.runs):
            return found
        return Runs([_as_one(same) for same in copies.values()], found.failures, found.broken, failed=found.failed)


def look_at_runs(*stores: Path) -> Runs:
    """Return all finished runs and failures below some folders, with all copies of runs, however they differ.

    Raises:
        UserError: if a folder does not exist, or it cannot be read which series were given seeds until a decision.
    """
    with _without_collections(), passing("reading runs ..."):
        found = [_of_store(store) for store in stores]
    every = Runs(*([one for own in found for one in getattr(own, name)] for name in FOUND))
    return _with_last_failures(replace(every, runs=marked(every.runs)))


def _with_last_failures(found: Runs) -> Runs:
    """Return the runs with the last failure of each one that has no record in any of the stores."""
    done = {run.run_id for run in found.runs}
    some = [one for one in zip(found.failures, found.failed, strict=True) if one[0].run_id not in done]
    # of two failures at the same time, the one whose words come last: not that of the store which was named last
    last = {failure.run_id: (failure, folder) for failure, folder in sorted(some, key=_time_and_words)}
    kept = [one for one in some if last[one[0].run_id] == one]
    return replace(found, failures=[failure for failure, _ in kept], failed=[folder for _, folder in kept])


def _time_and_words(one: tuple[Failure, str]) -> tuple[str, str, str]:
    failure, folder = one
    return failure.when, failure.model_dump_json(), folder


def nothing_finished(
    broken: Sequence[str], places: Iterable[Path | str], failures: Sequence[Failure] = ()
) -> UserError:
    """Return the error for places without a finished run; it names the first thing in them that does not count."""
    lines = [*broken, *(f"{one.task} · {one.model} · seed {one.seed} {one.status}: {one.reason}" for one in failures)]
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    why = f": {lines[0]}{more}" if lines else "; make one with: nacbench run --task digits --model nac"
    return UserError(f"no finished run in {', '.join(map(str, places))}{why}")


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


def _of_store(store: Path) -> Runs:
    if not store.is_dir():
        raise UserError(f"no folder {store}; name one that holds runs, such as runs/")
    walk = Walk()
    found = sorted(walk.below(absolute(store)))
    known = {run.folder: run for run in _remembered(store)}
    fresh = rows_at([(at, size, when) for at, name, size, when in found if name == RECORD and at not in known])
    known |= fresh
    runs: list[Run] = []
    failures: list[Failure] = []
    failed: list[str] = []
    broken: list[str] = []
    misplaced: list[Run] = []
    new = bool(fresh)
    for folder, name, size, changed in found:
        run = known.get(folder)
        if name == RECORD and run is not None and (run.size, run.changed) == (size, changed):
            runs.append(_with_tags(run, broken))
            new = new or runs[-1] is not run
            continue
        try:
            if name == FAILURE:
                failures.append(read_failure(f"{folder}/{FAILURE}"))
                failed.append(folder)
                continue
            new = True
            run = row_of(read_record(f"{folder}/{RECORD}", folder.rpartition("/")[2]), folder, size, changed)
            runs.append(_with_tags(run, broken))
        except UserError as error:
            broken.append(str(error))
            if isinstance(error, MisplacedRecordError):
                misplaced.append(row_of(error.record, folder, size, changed))
    if new or len(runs) != len(known):
        _remember(store, runs)
    broken += [*walk.problems, *only_set_aside(walk.replaced, {run.folder for run in runs})]
    return Runs(runs, failures, broken, misplaced, tuple(walk.unfinished), failed)


def _with_tags(run: Run, broken: list[str]) -> Run:
    """Return a run with its present tags and notes, which can change at any time; unlike its record."""
    stamp = stamp_of(run.folder)
    if stamp == run.tags_stamp:
        return run
    try:
        found = read_tags(run.folder)
    except UserError as error:
        broken.append(f"{error}; its run counts, without tags")
        return run._replace(tags="", user_notes="", tags_stamp="") if run.tags_stamp else run
    return run._replace(tags=",".join(found.tags), user_notes="\n".join(found.notes), tags_stamp=stamp)


def _as_one(copies: Sequence[Run]) -> Run:
    """Return the first of several copies of a run, with the tags and notes of all."""
    first = copies[0]
    if all(run.tags_stamp == "" for run in copies):
        return first
    found = united(run.own_tags() for run in copies)
    return first._replace(tags=",".join(found.tags), user_notes="\n".join(found.notes))


# -- cache -----------------------------------------------------------------------------------------------------------


def _cached_files(store: Path, version: str) -> list[Path]:
    """Return the cached files of a store; more than one if two processes wrote it at the same time."""
    return sorted(_cache().glob(f"{_name(store)}-{version}-*.parquet"))


def _cache() -> Path:
    return cache_folder() / "index"


def _name(store: Path) -> str:
    return short_digest(os.fsencode(resolved(store)))


@cache
def _version() -> str:
    """Return the version of cached rows: a digest of the code that makes them."""
    # the whole folder: a list of files would miss the next one
    return code_digest([ROOT / "contracts" / "numbers.py", *sorted((ROOT / "recording").glob("*.py"))])


def _remembered(store: Path) -> Iterable[Run]:
    """Return the cached rows of a store; none if there is no readable cache."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for path in _cached_files(store, _version()):
        try:
            if digest_of(path) != path.stem.rpartition("-")[2]:
                continue
            table = pq.read_table(path, columns=list(Run._fields), read_dictionary=list(text_columns()))
        except (OSError, UserError, pa.ArrowException):
            continue
        return rows_of(table)
    return []


def _remember(store: Path, runs: Sequence[Run]) -> None:
    """Write the rows to the cache. Errors are ignored: without a cache, reading is only slower."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        written = pa.BufferOutputStream()
        pq.write_table(table_of(runs), written, compression="zstd")
        content = written.getvalue().to_pybytes()
        for old in _cached_files(store, "*"):
            old.unlink(missing_ok=True)
        write_bytes(_cache() / f"{_name(store)}-{_version()}-{sha256(content).hexdigest()}.parquet", content)
    except (OSError, UnicodeEncodeError):  # the latter for a folder whose name is not UTF-8
        return
