"""Copy finished runs between stores, and pack them into archives: complete, verified, never replacing other results.

Failures go with them: a table of copies has to say that a run diverged, as the table of the first store does.
"""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from nacbench.errors import BrokenFileError, UserError
from nacbench.filesystem.files import absolute, fill_folder, whole_file, write_json
from nacbench.filesystem.scratch import remove_orphans, scratch_folder
from nacbench.recording import decisions, searches
from nacbench.recording.doubled import SHOWN, refuse_doubled
from nacbench.recording.index import Runs, look_at_runs, nothing_finished
from nacbench.recording.predictions import leave_logits_out
from nacbench.recording.read_record import read_record
from nacbench.recording.record import FAILURE, RECORD, RunRecord
from nacbench.recording.row import Run
from nacbench.recording.store import WEIGHTS, damage, finished, run_folder
from nacbench.recording.tags import TAGS, add_tags, read_tags

Unpack = Callable[[Path, Path], None]
# Not copied: state of a run in progress, bound to its machine; and tags, which are united with those that are there
PASSING = ("claims", "scores", "heartbeat.json", TAGS)


@dataclass(frozen=True)
class Merged:
    """Result of `merge`.

    Attributes:
        copied: number of runs copied.
        failed: number of runs without a record in any of the stores of which it was copied why: failed, or skipped.
        there: number of runs that the target, or an earlier store, had already.
        broken: one line for each record that cannot be read.
        completed: number of runs of the target that got files that were missing or damaged there.
    """

    copied: int
    there: int
    broken: Sequence[str]
    failed: int = 0
    completed: int = 0


def merge(stores: Sequence[Path], target: Path, *, weights: bool = True, logits: bool = True) -> Merged:
    """Copy all finished runs of some stores into another one, and what is known of those that failed.

    Everything is checked before anything is copied: every file against its digest in the record, and the metrics of
    runs that occur twice against each other. Of several copies of a run the one with most files is taken. Runs that the
    target already has only get what they lack: files of their record that are missing or damaged there, and tags and
    notes, which a run keeps from all stores.

    Args:
        stores: stores to copy from.
        target: store to copy to, created if necessary.
        weights: whether to copy checkpoints; runs without one can be reported, but no other run can use their networks.
        logits: whether to keep logits in predictions; see `nacbench.recording.predictions.leave_logits_out`.

    Raises:
        UserError: if there is no run, two records of one run differ, a file is damaged, or a store does not exist.
    """
    theirs, ours = _looked_at(stores, target)
    broken = [*theirs.broken, *ours.broken]
    places = {run.run_id: Path(run.folder) for run in reversed(ours.runs)}
    known = set(places)
    todo: list[tuple[Path, Path]] = []
    damaged: list[str] = []
    missing: list[tuple[Path, Path, str]] = []
    for run in sorted(theirs.runs, key=_completeness, reverse=True):  # of equal ones the first stays the first
        if run.run_id in places:
            if run.run_id in known:
                missing += _lacking(Path(run.folder), places[run.run_id], weights=weights)
            continue
        folder = Path(run.folder)
        try:
            place = _place_for(run, target)
        except UserError as error:
            broken.append(f"{error}; {folder} was not copied")
            continue
        places[run.run_id] = place
        damaged += _damaged(folder, run.record(), weights=weights)
        todo.append((folder, place))
    if damaged:
        more = f"; and {len(damaged) - SHOWN} more" if len(damaged) > SHOWN else ""
        raise UserError(f"{'; '.join(damaged[:SHOWN])}{more}; nothing was copied")
    # first: copies without these would be judged by the wrong test, or as another search, if this is killed
    carried = list(searches.searches_of(theirs.runs))  # all is read before anything is written
    decisions.carry(theirs.runs, target)
    searches.begin(target, carried)
    for folder, place in todo:
        _copy(folder, place, broken, weights=weights, logits=logits)
    for folder, place, name in missing:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        with whole_file(place / name) as aside:
            shutil.copyfile(folder / name, aside, follow_symlinks=False)
    _unite_tags(theirs.runs, places, broken)
    failed = _copy_failures(theirs, target, places, broken)
    completed = len({place for _, place, _ in missing})
    return Merged(len(todo), len(theirs.runs) - len(todo), broken, failed, completed)


