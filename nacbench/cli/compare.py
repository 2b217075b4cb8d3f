"""``nacbench compare``: compare two models or runs on a task, with paired tests."""

from pathlib import Path
from typing import Annotated, Any

import typer

from nacbench.cli.shared.options import Json, Plugins, complete_task, load_plugins
from nacbench.cli.shared.warnings import warn
from nacbench.formats.terminal import say, say_json

NUMBERS = ("value", "half_width", "p", "deviation", "count")


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="A model's name, its label in a table, or a run's id.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another one, named in the same way.")],
    task: Annotated[str, typer.Option(autocompletion=complete_task, help="The task to compare on.")],
    metric: Annotated[
        str | None, typer.Option(help="Compare by another metric than the task's main one, such as nll.")
    ] = None,
    scale: Annotated[str | None, typer.Option(help="The scale, if there are runs of several.")] = None,
    out: Annotated[
        list[Path] | None, typer.Option(metavar="FOLDER", help="Folders of runs.  [dim]\\[runs][/dim]")
    ] = None,
    plugin: Plugins = None,
    as_json: Json = False,
) -> None:
    """Compare two models, or two runs, on a task: paired by seed, and on the same test examples.

    The last line is the conclusion in words.
    """
    from nacbench.recording.index import read_runs
    from nacbench.reporting.comparison import compare as make
    from nacbench.reporting.rescored import of_task, rescored

    load_plugins(plugin)
    found = read_runs(*(out or [Path("runs")]))
    warn(found.broken)
    if metric is not None:
        found, left_out = rescored(of_task(found, task), metric)
        warn(left_out)
    comparison = make(found, a, b, task, scale)
    warn(comparison.warnings)
    if not as_json:
        say(*comparison.lines())
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
        "examples": [{**vars(on), "interval": list(on.interval)} for on in comparison.examples],
        "verdict": comparison.verdict,
    }
    say_json(content)


def _number(value: float) -> float | None:
    return None if value != value else value  # JSON has no NaN
