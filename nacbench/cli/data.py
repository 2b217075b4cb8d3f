"""``nacbench data``: fetch, import, verify and list data sets.

Data is fetched by a command of its own, as nodes of a cluster often have no network.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nacbench.cli.shared.completion import complete_setting, complete_task
from nacbench.cli.shared.needs import (
    NOTHING_TO_FETCH,
    by_setting,
    for_task,
    with_trained_on,
)
from nacbench.cli.shared.options import DataRoot, Json, Plugins, data_root_of, load_plugins
from nacbench.contracts.given import checked_data_files
from nacbench.errors import UserError
from nacbench.formats.terminal import say, say_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nacbench.contracts.task import AnyTask, DataFiles

app = typer.Typer(no_args_is_help=True, help="Fetch, import, verify and list data sets.")

OneTask = Annotated[str, typer.Argument(metavar="TASK", autocompletion=complete_task, help="See: nacbench tasks.")]
SomeTasks = Annotated[
    list[str], typer.Argument(metavar="TASK…", autocompletion=complete_task, help="See: nacbench tasks.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        autocompletion=complete_setting,
        help="An option of the task, such as task.data=lra; can be given again.",
    ),
]
MaybeTasks = Annotated[
    list[str] | None, typer.Argument(metavar="TASK…", autocompletion=complete_task, help="See: nacbench tasks.")
]
Cache = Annotated[bool, typer.Option("--cache", help="Also compare decoded copies with their fingerprints.")]
Link = Annotated[bool, typer.Option("--link", help="Make links to files that are taken as they are, not copies.")]
GOOD, WRONG, MISSING = 0, 1, 2  # exit codes of `verify`


@app.callback()
def _group() -> None:
    pass


@app.command("list")
def list_(as_json: Json = False, data_root: DataRoot = None, plugin: Plugins = None) -> None:
    """List the data of every task: its folder, whether it is there, and its size."""
    from nacbench.cli.shared.broken import noted
    from nacbench.cli.shared.data_rows import called, inside, rows_of
    from nacbench.cli.shared.tables import print_table, size_text
    from nacbench.registry import TASKS

    load_plugins(plugin)
    root = data_root_of(data_root)
    rows: list[dict[str, Any]] = []
    broken: dict[str, str] = {}
    for name in TASKS.entries():
        with noted(TASKS, name, broken):
            rows += rows_of(name, root)
    if as_json:
        say_json({"data_root": str(root), "data": rows, "broken": broken})
        return
    shown = [
        [
            called(row),
            row["files"] or "—",
            inside(row["place"], root),
            row["state"],
            size_text(row["bytes"]) if row["bytes"] else "—",
        ]
        for row in rows
    ]
    print_table(["task", "files", "place", "state", "on disk"], shown, right={4})
    say(f"Places are in {root}. How to get missing data: nacbench data where TASK")
    for reason in broken.values():
        say(f"warning: {reason}", err=True)


@app.command()
def fetch(tasks: SomeTasks, data_root: DataRoot = None, settings: Settings = None, plugin: Plugins = None) -> None:
    """Fetch the data of tasks into the mirror and decode it into the cache. On a cluster, run this on the login node.

    For a task that scores another task's network, that task's data is fetched, too.
    """
    load_plugins(plugin)
    root = data_root_of(data_root, new=True)
    for name, task in _chosen(tasks, settings).items():
        all_files = checked_data_files(task, task.data_files())
        for files in all_files:
            _fetch(name, files, root, settings or () if name in tasks else ())
        task.prepare(root)
        if not all_files:
            say(f"{name}: {NOTHING_TO_FETCH}")
        say(f"{name}: ready, fingerprint {task.fingerprint(root)}")
        for setting, files in by_setting(name, settings or ()) if name in tasks else ():
            if setting and files.missing(root):
                say(f"{name}: not fetched: {files}, which is used with --set {setting}")


@app.command()
def verify(
    tasks: MaybeTasks = None,
    cache: Cache = False,
    data_root: DataRoot = None,
    settings: Settings = None,
    plugin: Plugins = None,
) -> None:
    """Check the data of tasks against the SHA-256 checksums that were recorded when it was fetched or imported.

    With --cache, compare all decoded copies in the cache with their fingerprints, too, and remove broken ones.

    The exit code is 1 if anything is damaged or changed, otherwise 2 if anything is missing.
    """
    load_plugins(plugin)
    root = data_root_of(data_root)
    if not (tasks or cache):
        raise UserError("name a task, or say --cache to check the decoded copies of all")
    codes = {*_verified_copies()} if cache else set()
    codes |= _verified_files(tasks or [], settings or (), root)
    if codes - {GOOD}:
        raise typer.Exit(WRONG if WRONG in codes else MISSING)


def _verified_copies() -> "Iterator[int]":
    """Print a line for each decoded copy, and yield its exit code."""
    from nacbench.cli.shared.tables import counted
    from nacbench.data.mirror.cache import compared_copies
    from nacbench.data.mirror.places import cache_folder

    count = 0
    for copy in compared_copies():
        count += 1
        if copy.wrong:
            say(f"error: cache: {copy.wrong}; removed, it is made again when it is needed", err=True)
            yield WRONG
        elif copy.is_old:
            say(f"cache: {copy.folder.name}: of an earlier version of nacbench, which nothing reads; removed")
        else:
            say(f"cache: {copy.folder.name}: as it was made")
    say(f"cache: compared {counted(count, 'folder')} in {cache_folder()}")


def _verified_files(names: "Sequence[str]", settings: "Sequence[str]", root: Path) -> set[int]:
    """Print a line for the files of each task, and return the exit codes."""
    outcomes: list[tuple[DataFiles, tuple[str, int]]] = []
    for name, own, files in _to_verify(names, settings, root):
        known = [outcome for other, outcome in outcomes if other == files]  # checksums of shared files: once
        outcomes.append((files, known[0] if known else _verified(files, root)))
        text, code = outcomes[-1][1]
        if code == GOOD:
            say(f"{name}: {files}: {text}")
        else:
            say(f"error: {name}: {for_task(text, name, own)}", err=True)
    return {code for _, (_, code) in outcomes}


def _to_verify(
    names: "Sequence[str]", settings: "Sequence[str]", root: Path
) -> "Iterator[tuple[str, Sequence[str], DataFiles]]":
    """Yield name, settings and data files of each task, then what is there of other choices of named tasks."""
    for name, task in _chosen(names, settings).items():
        own = settings if name in names else ()
        all_files = checked_data_files(task, task.data_files())
        others = [(setting, files) for setting, files in by_setting(name, own) if setting and name in names]
        there = [(setting, files) for setting, files in others if _has_something(files.place(root))]
        if not (all_files or there):
            say(f"{name}: {NOTHING_TO_FETCH}")
        for files in all_files:
            yield name, own, files
        for setting, files in there:
            yield name, [*own, setting], files


def _has_something(place: Path) -> bool:
    return place.is_dir() and next(place.iterdir(), None) is not None


@app.command("import")
def import_(
    task: OneTask,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH…", help="Folders, archives and files.")],
    link: Link = False,
    data_root: DataRoot = None,
    settings: Settings = None,
    plugin: Plugins = None,
) -> None:
    """Take data that you have into the mirror, all or nothing; your own files are not changed.

    It is recognised by the names of its files. The forms that are taken are listed by: nacbench data where TASK
    """
    from nacbench.cli.shared.imports import imported, tell

    load_plugins(plugin)
    root = data_root_of(data_root, new=True)
    given = settings or ()
    known = list(by_setting(task, given))
    if not known:
        raise UserError(f"{task}: {NOTHING_TO_FETCH}")
    tell(task, [imported(task, given, files, setting, root, paths, link) for setting, files in known], root)


@app.command()
def where(task: OneTask, data_root: DataRoot = None, settings: Settings = None, plugin: Plugins = None) -> None:
    """Print the folders of a task's data, the files that are expected there, and how to get missing ones."""
    load_plugins(plugin)
    root = data_root_of(data_root)
    known = list(by_setting(task, settings or ()))
    if all(setting for setting, _ in known):
        say(f"{task}: {NOTHING_TO_FETCH}")
    for setting, files in known:
        missing = files.missing(root)
        use = f", used with --set {setting}" if setting else ""
        say(f"{files.place(root)}  ({'missing' if missing else 'ready'}{use})")
        for pattern in getattr(files, "needs", ()):
            say(f"  {pattern}")
        for title in _forms(files):
            say(f"  taken: {title}")
        if missing:
            say(f"  {for_task(missing, task, [*(settings or ()), *filter(None, [setting])])}")