def _looked_at(stores: Sequence[Path], target: Path) -> tuple[Runs, Runs]:
    """Return what the stores have, and what the target has.

    Raises:
        UserError: if the target is a file, the stores have no run, or two records of one run differ.
    """
    if target.exists() and not target.is_dir():
        raise UserError(
            f"cannot use {target}: it is a file, and this must be a folder: name another place, or move the file away"
        )
    theirs = look_at_runs(*stores)
    if not theirs.runs and not theirs.failures:
        raise nothing_finished(theirs.broken, stores)
    ours = look_at_runs(target) if target.is_dir() else Runs([])
    try:
        refuse_doubled([*ours.runs, *theirs.runs], [*ours.misplaced, *theirs.misplaced])
    except UserError as error:
        raise UserError(f"{error}; nothing was copied") from None
    return theirs, ours


def _completeness(run: Run) -> tuple[int, int]:
    """Return how many of a run's files there are, and their size: predictions without logits are smaller."""
    folder = Path(run.folder)
    sizes = [(folder / name).stat().st_size for name in run.record().files if (folder / name).is_file()]
    return len(sizes), sum(sizes)


def _lacking(folder: Path, place: Path, *, weights: bool) -> list[tuple[Path, Path, str]]:
    """Return the files that a copy can give to a run that is there already: source, place, name.

    Those of the record at that place that are missing or damaged there, and whole in the copy.
    """
    files = read_record(place / RECORD, place.name).files
    names = [name for name in files if weights or name != WEIGHTS]
    return [
        (folder, place, name)
        for name in names
        if damage(place / name, files[name]) and not _damage(folder / name, files[name])
    ]


def _copy_failures(found: Runs, target: Path, done: Collection[str], broken: list[str]) -> int:
    """Copy why runs failed that are not done, to places where nothing is known of the run; return how many.

    Without their checkpoints, which are bound to their store, and without traceback and log, which name folders of the
    machine. Runs that were cancelled have no reason but that somebody did so.
    """
    copied = 0
    for failure, folder in zip(found.failures, found.failed, strict=True):
        place = run_folder(target, failure.task, failure.model, failure.run_id)
        content = {**failure.model_dump(mode="json"), "traceback": None, "log": []}
        is_free = not place.exists() or (place.is_dir() and not any(place.iterdir()))
        if failure.status != "cancelled" and failure.run_id not in done and is_free:
            fill_folder(place, partial(_write_failure, content))
            _add_tags(place, Path(folder), broken)
            copied += 1
    return copied


def _write_failure(content: Mapping[str, Any], folder: Path) -> None:
    write_json(folder / FAILURE, content)


def _unite_tags(runs: Sequence[Run], places: Mapping[str, Path], broken: list[str]) -> None:
    """Give the copy of each run the tags and notes that it has anywhere.

    Args:
        runs: all that were found; of those whose file of tags is broken the index has said so.
        places: folder of the copy by run id.
        broken: a line is added for each run whose tags could not be given to its copy.
    """
    for run in runs:
        if run.tags_stamp and run.run_id in places:
            _add_tags(places[run.run_id], Path(run.folder), broken)


def _add_tags(place: Path, folder: Path, broken: list[str]) -> None:
    """Give a copy the tags and notes of a run's folder; what is wrong with them must not end a merge half-way."""
    try:
        add_tags(place, read_tags(folder))
    except UserError as error:
        broken.append(f"{error}; {place} has no tags and notes from {folder}")


def pack(stores: Sequence[Path], archive: Path, *, weights: bool = True, logits: bool = True) -> Merged:
    """Write all finished runs of some stores into one archive (``.tar.gz``); the same runs give the same bytes.

    Args:
        stores: stores to read.
        archive: file to create.
        weights: as for `merge`.
        logits: as for `merge`.

    Returns:
        What was copied into the archive.

    Raises:
        UserError: as `merge`; or if there is no finished run, the archive exists, or its name has another ending.
    """
    remove_orphans(archive.parent)
    if archive.exists():
        raise UserError(f"{archive} exists already; name another file")
    if not archive.name.endswith((".tar.gz", ".tgz")):
        raise UserError(f"{archive}: name a file that ends with .tar.gz or .tgz")
    archive.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(archive) as scratch:
        merged = merge(stores, scratch, weights=weights, logits=logits)
        if not merged.copied:
            raise nothing_finished(merged.broken, stores, look_at_runs(*stores).failures)
        with whole_file(archive, first_wins=True) as aside:
            _write_tar(scratch, aside)
    return merged


