"""Tell trackers of finished runs, as they would have been told while the runs were computed."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from nacbench.errors import UserError
from nacbench.recording.curve import kept_curve
from nacbench.recording.read_record import read_record
from nacbench.recording.record import RECORD, RunRecord
from nacbench.tracking.known import TRACKERS, check_trackers
from nacbench.tracking.numbers import final_scalars
from nacbench.tracking.session import Session, failure_line
from nacbench.tracking.tracker import About, Place


def export_runs(name: str, folders: Sequence[Path], into: Path | None) -> Iterator[Path | UserError]:
    """Log finished runs in a tracker, in place of what it has of them.

    Args:
        name: of the tracker.
        folders: of the runs.
        into: where it writes; None for a folder in each run's folder.

    Yields:
        For each run the folder that was written to, or what is wrong with the run.

    Raises:
        UserError: if the tracker is unknown, its library is missing, or it fails: the next run would fail, too.
    """
    check_trackers([name])
    for folder in folders:
        try:
            record = read_record(folder / RECORD)
            curve = kept_curve(folder, record.files)
        except UserError as error:
            yield error
            continue
        place = _place(record, folder, name, into)
        session = Session(About.of(record.identity["config"], record.run_id), {name: place}, _raise)
        for point in curve:
            session.row(point.model_dump(exclude_none=True))
        session.finish(final_scalars(record), "finished")
        yield place.folder


def _place(record: RunRecord, folder: Path, name: str, into: Path | None) -> Place:
    if into is None:
        return Place(folder / name)
    shared = TRACKERS.get(name).shares_folder
    return Place(into if shared else into / record.task / record.model / record.run_id, is_chosen=True)


def _raise(name: str, error: Exception) -> None:
    raise UserError(failure_line(name, error)) from error
