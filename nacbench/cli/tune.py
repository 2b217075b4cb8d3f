"""``nacbench tune``: choose hyper-parameters by validation score from finished tuning runs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nacbench.cli.shared.options import Json
from nacbench.cli.shared.tables import counted
from nacbench.cli.shared.warnings import warn
from nacbench.formats.terminal import say, say_json

if TYPE_CHECKING:
    from nacbench.recording.record import Failure
    from nacbench.recording.row import Run
    from nacbench.reporting.searched import Searched
    from nacbench.sweep.tuning import Tuned, TuningResult


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
) -> None:
    """Choose each model's settings on each task by validation score, from runs of X-tuning tasks.

    If a best value lies at the edge of those tried, --extend writes a sweep with one value more in that direction, for
    all models of the task: submit it to the same folder of runs, and tune again.

    X-tuning is a task for every task X that trains a network; it does not read the test examples.
    """
    from nacbench.filesystem.files import write_text
    from nacbench.recording.index import read_runs
    from nacbench.recording.searches import searches_of
    from nacbench.reporting.searched import states_of
    from nacbench.sweep.choosing import choices_of
    from nacbench.sweep.tuning import choices_file, label

    found = read_runs(*stores)
    searches = states_of(searches_of(found.runs), found.runs, found.failures)
    outcome = choices_of(found.runs, searches)
    warn([*found.broken, *outcome.left_out, *_failed(found.failures, searches)])
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
        _write_extension(outcome, found.runs, extend, stores, as_json=as_json)
    edges = [one for one in outcome.tuned if one.at_the_edge]
    if edges and not as_json:
        way = "see --extend" if any(one.searched is None for one in edges) else "search in a wider space"
        some = label(edges[0].best.settings)
        say(f"† at the edge of the values tried ({some} …): beyond it may be better ones, {way}")


def _failed(failures: "Sequence[Failure]", searches: "Sequence[Searched]") -> list[str]:
    """Return a line for each model and task of which trials of a grid failed; those of searches are told by them."""
    from nacbench.sweep.search import ENDING

    of_searches = {run_id for state in searches for run_id in state.search.run_ids}
    counts = Counter(
        (one.task.removesuffix(ENDING), one.model, one.cause)
        for one in failures
        if one.task.endswith(ENDING) and one.status == "failed" and one.run_id not in of_searches
    )
    return [
        f"{task}, {model}: {counted(number, 'trial')} failed ({cause}), so that less was tried than was meant"
        for (task, model, cause), number in sorted(counts.items())
    ]


def _write_extension(
    outcome: "TuningResult", runs: "Sequence[Run]", to: Path, stores: Sequence[Path], *, as_json: bool
) -> None:
    from nacbench.filesystem.files import write_text
    from nacbench.sweep.extension import extension, sweep_file
    from nacbench.sweep.search import ENDING

    own = [run for run in runs if run.task.endswith(ENDING)]
    blocks = extension([one for one in outcome.tuned if one.searched is None], own)
    if not blocks:
        say("no best value lies at an edge that can be extended; no sweep is written", err=as_json)
        return
    shown = " ".join(str(store) for store in stores)
    write_text(to, sweep_file(blocks, f"nacbench tune {shown} --extend {to}"))
    count = sum(len(block["models"]) * len(block["seeds"]) for block in blocks)
    again = f"nacbench sweep submit {to} --out {stores[0]}, then nacbench tune {shown}"
    say(f"{count} runs beyond the edges written to {to}; run them: {again}", err=as_json)


def _tried(one: "Tuned") -> list[dict[str, Any]]:
    from nacbench.sweep.choosing import rows_of

    if one.searched is not None:
        return rows_of(one.searched)
    return [{**tried.settings, "score": tried.score.value} for tried in one.tried]


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
            " · ".join(f"{told(tried.settings)}: {one.metric.number(tried.score.value)}" for tried in one.tried),
            told(one.best.settings) + (" †" if one.at_the_edge else ""),
        ]
        for one in tuned
    ]
    units = {one.metric.shown_unit for one in tuned}
    unit = f" ({next(iter(units))})" if len(units) == 1 and any(units) else ""
    head = ["task", "model", f"{only or 'settings'}: validation score{unit}", "chosen"]
    print_table(head, rows)
