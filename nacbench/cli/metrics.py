"""``nacbench metrics``: every metric of finished runs, from their records and kept predictions."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nacbench.cli.shared.completion import complete_run
from nacbench.cli.shared.options import Json, Plugins, load_plugins
from nacbench.cli.shared.tables import print_table
from nacbench.cli.shared.warnings import warn
from nacbench.errors import UserError
from nacbench.formats.terminal import say, say_json

if TYPE_CHECKING:
    from nacbench.recording.row import Run
    from nacbench.reporting.series import Series


def metrics(
    run: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN…", autocompletion=complete_run, help="Folders or ids of runs that differ in their seed."
        ),
    ],
    classes: Annotated[bool, typer.Option("--classes", help="Also print the accuracy of each class.")] = False,
    confusion: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the confusion matrix: FILE.png and FILE.pdf.")
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where runs are kept.")] = Path("runs"),
    plugin: Plugins = None,
    as_json: Json = False,
) -> None:
    """Print every metric of finished runs, means over their seeds: those of the records, and others that are computed
    from the kept predictions, without training again."""
    load_plugins(plugin)
    from nacbench.reporting.figures.confusion import class_rows, draw_confusion
    from nacbench.reporting.figures.saving import figure_stem, save_figure

    stem = figure_stem(confusion) if confusion is not None else None
    runs = _runs(run, out)
    found, lacking = _series(runs)
    by_class = class_rows(runs) if classes else []
    if as_json:
        say_json({"runs": [one.run_id for one in runs], "metrics": list(map(_as_json, found)), "classes": by_class})
    else:
        seeds = f"seed{'s' * (len(runs) > 1)} {', '.join(str(run.seed) for run in runs)}"
        say(f"{runs[0].task_label} · {runs[0].model} · {runs[0].scale} · {seeds}")
        _print(found, by_class)
        warn(lacking)
    if stem is not None:
        figure = draw_confusion(runs, f"{runs[0].task_label} · {runs[0].model}")
        say(*map(str, save_figure(figure, stem)))


def _runs(names: Sequence[str], out: Path) -> "list[Run]":
    """Return the runs of these names, sorted by seed.

    Raises:
        UserError: if one is not finished, or they differ in more than their seed.
    """
    from nacbench.recording.index import nothing_finished, read_runs
    from nacbench.recording.locate import locate

    folders = [locate(name, out) for name in dict.fromkeys(names)]
    for folder in folders:
        alone = read_runs(folder)
        if not alone.runs:
            raise nothing_finished(alone.broken, [folder])
    found = read_runs(*folders)
    warn(found.broken)
    runs = found.runs
    for one in runs:
        if (one.task, one.series) != (runs[0].task, runs[0].series):
            raise UserError(
                f"runs {runs[0].run_id} and {one.run_id} differ in more than their seed: a mean over them says nothing"
            )
    return sorted(runs, key=lambda one: one.seed)


def _series(runs: "Sequence[Run]") -> "tuple[list[Series], list[str]]":
    """Return a series for each metric that all runs have, and lines on those that only some have."""
    from nacbench.reporting.rescored import all_metrics
    from nacbench.reporting.series import group

    by_metric: dict[str, list[Run]] = {}
    lacking: dict[str, None] = {}
    for one in runs:
        found, lines = all_metrics(one)
        lacking |= dict.fromkeys(lines)
        for own in found:
            by_metric.setdefault(own.metric, []).append(own)
    of_all = [own for own in by_metric.values() if len(own) == len(runs)]
    return [item for own in of_all for item in group(own)], list(lacking)


def _print(found: "Sequence[Series]", by_class: Sequence[Mapping[str, float]]) -> None:
    rows = [
        [
            item.measure.name,
            item.measure.with_unit(item.measure.text(item.score)),
            item.measure.direction,
            item.measure.about,
        ]
        for item in found
    ]
    print_table(["metric", "value", "direction", "what it is"], rows, right=(1,))
    if by_class:
        names = ("accuracy", "precision", "f1")
        cells = [
            [f"{row['class']:g}", f"{row['examples']:g}", *(_percent(row[name]) for name in names)] for row in by_class
        ]
        print_table(["class", "examples", *(f"{name} (%)" for name in names)], cells, right=range(5))


def _percent(value: float) -> str:
    from nacbench.contracts.metric import ACCURACY

    return "—" if value != value else ACCURACY.number(value)


def _as_json(item: "Series") -> dict[str, Any]:
    score, measure = item.score, item.measure
    return {
        "name": measure.name,
        "mean": score.value,
        "half_width_95": None if score.half_width != score.half_width else score.half_width,
        "values": {str(run.seed): run.score for run in item.runs},
        "better": measure.better,
        "unit": measure.unit,
        "about": measure.about,
    }
