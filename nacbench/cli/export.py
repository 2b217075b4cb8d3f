"""``nacbench export``: give finished runs to other tools, in the form that these read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from nacbench.cli.shared.options import Plugins, load_plugins
from nacbench.errors import UserError, unknown
from nacbench.formats.terminal import say


@dataclass(frozen=True)
class Request:
    """What to export.

    Attributes:
        runs: folders of finished runs.
        into: folder that receives it.
        push: repository on the Hugging Face hub; None to push nothing.
        force: replace an earlier export of the same run.
    """

    runs: list[Path]
    into: Path
    push: str | None
    force: bool


def export(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN…", help="Folders of runs, ids of runs, or folders with many runs.")
    ],
    to: Annotated[str, typer.Option("--to", metavar="hub-folder", help="Form to export to.")],
    into: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder that receives it.")] = Path("exported"),
    push: Annotated[
        str | None,
        typer.Option(
            metavar="OWNER/NAME",
            help="Also upload it to this repository of the Hugging Face hub, with your own login; one run at a time. "
            "A new repository is private.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier export of the same run.")] = False,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where ids are looked up.")] = Path("runs"),
    plugin: Plugins = None,
) -> None:
    """Export finished runs for other tools.

    hub-folder makes a folder for each run that can be pushed to the Hugging Face hub: weights, settings, record and
    model card. nacbench run --init-from and load() in Python read it.
    """
    from nacbench.recording.store import locate
    from nacbench.running.repeat import find_runs

    load_plugins(plugin)
    if to not in EXPORTS:
        raise unknown("--to", to, EXPORTS)
    found, broken = find_runs([str(locate(name, out)) for name in runs], out)
    for line in broken:
        say(f"warning: {line}", err=True)
    for line in EXPORTS[to](Request([Path(run.folder) for run in found], into, push, force)):
        say(line)


def _hub_folder(request: Request) -> Iterator[str]:
    from nacbench.publishing.hub_folder import export_run
    from nacbench.publishing.push import check_push, push

    if request.push is not None:
        if len(request.runs) > 1:
            raise UserError(f"--push {request.push}: a repository holds one run, not {len(request.runs)}; name one")
        check_push(request.push)
    for folder in request.runs:
        made = export_run(folder, request.into, force=request.force)
        yield f"{made.path}{' (was there already, and is the same)' if made.was_there else ''}"
        if request.push is not None:
            yield push(made.path, request.push)


# By the name after --to
EXPORTS: Mapping[str, Callable[[Request], Iterator[str]]] = {"hub-folder": _hub_folder}
