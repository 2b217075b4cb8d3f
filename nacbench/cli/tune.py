"""``nacbench tune``: choose hyper-parameters by validation score from finished tuning runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nacbench.cli.shared.options import Json
from nacbench.cli.shared.warnings import warn
from nacbench.formats.terminal import say, say_json

if TYPE_CHECKING:
    from nacbench.sweep.tuning import TuningResult


def tune(
    stores: Annotated[list[Path], typer.Argument(metavar="RUNS...", help="Folders of runs of X-tuning tasks.")],
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="Write a file of choices, for the key choices of a sweep."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Choose each model's settings on each task by validation score, from runs of X-tuning tasks.

    X-tuning is a task for every task X that trains a network; it does not read the test examples.
    """
    from nacbench.filesystem.files import write_text
    from nacbench.recording.index import read_runs
    from nacbench.sweep.tuning import choices_file, label, tuning_of

    found = read_runs(*stores)
    outcome = tuning_of(found.runs)
    warn([*found.broken, *outcome.left_out])
    if as_json:
        rows = [
            {
                **one.cell._asdict(),
                "tried": [{**tried.settings, "score": tried.score.value} for tried in one.tried],
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
    if not as_json and any(one.at_the_edge for one in outcome.tuned):
        some = label(next(one for one in outcome.tuned if one.at_the_edge).best.settings)
        say(f"† at the edge of the values tried ({some} …): a wider range may have better ones")


def _print(outcome: "TuningResult") -> None:
    """Print a row for each model and task; if only one setting was tuned, its name is in the head, not in the rows."""
    from nacbench.cli.shared.tables import print_table
    from nacbench.sweep.tuning import label

    names = {name for one in outcome.tuned for name in one.best.settings}
    (only,) = names if len(names) == 1 else ("",)

    def told(settings: "Mapping[str, Any]") -> str:
        return label(settings).removeprefix(f"{only}=") if only else label(settings)

    rows = [
        [
            one.cell.task,
            one.cell.model,
            " · ".join(f"{told(tried.settings)}: {100 * tried.score.value:.2f}" for tried in one.tried),
            told(one.best.settings) + (" †" if one.at_the_edge else ""),
        ]
        for one in outcome.tuned
    ]
    head = ["task", "model", f"{only or 'settings'}: validation score (%)", "chosen"]
    print_table(head, rows)
