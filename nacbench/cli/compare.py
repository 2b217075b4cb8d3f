"""``nacbench compare``: compare two models or runs on a task, with paired tests."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from nacbench.cli.shared.choice import OnlyModels, OnlyTasks, Where
from nacbench.cli.shared.completion import complete_metric
from nacbench.cli.shared.options import Json, Plugins, load_plugins
from nacbench.cli.shared.tuned import ChoiceFiles, choices_of
from nacbench.cli.shared.warnings import warn
from nacbench.formats.terminal import say, say_json


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="A model's name, its label in a table, or a run's id.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another one, named in the same way.")],
    metric: Annotated[
        str | None,
        typer.Option(
            autocompletion=complete_metric, help="Compare by another metric than the task's main one, such as nll."
        ),
    ] = None,
    scale: Annotated[str | None, typer.Option(help="The scale, if there are runs of several.")] = None,
    out: Annotated[
        list[Path] | None, typer.Option(metavar="FOLDER", help="Folders of runs.  [dim]\\[runs][/dim]")
    ] = None,
    choices: ChoiceFiles = None,
    task: OnlyTasks = None,
    model: OnlyModels = None,
    where: Where = None,
    plugin: Plugins = None,
    as_json: Json = False,
) -> None:
    """Compare two models, or two runs, on a task: paired by seed, and on the same test examples.

    Name the task with --task, if both have runs of several. A model's plain name is the variant with its default
    options; another one is named by its label in a table, such as "nac, depth=4", or chosen with --where.

    The last line is the conclusion in words. It says in what the two differ besides the model, if they do.
    """
    from nacbench.recording.choice import Choice
    from nacbench.reporting.comparing import compare_in

    load_plugins(plugin)
    choice = Choice(task or (), model or (), where or ())
    stores = out or [Path("runs")]
    comparison = compare_in(stores, a, b, choice, metric=metric, scale=scale, tuned=choices_of(choices))
    warn(comparison.warnings)
    if as_json:
        say_json({**comparison.as_dict(), "chosen": str(choice)})
    else:
        say(*replace(choice, tasks=()).notes(), *comparison.lines())
