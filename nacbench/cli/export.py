"""``nacbench export``: hand finished runs over to other tools."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from nacbench.cli.shared.choice import OnlyModels, OnlyTasks, Where
from nacbench.cli.shared.options import Plugins, load_plugins
from nacbench.cli.shared.tables import counted
from nacbench.cli.shared.warnings import warn
from nacbench.errors import unknown
from nacbench.formats.terminal import say

# What does an export: it gets the folders of finished runs and the folder to write to (None: the runs' own folders),
# and yields for each run the place where it is found
Exporter = Callable[[Sequence[Path], Path | None], Iterator[Path]]

TO: Mapping[str, Exporter] = {}


def exporters() -> dict[str, Exporter]:
    """Return what can be written after ``--to``, and what does it."""
    from nacbench.tracking.finished import export_runs
    from nacbench.tracking.known import TRACKERS

    return {**{name: partial(export_runs, name) for name in TRACKERS.entries()}, **TO}


def complete_to(incomplete: str) -> list[str]:
    """Return names after ``--to`` that start with `incomplete`, for shell completion."""
    return [name for name in exporters() if name.startswith(incomplete)]


def export(
    runs: Annotated[list[Path], typer.Argument(metavar="FOLDER…", help="Folders of runs, or of single runs.")],
    to: Annotated[
        str,
        typer.Option(metavar="NAME", autocompletion=complete_to, help="tensorboard, trackio, wandb or mlflow."),
    ],
    into: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where to write.  [dim]\\[default: each run's own folder][/dim]"),
    ] = None,
    task: OnlyTasks = None,
    model: OnlyModels = None,
    where: Where = None,
    plugin: Plugins = None,
) -> None:
    """Hand finished runs over to another tool: their learning curves, settings, metrics and costs.

    What is written equals what nacbench run --log writes while it computes; what was there of a run is replaced.
    """
    from nacbench.recording.choice import Choice
    from nacbench.recording.index import nothing_finished, read_runs

    load_plugins(plugin)
    known = exporters()
    if to not in known:
        raise unknown("name after --to", to, known)
    found = Choice(task or (), model or (), where or ()).of(read_runs(*runs))
    warn(found.broken)
    if not found.runs:
        raise nothing_finished(found.broken, runs)
    places = list(known[to]([Path(run.folder) for run in found.runs], into))
    place = places[0] if len(set(places)) == 1 else into or "each in its run's folder"
    say(f"{counted(len(places), 'run')} exported to {to}: {place}")
