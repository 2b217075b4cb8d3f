"""``nacbench tune``: choose hyper-parameters by validation score from finished tuning runs."""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nacbench.cli.shared.options import Json, Plugins, load_plugins
from nacbench.cli.shared.tables import counted
from nacbench.cli.shared.warnings import warn
from nacbench.formats.terminal import say, say_json

if TYPE_CHECKING:
    from nacbench.recording.record import Failure
    from nacbench.recording.row import Run
    from nacbench.reporting.searched import Searched
    from nacbench.sweep.tuning import Tried, Tuned, TuningResult


def tune(
    stores: Annotated[list[Path], typer.Argument(metavar="RUNS...", help="Folders of runs of X-tuning tasks.")],
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="Write a file of choices, for the key choices of a sweep."),
    ] = None,
    extend: Annotated[
        Path | None,
        typer.Option(
            "--extend", metavar="FILE", help="Write a sweep of values beyond the edges at which best values lie."
        ),
    ] = None,
    as_json: Json = False,
    plugin: Plugins = None,
) -> None:
    """Choose each model's settings on each task by validation score, from runs of X-tuning tasks.

    If a best value lies at the edge of those tried, --extend writes a sweep with one value more in that direction, for
    all models of the task: submit it to the same folder of runs, and tune again.

    X-tuning is a task for every task X that trains a network; it does not read the test examples.
    """
    load_plugins(plugin)
    from nacbench.filesystem.files import write_text
    from nacbench.recording.index import read_runs
    from nacbench.recording.searches import searches_of
    from nacbench.reporting.searched import states_of
    from nacbench.sweep.choices_file import choices_file
    from nacbench.sweep.choosing import choices_of
    from nacbench.sweep.lost_trials import lost_trials
    from nacbench.sweep.tuning import finished_later, label

    found = read_runs(*stores)
    searches = states_of(searches_of(found.runs), found.runs, found.failures)
    lost = list(lost_trials(found))
    over = finished_later(lost, found.runs)
    failures = [failure for failure in found.failures if failure.run_id not in over]
    diverged = [trial for trial in lost if trial.cause == "diverged" and trial.run_id not in over]
    outcome = choices_of(found.runs, searches, diverged)
    counted_as_worst = {trial.run_id for trial in diverged}
    warn([*found.broken, *outcome.left_out, *_failed(failures, searches, counted_as_worst), *_guessed(outcome)])
    if as_json:
        rows = [
            {
                **one.cell._asdict(),
                "tried": _tried(one),
                "chosen": dict(one.best.settings),
                "at_the_edge": one.at_the_edge,
            }
            for one in outcome.tuned
        ]
        say_json(rows)
    else:
        _print(outcome)
    if to is not None:
        command = " ".join(["nacbench tune", *(str(store) for store in stores), "--to", str(to)])
        write_text(to, choices_file(outcome, command))
        say(f"{len(outcome.tuned)} choices written to {to}; use them in a sweep with the key choices", err=as_json)
    if extend is not None:
        _write_extension(outcome, found.runs, extend, stores, plugin or [], as_json=as_json)
    edges = [one for one in outcome.tuned if one.at_the_edge]
    if edges and not as_json:
        way = "see --extend" if any(one.searched is None for one in edges) else "search in a wider space"
        some = label(edges[0].best.settings)
        say(f"† at the edge of the values tried ({some} …): beyond it may be better ones, {way}")


def _failed(failures: "Sequence[Failure]", searches: "Sequence[Searched]", worst: Set[str]) -> list[str]:
    """Return a line for each model and task of which trials of a grid failed; those of searches are told by them.

    Args:
        failures: of all runs.
        searches: whose trials are left out.
        worst: ids of the runs that diverged, and are taken for the worst.
    """
    from nacbench.sweep.search import ENDING

    of_searches = {run_id for state in searches for run_id in state.search.run_ids}
    counts = Counter(
        (one.task.removesuffix(ENDING), one.model, one.cause, one.run_id in worst)
        for one in failures
        if one.task.endswith(ENDING) and one.status == "failed" and one.run_id not in of_searches
    )
    return [
        f"{task}, {model}: {counted(number, 'trial')} failed ({cause}), "
        + ("and counted as the worst" if is_worst else "so that less was tried than was meant")
        for (task, model, cause, is_worst), number in sorted(counts.items())
    ]


