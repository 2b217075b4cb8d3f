"""``nacbench data``: bring data to this machine before jobs without a network need it, and look after it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nacbench.cli.shared.needs import NOTHING_TO_FETCH, for_task, needed, what_is_missing, with_sources
from nacbench.cli.shared.options import DataRoot, Json, Plugins, complete_task, data_root_of, load_plugins
from nacbench.errors import UserError

if TYPE_CHECKING:
    from nacbench.contracts.task import DataSource, Task

app = typer.Typer(no_args_is_help=True, help="Bring data to this machine, and look after it.")

OneTask = Annotated[str, typer.Argument(metavar="TASK", autocompletion=complete_task, help="See: nacbench tasks.")]
SomeTasks = Annotated[
    list[str], typer.Argument(metavar="TASK…", autocompletion=complete_task, help="See: nacbench tasks.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="An option of the task, such as task.data=lra; can be given again."
    ),
]
GOOD, WRONG, MISSING = 0, 1, 2  # exit codes of verify


@app.callback()
def _group() -> None:
    pass


@app.command("list")
def list_(as_json: Json = False, data_root: DataRoot = None, plugin: Plugins = None) -> None:
    """List the data of every task: where it belongs, whether it is there, and how much there is."""
    from nacbench.cli.shared.tables import print_table, size_text
    from nacbench.registry import TASKS

    load_plugins(plugin)
    root = data_root_of(data_root)
    rows: list[dict[str, Any]] = []
    broken: dict[str, str] = {}
    for name in TASKS.entries():
        try:
            tasks = with_sources(name)
        except UserError as error:
            broken[name] = str(error)
        else:
            rows += _rows(name, tasks, root)
    if as_json:
        typer.echo(json.dumps({"data_root": str(root), "data": rows, "broken": broken}, indent=2))
        return
    shown = [
        [
            row["task"],
            row["source"] or "—",
            _inside(row["place"], root),
            row["state"],
            size_text(row["bytes"]) if row["bytes"] else "—",
        ]
        for row in rows
    ]
    print_table(["task", "source", "place", "state", "on disk"], shown, right={4})
    typer.echo(f"Places are in {root}. What would bring something: nacbench data where TASK")
    for reason in broken.values():
        typer.echo(f"warning: {reason}", err=True)


@app.command()
def fetch(tasks: SomeTasks, data_root: DataRoot = None, settings: Settings = None, plugin: Plugins = None) -> None:
    """Fetch the data of tasks into the mirror and decode it into the cache: on a cluster, do it on the login node.

    A task that takes its network from another task's run needs that task's data too.
    """
    load_plugins(plugin)
    root = data_root_of(data_root, new=True)
    for name, task in _chosen(tasks, settings).items():
        sources = task.sources()
        for source in sources:
            _fetch(name, source, root)
        task.prepare(root)
        if not sources:
            typer.echo(f"{name}: {NOTHING_TO_FETCH}")
        typer.echo(f"{name}: ready, fingerprint {task.fingerprint(root)}")


@app.command()
def verify(tasks: SomeTasks, data_root: DataRoot = None, settings: Settings = None, plugin: Plugins = None) -> None:
    """Check the data of tasks against the checksums that were taken when it came.

    Exit with 1 if anything is damaged or changed, else with 2 if anything is not there.
    """
    load_plugins(plugin)
    root = data_root_of(data_root)
    chosen = _chosen(tasks, settings)
    outcomes: list[tuple[DataSource, tuple[str, int]]] = []
    for name, task in chosen.items():
        if not task.sources():
            typer.echo(f"{name}: {NOTHING_TO_FETCH}")
        for source in task.sources():
            known = [outcome for other, outcome in outcomes if other == source]
            outcomes.append((source, known[0] if known else _verified(source, root)))
            text, code = outcomes[-1][1]
            if code == GOOD:
                typer.echo(f"{name}: {source}: {text}")
            else:
                typer.echo(f"error: {name}: {for_task(text, name)}", err=True)
    codes = {code for _, (_, code) in outcomes}
    if codes - {GOOD}:
        raise typer.Exit(WRONG if WRONG in codes else MISSING)


@app.command("import")
def import_(
    task: OneTask,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="An archive, or a folder.")],
    data_root: DataRoot = None,
    settings: Settings = None,
    plugin: Plugins = None,
) -> None:
    """Put data that you have got yourself into the mirror, whole; your own files stay as they are."""
    load_plugins(plugin)
    root = data_root_of(data_root, new=True)
    sources = needed(reversed(with_sources(task, settings or ()).values()))
    if not sources:
        raise UserError(f"{task}: {NOTHING_TO_FETCH}")
    wanting = [source for source in sources if source.missing(root)]
    if not wanting:
        places = " and ".join(str(source.place(root)) for source in sources)
        raise UserError(f"{task}: all its data is there already, in {places}; remove what you want to replace first")
    refusals = []
    for source in wanting:
        try:
            source.bring(root, path)
        except UserError as error:
            refusals.append(str(error))
        else:
            typer.echo(f"{task}: {source} is now in {source.place(root)}")
            return
    raise UserError("; ".join(dict.fromkeys(refusals)))


@app.command()
def where(task: OneTask, data_root: DataRoot = None, settings: Settings = None, plugin: Plugins = None) -> None:
    """Print the folders of a task's data, the files that are looked for there, and what would bring missing ones."""
    load_plugins(plugin)
    root = data_root_of(data_root)
    sources = needed(with_sources(task, settings or ()).values())
    if not sources:
        typer.echo(f"{task}: {NOTHING_TO_FETCH}")
    for source in sources:
        missing = source.missing(root)
        typer.echo(f"{source.place(root)}  ({'missing' if missing else 'ready'})")
        for pattern in getattr(source, "needs", ()):
            typer.echo(f"  {pattern}")
        if missing:
            typer.echo(f"  {for_task(missing, task)}")


