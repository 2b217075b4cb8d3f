"""``nacbench export``: hand finished runs over to other tools."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from nacbench.cli.shared.choice import OnlyModels, OnlyTasks, Where
from nacbench.cli.shared.completion import complete_run, quietly
from nacbench.cli.shared.options import Plugins, load_plugins
from nacbench.cli.shared.tables import counted
from nacbench.cli.shared.warnings import warn
from nacbench.errors import UserError, unknown
from nacbench.formats.terminal import say

# What does an export: it gets the folders of finished runs and the folder to write to (None: its own default, which is
# each run's folder for trackers), and yields for each run the place where it is found, or what is wrong with the run
Exporter = Callable[[Sequence[Path], Path | None], Iterator[Path | UserError]]

HUB = "hub-folder"
USUAL = {HUB: Path("hub")}  # where is written without --into, by the name after --to
SHOWN = 3  # runs that were not exported of which the message says why


def exporters(push: str | None = None, *, force: bool = False) -> Mapping[str, Exporter]:
    """Return what can be written after ``--to``, and what does it.

    Args:
        push: repository of the Hugging Face hub that a folder for it is uploaded to.
        force: replace another export of the same run, in a folder for the hub.
    """
    from nacbench.tracking.finished import export_runs
    from nacbench.tracking.known import TRACKERS

    own = {name: partial(export_runs, name) for name in TRACKERS.entries()}
    return {**own, HUB: partial(_hub_folders, push=push, force=force)}


@quietly
def complete_to(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """Propose names after ``--to``."""
    return exporters()


def export(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN…", autocompletion=complete_run, help="Runs by folder or id, or folders of runs."),
    ],
    to: Annotated[
        str,
        typer.Option(
            metavar="NAME", autocompletion=complete_to, help="tensorboard, trackio, wandb, mlflow or hub-folder."
        ),
    ],
    into: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where to write.  [dim]\\[default: each run's own folder; hub for hub-folder][/dim]",
        ),
    ] = None,
    push: Annotated[
        str | None,
        typer.Option(
            metavar="OWNER/NAME",
            help="hub-folder: upload it to this repository of the Hugging Face hub, too, with your own login; "
            "one run at a time. A new repository is private.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="hub-folder: replace another export of the same run, such as an edited one.")
    ] = False,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where ids are looked up.")] = Path("runs"),
    task: OnlyTasks = None,
    model: OnlyModels = None,
    where: Where = None,
    plugin: Plugins = None,
) -> None:
    """Hand finished runs over to another tool.

    Trackers get learning curves, settings, metrics and costs, the same as nacbench run --log writes while it computes;
    what was there of a run is replaced.

    hub-folder makes a folder for each run that can be pushed to the Hugging Face hub: weights, settings, record and
    model card. nacbench run --init-from and load() in Python take it.
    """
    from nacbench.recording.choice import Choice
    from nacbench.recording.index import nothing_finished, read_runs
    from nacbench.recording.locate import locate

    load_plugins(plugin)
    known = exporters(push, force=force)
    if to not in known:
        raise unknown("name after --to", to, known)
    if to != HUB and (push is not None or force):
        option = "--force" if push is None else "--push"
        raise UserError(f"{option} is for --to {HUB}, not for --to {to}; leave it out")
    folders = [locate(name, out) for name in runs]
    found = Choice(task or (), model or (), where or ()).of(read_runs(*folders))
    warn(found.broken)
    if not found.runs:
        raise nothing_finished(found.broken, folders)
    into = into or USUAL.get(to)
    places: list[Path] = []
    wrong: list[UserError] = []
    for made in known[to]([Path(run.folder) for run in found.runs], into):
        if isinstance(made, UserError):
            wrong.append(made)
        else:
            places.append(made)
    if places:
        at = places[0] if len(set(places)) == 1 else into or "each in its run's folder"
        say(f"{counted(len(places), 'run')} exported to {to}: {at}")
    if wrong:
        raise _not_exported(wrong, len(found.runs))


def _not_exported(wrong: Sequence[UserError], runs: int) -> UserError:
    """Return what is said of runs that were not exported; the others were.

    Args:
        wrong: with each of them.
        runs: number of all.
    """
    if runs == 1:
        return wrong[0]
    more = f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    return UserError(f"{len(wrong)} of {runs} runs were not exported: {'; '.join(map(str, wrong[:SHOWN]))}{more}")


def _hub_folders(
    runs: Sequence[Path], into: Path | None, *, push: str | None, force: bool
) -> Iterator[Path | UserError]:
    from nacbench.publishing.hub_folder import export_run
    from nacbench.publishing.push import check_push
    from nacbench.publishing.push import push as upload

    if push is not None:
        if len(runs) > 1:
            raise UserError(f"--push {push}: a repository holds one run, and these are {len(runs)}; name one")
        check_push(push)
    for folder in runs:
        # whoever pushes has edited the card before, as it does not know the licence
        try:
            made = export_run(folder, into or USUAL[HUB], force=force, keep_card=push is not None)
        except UserError as error:
            yield error
            continue
        there = ", but for its card, which stays as it is" if made.has_own_card else ""
        say(f"{made.path}{f': the same was there already{there}' if made.was_there else ''}")
        if push is not None:
            say(upload(made.path, push))
        yield made.path