def _guessed(outcome: "TuningResult") -> list[str]:
    """Return a line for each task with models of which no trial is shown to be above guessing."""
    models: dict[str, list[str]] = {}
    for one in outcome.tuned:
        if not one.is_above_guessing:
            models.setdefault(one.cell.task, []).append(one.cell.model)
    return [
        f"{task}: no trial of {' or '.join(names)} is shown to be above guessing, so that settings are chosen by "
        "noise; longer trials may tell them apart"
        for task, names in models.items()
    ]


def _write_extension(
    outcome: "TuningResult",
    runs: "Sequence[Run]",
    to: Path,
    stores: Sequence[Path],
    plugins: Sequence[Path],
    *,
    as_json: bool,
) -> None:
    from nacbench.filesystem.files import absolute, write_text
    from nacbench.sweep.extension import extension, sweep_file
    from nacbench.sweep.search import ENDING

    own = [run for run in runs if run.task.endswith(ENDING)]
    blocks = extension([one for one in outcome.tuned if one.searched is None], own)
    if not blocks:
        say("no best value lies at an edge that can be extended; no sweep is written", err=as_json)
        return
    shown = " ".join(str(store) for store in stores)
    written_by = " ".join([f"nacbench tune {shown} --extend {to}", *(f"--plugin {file}" for file in plugins)])
    write_text(to, sweep_file(blocks, written_by, [str(absolute(file)) for file in plugins]))
    count = sum(len(block["models"]) * len(block["seeds"]) for block in blocks)
    again = f"nacbench sweep submit {to} --out {stores[0]}, then nacbench tune {shown}"
    say(f"{count} runs beyond the edges written to {to}; run them: {again}", err=as_json)


def _tried(one: "Tuned") -> list[dict[str, Any]]:
    from nacbench.sweep.choosing import rows_of

    if one.searched is not None:
        return rows_of(one.searched)
    return [{**tried.settings, "score": tried.score.value if tried.score else None} for tried in one.tried]


def _number(one: "Tuned", tried: "Tried") -> str:
    return one.metric.number(tried.score.value) if tried.score else "failed"


def _print(outcome: "TuningResult") -> None:
    """Print a row for each model and task, searches and grids apart."""
    from nacbench.cli.shared.searches import print_searches

    grids = [one for one in outcome.tuned if one.searched is None]
    if grids:
        _print_grids(grids)
    print_searches([one.searched for one in outcome.tuned if one.searched is not None])


def _print_grids(tuned: "Sequence[Tuned]") -> None:
    """Print a row for each model and task; if only one setting was tuned, its name is in the head, not in the rows."""
    from nacbench.cli.shared.tables import print_table
    from nacbench.sweep.tuning import label

    names = {name for one in tuned for name in one.best.settings}
    (only,) = names if len(names) == 1 else ("",)

    def told(settings: "Mapping[str, Any]") -> str:
        return label(settings).removeprefix(f"{only}=") if only else label(settings)

    rows = [
        [
            one.cell.task,
            one.cell.model,
            " · ".join(f"{told(tried.settings)}: {_number(one, tried)}" for tried in one.tried),
            told(one.best.settings) + (" †" if one.at_the_edge else ""),
        ]
        for one in tuned
    ]
    units = {one.metric.shown_unit for one in tuned}
    unit = f" ({next(iter(units))})" if len(units) == 1 and any(units) else ""
    head = ["task", "model", f"{only or 'settings'}: validation score{unit}", "chosen"]
    print_table(head, rows)