def _forms(files: "DataFiles") -> list[str]:
    """Return the forms in which an import takes these files."""
    from nacbench.data.mirror.data_files import MirrorFiles

    return [own.title for own in files.data_set().distributions] if isinstance(files, MirrorFiles) else []


def _chosen(names: "Sequence[str]", settings: "Sequence[str] | None") -> "dict[str, AnyTask]":
    """Return the tasks by name, each after the task that trains its network."""
    chosen: dict[str, AnyTask] = {}
    for name in names:
        chosen |= with_trained_on(name, settings or ())
    return chosen


def _fetch(name: str, files: "DataFiles", root: Path, settings: "Sequence[str]") -> None:
    """Fetch files of a task unless they are there."""
    place = files.place(root)
    if files.missing(root) is None:
        say(f"{name}: {files} is there already, in {place}")
        return
    say(f"{name}: fetching {files} into {place}")
    try:
        files.fetch(root)
    except UserError as error:
        raise UserError(for_task(str(error), name, settings)) from error


def _verified(files: "DataFiles", root: Path) -> tuple[str, int]:
    """Return what was checked or what is wrong, and the exit code for it."""
    missing = files.missing(root)
    if missing:
        return missing, MISSING
    try:
        return files.verify(root), GOOD
    except UserError as error:
        return str(error), WRONG
