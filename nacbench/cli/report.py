"""``nacbench report``: write tables and figures from finished runs."""

from pathlib import Path
from typing import Annotated

import typer

from nacbench.cli.shared.choice import OnlyModels, OnlyTasks, Where
from nacbench.cli.shared.completion import complete_metric
from nacbench.cli.shared.options import Plugins, load_plugins
from nacbench.cli.shared.tuned import ChoiceFiles, choices_of
from nacbench.cli.shared.warnings import warn
from nacbench.formats.terminal import say, say_text


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="FOLDER…", help="Folders of runs, such as runs/.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the report is written.")] = Path("report"),
    html: Annotated[
        bool, typer.Option("--html", help="Also write index.html: one page that needs no network.")
    ] = False,
    metric: Annotated[
        str | None,
        typer.Option(
            autocompletion=complete_metric,
            help="Score by another metric than the tasks' main ones, such as macro-f1 or nll.",
        ),
    ] = None,
    mixed: Annotated[
        bool, typer.Option("--mixed", help="Show runs of a task together even if code, data or scale differ.")
    ] = False,
    choices: ChoiceFiles = None,
    task: OnlyTasks = None,
    model: OnlyModels = None,
    where: Where = None,
    plugin: Plugins = None,
) -> None:
    """Write tables (table.md, table.tex, and a CSV file for each table) and figures, and print the tables.

    Every value is a mean over seeds with its 95 % t interval. Bold means significantly better than every other row of
    the task that was treated equally. § marks rows that were not, and the notes say in what they differ.
    """
    from nacbench.recording.choice import Choice
    from nacbench.reporting.build import build_report

    load_plugins(plugin)
    choice = Choice(task or (), model or (), where or ())
    built = build_report(runs, out, mixed=mixed, html=html, tuned=choices_of(choices), choice=choice, metric=metric)
    say_text(built.text)
    warn(built.warnings)
    for path in built.files:
        say(str(path))
