"""States and logs of a sweep's runs, printed."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacbench.cli.shared.tables import print_table
from nacbench.formats.terminal import say

if TYPE_CHECKING:
    from nacbench.sweep.observer import Observer
    from nacbench.sweep.plan import Plan, PlannedRun
    from nacbench.sweep.state import Standing


def print_states(planned: "Plan", standings: "dict[str, Standing]") -> None:
    """Print the number of runs by task, model and state; states without runs are left out."""
    from nacbench.sweep.state import STATES

    cells: Counter[tuple[str, str, str]] = Counter()
    for run in planned.runs:
        state = standings[run.key].state if run.run_id else ("skipped" if run.is_unsuited else "no data")
        cells[run.config.task.name, run.config.model.name, state] += 1
    columns = [state for state in STATES if any(place[2] == state for place in cells)]
    pairs = list(dict.fromkeys((task, model) for task, model, _ in cells))
    rows = [[task, model, *(str(cells[task, model, state] or "") for state in columns)] for task, model in pairs]
    totals = [str(sum(count for place, count in cells.items() if place[2] == state)) for state in columns]
    print_table(["task", "model", *columns], [*rows, ["all", "", *totals]], right=set(range(2, 2 + len(columns))))


def print_logs(observer: "Observer", run: "PlannedRun", store: Path, lines: int) -> None:
    """Print why a run failed, and the last lines of each of its logs."""
    from nacbench.recording.store import LOG, tail
    from nacbench.sweep.lost import failure_of

    folder = run.folder(store)
    say(f"== {run.title}  {folder}")
    failure = failure_of(folder)
    if failure:
        say(f"{failure.status} ({failure.cause}), attempt {failure.attempts}, {failure.when}: {failure.reason}")
        if failure.traceback:
            say(*_indented(failure.traceback.rstrip().split("\n")))
    for path in [folder / LOG, *observer.job_logs(run.key)]:
        content = tail(path, lines)
        if content:
            say(f"-- {path}")
            say(*_indented(content))


def _indented(lines: list[str]) -> list[str]:
    """Return lines of others so that none can pass for one of ours."""
    return [f"  {line}" for line in lines]


def states_as_json(planned: "Plan", standings: "dict[str, Standing]") -> list[dict[str, Any]]:
    """Return for each run what it is, its state, and what is known of it."""
    rows = []
    for run in planned.runs:
        standing = standings.get(run.key)
        known = asdict(standing) if standing else {"state": "skipped" if run.is_unsuited else "no data"}
        known.pop("is_noted", None)  # internal: whether failure.json is written
        rows.append(
            {
                "run": run.key if run.run_id else None,
                "task": run.config.task.name,
                "model": run.config.model.name,
                "seed": run.config.seed,
                "trained_on": run.trained_on,
                "problem": run.problem,
                **known,
            }
        )
    return rows
