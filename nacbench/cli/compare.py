"""``nacbench compare``: compare two models or runs on a task, with paired tests."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from nacbench.cli.shared.choice import OnlyModels, OnlyTasks, Where
from nacbench.cli.shared.options import Json, Plugins, load_plugins
from nacbench.cli.shared.tuned import ChoiceFiles, choices_of
from nacbench.cli.shared.warnings import warn
from nacbench.formats.terminal import say, say_json

NUMBERS = ("value", "half_width", "p", "deviation", "count")


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="A model's name, its label in a table, or a run's id.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another one, named in the same way.")],
    metric: Annotated[
        str | None, typer.Option(help="Compare by another metric than the task's main one, such as nll.")
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

    Name the task with --task, if there are runs of several. A model's plain name is the variant with its default
    options; another one is named by its label in a table, such as "nac, depth=4", or chosen with --where.

    The last line is the conclusion in words. It says in what the two differ besides the model, if they do.
    """
    from nacbench.recording.choice import Choice
    from nacbench.recording.index import nothing_finished, read_runs
    from nacbench.reporting.comparison import compare as make
    from nacbench.reporting.comparison import only_task
    from nacbench.reporting.rescored import rescored

    load_plugins(plugin)
    stores = out or [Path("runs")]
    found = read_runs(*stores)
    warn(found.broken)
    choice = Choice(task or (), model or (), where or ())
    if not found.runs:
        raise nothing_finished(found.broken, stores)
    found = choice.of(found)
    own = only_task(found.runs)
    if metric is not None:
        found, left_out = rescored(found, metric)
        warn(left_out)
    comparison = make(found, a, b, own, scale, choices_of(choices))
    warn(comparison.warnings)
    if not as_json:
        say(*replace(choice, tasks=()).notes(), *comparison.lines())
        return
    difference = comparison.difference
    content: dict[str, Any] = {
        "task": comparison.first.first.task,
        "scale": comparison.first.first.scale,
        "metric": comparison.first.first.metric,
        "better": comparison.first.measure.better,
        "a": comparison.first.label,
        "b": comparison.second.label,
        "runs": [[run.run_id for run in item.runs] for item in (comparison.first, comparison.second)],
        "difference": difference
        and {k: _number(getattr(difference, k)) for k in ("value", "half_width", "p", "count")},
        "anytime_valid": bool(difference and difference.looks),
        "examples": [{**vars(on), "interval": list(on.interval)} for on in comparison.examples],
        "treatment": {name: [one[name] for one in comparison.treatment] for name in comparison.treatment[0]},
        "chosen": str(choice),
        "verdict": comparison.verdict,
    }
    say_json(content)


def _number(value: float) -> float | None:
    return None if value != value else value  # JSON has no NaN
