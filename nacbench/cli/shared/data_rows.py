"""Rows of ``nacbench data list``: the files of a task, also of its other choices, and whether they are there."""

from pathlib import Path
from typing import Any

from nacbench.cli.shared.needs import by_setting, for_task, needed, what_is_missing, with_trained_on
from nacbench.errors import UserError


def rows_of(name: str, root: Path) -> list[dict[str, Any]]:
    """Return one row for each of a task's `DataFiles`, and for those of its other choices."""
    tasks = with_trained_on(name)
    own = needed(tasks.values())
    others = [(setting, files) for setting, files in by_setting(name) if setting]
    rows: list[dict[str, Any]] = []
    if not own:
        missing = what_is_missing(tasks.values(), root)
        state = "missing" if missing else "always available"
        rows.append(_row(name, state=state, missing=missing))
    for setting, files in [*((None, files) for files in own), *others]:
        missing = files.missing(root)
        place = files.place(root)
        rows.append(
            _row(
                name,
                setting=setting,
                files=str(files),
                place=str(place),
                state="missing" if missing else "ready",
                bytes=_bytes(place),
                missing=missing and for_task(missing, name, [setting] if setting else []),
            )
        )
    return rows


def _row(name: str, **columns: Any) -> dict[str, Any]:
    keys = ("setting", "files", "place", "state", "bytes", "missing")
    return {"task": name, **{key: columns.get(key) for key in keys}}


def called(row: dict[str, Any]) -> str:
    """Return what a row is called: its task, and the setting that makes the task use these files."""
    return f"{row['task']} ({row['setting']})" if row["setting"] else str(row["task"])


def _bytes(place: Path) -> int:
    from nacbench.data.mirror.manifest import files_in, read_manifest

    try:
        manifest = read_manifest(place)
    except UserError:
        manifest = None  # `nacbench data verify` reports a broken manifest
    return manifest.size if manifest else sum(file.stat().st_size for file in files_in(place) if file.is_file())


def inside(place: str | None, root: Path) -> str:
    """Return the path relative to the mirror if it lies in it."""
    if place is None:
        return "—"
    path = Path(place)
    return str(path.relative_to(root) if path.is_relative_to(root) else path)
