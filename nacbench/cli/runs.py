"""``nacbench runs``: a table of all runs of some folders, finished or not."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nacbench.cli.shared.choice import OnlyModels, OnlyTasks, Where
from nacbench.cli.shared.completion import complete_state, one_of
from nacbench.cli.shared.options import Json, Plugins, load_plugins
from nacbench.cli.shared.tables import counted, print_table
from nacbench.cli.shared.warnings import warn
from nacbench.cli.show import out_option
from nacbench.errors import unknown
from nacbench.formats.escape import terminal_json
from nacbench.formats.terminal import say, say_text

if TYPE_CHECKING:
    from nacbench.sweep.listing import Listed

SORTS = ("task", "score", "duration", "finished", "state")
SHORT = 8  # characters of an id, as in `nacbench show`


def runs(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="FOLDER…", help="Folders of runs.  [dim]\\[default: runs][/dim]")
    ] = None,
    task: OnlyTasks = None,
    model: OnlyModels = None,
    where: Where = None,
    state: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STATE",
            autocompletion=complete_state,
            help="Only runs in this state, such as failed; can be given again.",
        ),
    ] = None,
    sort: Annotated[
        str,
        typer.Option(
            metavar="|".join(SORTS),
            autocompletion=one_of(*SORTS),
            help="score: the best first; duration: the longest; finished: the latest.",
        ),
    ] = SORTS[0],
    most: Annotated[int | None, typer.Option("--most", metavar="N", min=1, help="Print at most N runs.")] = None,
    plugin: Plugins = None,
    as_json: Json = False,
) -> None:
    """List runs with their settings, state and score: finished, failed, running and queued ones.

    For example: nacbench runs --task digits --where 'training.lr<=0.001' --sort score

    Settings are those that tell runs of one task and model apart. With --json, scores are not scaled: 0.95 is 95 %.
    """
    from nacbench.recording.choice import Choice
    from nacbench.sweep.listing import listed
    from nacbench.sweep.state import STATES

    load_plugins(plugin)
    if sort not in SORTS:
        raise unknown("order in --sort", sort, SORTS)
    for one in state or ():
        if one not in STATES:
            raise unknown("state", one, STATES)
    stores = folders or [Path("runs")]
    found, broken = listed(stores, Choice(task or (), model or (), where or ()))
    warn(broken)
    chosen = [run for run in found if not state or run.state in state]
    shown = sorted(chosen, key=_order(sort))[:most]
    if as_json:
        # a line for each run: with indentation Python's JSON takes half of the time of ten thousand
        lines = ",\n".join(terminal_json(_as_json(run), indent=None) for run in shown)
        say_text(f'{{"runs": [\n{lines}\n]}}')
        return
    _print(shown, stores)
    by_state = Counter(run.state for run in chosen)
    told = ", ".join(f"{number:,} {name}" for name, number in by_state.items())
    about = f" All about one: nacbench show ID{out_option(stores[0]) if len(stores) == 1 else ' --out FOLDER'}"
    say(f"{counted(len(chosen), 'run')}{f': {told}' if told else ''}.{about if shown else ''}")


def _order(sort: str) -> "Callable[[Listed], Any]":
    """Return the key to sort by; runs that lack what is sorted by come last."""
    from nacbench.sweep.state import STATES

    def by_score(run: "Listed") -> Any:
        known = run.metric is not None and run.score is not None
        return (not known, run.task, run.scale, run.metric.order(run.score) if known else 0.0)  # type: ignore

    keys: dict[str, Callable[[Listed], Any]] = {
        "task": lambda run: 0,  # as they are
        "score": by_score,
        "duration": lambda run: -(run.seconds or 0.0),
        "finished": lambda run: [-ord(letter) for letter in run.finished] or [1],
        "state": lambda run: STATES.index(run.state),
    }
    return keys[sort]


def _print(runs: "list[Listed]", folders: list[Path]) -> None:
    """Print runs as a table; of several folders, with the one in which each was found, as `nacbench show` takes it."""
    from nacbench.formats.text import duration

    columns: dict[str, Callable[[Listed], str]] = {
        "task": lambda run: run.task,
        "scale": lambda run: run.scale,
        "model": lambda run: run.label,
        "settings": lambda run: run.variant,
        "seed": lambda run: str(run.seed),
        "state": lambda run: run.state,
        "score": lambda run: run.shown_score,
        "metric": lambda run: run.metric.name if run.metric else "",
        "took": lambda run: "" if run.seconds is None else duration(run.seconds),
        "id": lambda run: run.run_id[:SHORT],
    }
    if any(run.tags.tags for run in runs):
        columns["tags"] = lambda run: " ".join(run.tags.tags)
    if len(folders) > 1:
        columns["folder"] = lambda run: _given(run.folder, folders)
    rows = [[own(run) for own in columns.values()] for run in runs]
    print_table(list(columns), rows, right={4, 6, 8}, whole={list(columns).index("id"), len(columns) - 1})


def _given(folder: str, folders: list[Path]) -> str:
    """Return the folder that was given in which a run lies."""
    from nacbench.filesystem.files import absolute

    return next(str(one) for one in folders if Path(folder).is_relative_to(absolute(one)))


def _as_json(run: "Listed") -> dict[str, Any]:
    """Return a run as plain data: the score as it was recorded, seconds, and all settings by dotted key."""
    from nacbench.reporting.names import settings_of

    return {
        "run_id": run.run_id,
        "task": run.task,
        "scale": run.scale,
        "model": run.model,
        "size": run.model_size,
        "seed": run.seed,
        "state": run.state,
        "detail": run.detail,
        "metric": run.metric.name if run.metric else None,
        "score": run.score,
        "unit": (run.metric.unit or "1") if run.metric else None,
        "seconds": run.seconds,
        "finished": run.finished or None,
        "tags": list(run.tags.tags),
        "notes": list(run.tags.notes),
        "differing": dict(run.told),
        "settings": dict(settings_of(run.settings)),
        "folder": run.folder,
    }
