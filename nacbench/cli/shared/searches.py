"""What the commands of ``nacbench sweep`` print about searches."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nacbench.cli.shared.tables import counted, print_table
from nacbench.formats.terminal import say

if TYPE_CHECKING:
    from nacbench.recording.searches import Search
    from nacbench.reporting.searched import Searched
    from nacbench.sweep.searching import Hunt

HOUR = 3600.0  # core-seconds


def tell_searches(hunt: "Hunt") -> None:
    """Print a row for each search: what it tries, how far it is, and the best."""
    print_searches(hunt.states)
    edges = any(state.at_the_edge for state in hunt.states)
    if edges:
        say("† at the edge of the values tried: beyond it may be better ones; a wider space draws other points")


def print_searches(states: "Sequence[Searched]") -> None:
    """Print a table with a row for each search; nothing without any."""
    from nacbench.reporting.tables.searches import COLUMNS, row_of

    if states:
        right = {place for place, column in enumerate(COLUMNS) if column.number}
        print_table([column.head for column in COLUMNS], [row_of(state) for state in states], right)


def tell_budget(hunt: "Hunt") -> None:
    """Print the budget of each search, the same for all models, and an estimate of what is left of it."""
    lines: dict[tuple[str, str, str], tuple[Search, list[str]]] = {}
    for state in hunt.states:
        own = state.search
        key = (own.task, own.scale, own.plan)
        lines.setdefault(key, (own, []))[1].append(own.model)
    for own, models in lines.values():
        rungs = " + ".join(
            f"{size} trials" + (f" × {budget}" if budget else "")
            for size, budget in zip(own.sizes, own.budgets, strict=True)
        )
        total = f" = {own.budget:,} ({own.by})" if own.budget else ""
        seeds = counted(len(own.seeds), "seed")
        say(f"search on {own.task}, for each of {', '.join(models)}: ({rungs}) × {seeds}{total}")
    if hunt.seconds:
        say(f"about {hunt.seconds / HOUR:.2f} core-hours of the searches left, estimated from finished runs")
    if hunt.unknown:
        say(f"no estimate for {hunt.unknown} of {len(hunt.states)} searches: no run of the model on the task is done")