def unpack_into(archive: Path, target: Path, unpack: Unpack) -> Merged:
    """Add the runs of an archive that `pack` wrote to a store.

    Args:
        archive: the archive, which is not trusted.
        target: store to add to, created if necessary.
        unpack: `nacbench.data.mirror.unpack.unpack`, which refuses unsafe members (links, paths outside the folder).

    Raises:
        UserError: as `merge`; or if the archive is damaged, unsafe, or holds no finished run.
    """
    if archive.is_dir():
        raise UserError(
            f"{archive} is a folder; add the runs of a folder with: nacbench merge {archive} --into {target}"
        )
    if not archive.is_file():
        raise UserError(f"there is no file {archive}")
    made = [place for place in (target, *target.parents) if not place.exists()]
    target.mkdir(parents=True, exist_ok=True)
    try:
        with scratch_folder(target / "unpacking") as scratch:
            unpack(archive, scratch)
            try:
                merged = merge([scratch], target)
            except UserError as error:
                raise UserError(_inside(archive, scratch, str(error))) from None
    except BaseException:
        for place in made:  # an empty folder would look like runs that were unpacked
            with suppress(OSError):
                place.rmdir()
        raise
    broken = [_inside(archive, scratch, line) for line in merged.broken]
    if not merged.copied + merged.there:
        raise nothing_finished(broken, [archive])
    return replace(merged, broken=broken)


def _inside(archive: Path, scratch: Path, text: str) -> str:
    """Return what is told of unpacked files with their places in the archive: the others are gone when it is read."""
    for place in (absolute(scratch), str(scratch)):
        text = text.replace(place, str(archive))
    return text


def _place_for(run: Run, target: Path) -> Path:
    """Return the folder that a run is copied to; what is there without a whole record is set aside.

    Raises:
        UserError: if its names are not those of folders, or there is a record of a newer version.
    """
    place = run_folder(target, run.task, run.model, run.run_id)
    with suppress(BrokenFileError):
        finished(place)
    return place


def _damaged(folder: Path, record: RunRecord, *, weights: bool) -> list[str]:
    """Return a sentence for each file that does not match the record. Weights may be missing: copies can omit them."""
    needed = [name for name in record.files if name != WEIGHTS or (weights and (folder / name).exists())]
    found = [_damage(folder / name, record.files.get(name)) for name in (RECORD, *needed)]
    return [problem for problem in found if problem]


def _damage(path: Path, digest: str | None) -> str | None:
    if path.is_symlink() or (path.parent.is_symlink() and path.parent.name == Path(WEIGHTS).parent.name):
        return f"{path} is reached by a link, and links in a run's folder are not copied"
    return damage(path, digest)


def _copy(folder: Path, place: Path, broken: list[str], *, weights: bool, logits: bool) -> None:
    """Copy a run's folder atomically; a folder without a usable record at its place is set aside."""
    from nacbench.recording.store import set_aside

    def fill(aside: Path) -> None:
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder)
            passing = inside.parts[0] in PASSING or any(part.startswith(".") for part in inside.parts)
            if passing or path.is_symlink() or not path.is_file() or (str(inside) == WEIGHTS and not weights):
                continue
            (aside / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, aside / inside, follow_symlinks=False)
        if not logits:
            leave_logits_out(aside)
        read_record(aside / RECORD, place.name)

    if place.is_dir() and [path.name for path in place.iterdir()] == [FAILURE]:
        shutil.rmtree(place)  # the copy of a failure, of a run that has been finished since
    before = set_aside(place)
    fill_folder(place, fill)
    if before is not None:
        _add_tags(place, before, broken)


def _write_tar(folder: Path, archive: Path) -> None:
    import gzip

    # mtime=0 and sorted members: the bytes depend on the runs alone, so that archives can be compared by digest
    with (
        archive.open("wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            member = tarfile.TarInfo(str(path.relative_to(folder)))  # no owner and no time, for reproducible bytes
            member.size = path.stat().st_size
            with path.open("rb") as content:
                tar.addfile(member, content)