def _chosen(names: list[str], settings: list[str] | None) -> "dict[str, Task]":
    """The tasks by name, each after the one that it takes its network from."""
    chosen: dict[str, Task] = {}
    for name in names:
        chosen |= with_sources(name, settings or ())
    return chosen


def _fetch(name: str, source: "DataSource", root: Path) -> None:
    """Fetch one source of a task unless it is there."""
    place = source.place(root)
    if source.missing(root) is None:
        typer.echo(f"{name}: {source} is there already, in {place}")
        return
    typer.echo(f"{name}: fetching {source} into {place}")
    try:
        source.fetch(root)
    except UserError as error:
        raise UserError(for_task(str(error), name)) from error


def _rows(name: str, tasks: "dict[str, Task]", root: Path) -> list[dict[str, Any]]:
    """One row for each source of a task."""
    rows = []
    for source in needed(tasks.values()):
        missing = source.missing(root)
        place = source.place(root)
        state = "missing" if missing else "ready"
        rows.append(
            {
                "task": name,
                "source": str(source),
                "place": str(place),
                "state": state,
                "bytes": _bytes(place),
                "missing": missing and for_task(missing, name),
            }
        )
    if rows:
        return rows
    missing = what_is_missing(tasks.values(), root)
    state = "missing" if missing else "always available"
    return [{"task": name, "source": None, "place": None, "state": state, "bytes": None, "missing": missing}]


def _bytes(place: Path) -> int:
    from nacbench.data.mirror.manifest import files_in, read_manifest

    try:
        manifest = read_manifest(place)
    except UserError:
        manifest = None  # `verify` will complain
    return manifest.size if manifest else sum(file.stat().st_size for file in files_in(place) if file.is_file())


def _inside(place: str | None, root: Path) -> str:
    if place is None:
        return "—"
    path = Path(place)
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _verified(source: "DataSource", root: Path) -> tuple[str, int]:
    """What was checked or what is wrong, and the exit code for it."""
    missing = source.missing(root)
    if missing:
        return missing, MISSING
    try:
        return source.verify(root), GOOD
    except UserError as error:
        return str(error), WRONG
