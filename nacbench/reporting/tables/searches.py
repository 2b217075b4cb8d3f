"""Table of searches: how much was tried for each model and task, and the best of it; the CSV file has every trial."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nacbench.formats.dotted import as_text
from nacbench.recording.searches import Search
from nacbench.reporting.searched import Result, Searched
from nacbench.reporting.tables.table import Column, Table, frame_of

DIGITS = 4  # of a real number that was drawn; the CSV file and files of choices have all
COLUMNS = (
    Column("task"),
    Column("model"),
    Column("search"),
    Column("trials", number=True),
    Column("failed", number=True),
    Column("budget", number=True),
    Column("best on validation", number=True),
    Column("chosen"),
)
NUMBERS = ["task", "model", "size", "scale", "trial", "rung", "budget", "score", "nll", "state", "chosen", "settings"]


def search_table(states: Sequence[Searched]) -> Table | None:
    """Return a row for each search; None without any."""

    if not states:
        return None
    frame = frame_of([row for state in states for row in _every_trial(state)], columns=NUMBERS)
    return Table(
        "searches", "Searches for settings", COLUMNS, [row_of(state) for state in states], _notes(states), frame
    )


def row_of(state: Searched) -> tuple[str, ...]:
    """Return the cells of a search."""
    search, best = state.search, state.best
    spent = sum(rung.budget for rung in state.rungs for one in rung.results if one.is_over) * len(search.seeds)
    of = "" if state.is_over else f" of {search.budget:,}"
    edge = " †" if state.at_the_edge else ""
    score = "" if best is None or state.metric is None else state.metric.with_unit(state.metric.number(best.score))
    chosen = settings_text(best.settings) + edge if best is not None else progress(state)
    failed = len({result.number for result in state.lost})
    method = f"{search.method}, {len(search.budgets)} rungs" if len(search.budgets) > 1 else search.method
    return search.task, search.model, method, f"{search.sizes[0]}", f"{failed}", f"{spent:,}{of}", score, chosen


def progress(state: Searched) -> str:
    """Return how far a search that has not chosen is, in words."""
    if state.is_over:
        return "nothing: every trial of the last rung failed"
    ended = sum(result.is_over for result in state.rungs[-1].results)
    of = f"{ended} of {len(state.rungs[-1].results)} trials"
    where = f" of rung {len(state.rungs)} of {len(state.search.budgets)}" if len(state.search.budgets) > 1 else ""
    stopped = f"; stopped by {failure_text(state)}" if state.stopped_by else ""
    return f"not finished: {of}{where} have ended{stopped}"


def failure_text(state: Searched) -> str:
    """Return the first of the failures that stop a search, and how many there are."""
    first, *more = state.stopped_by
    others = f" and {len(more)} more" if more else ""
    return f"run {first.run_id}, which failed ({first.cause}){others}"


def settings_text(settings: Mapping[str, Any]) -> str:
    """Return settings as text, real numbers cut to ``DIGITS`` digits: ``training.lr=0.002034, …``."""
    return ", ".join(f"{name}={_short(value)}" for name, value in settings.items())


def _short(value: Any) -> str:
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else as_text(value)


def _every_trial(state: Searched) -> Iterable[dict[str, Any]]:
    own, best = state.search, state.best
    for number, rung in enumerate(state.rungs, 1):
        for result in rung.results:
            yield {
                "task": own.task,
                "model": own.model,
                "size": own.size,
                "scale": own.scale,
                "trial": result.number,
                "rung": number,
                "budget": rung.budget,
                "score": result.score,
                "nll": result.nll if math.isfinite(result.nll) else math.nan,
                "state": _state(result),
                "chosen": best is not None and number == len(own.budgets) and result.number == best.number,
                "settings": ", ".join(f"{name}={as_text(value)}" for name, value in result.settings.items()),
            }


def _state(result: Result) -> str:
    causes = ", ".join(sorted({failure.cause for failure in result.failures if failure.status == "failed"}))
    if result.is_over:
        return f"failed ({causes or 'no finite score'})" if result.is_lost else "done"
    return f"stopped ({causes})" if causes else "not finished"


def _notes(states: Sequence[Searched]) -> list[str]:
    lines = [
        "Settings were searched on validation examples, with the same number of trials and the same budget for each "
        "model of a task; budget: sum of epochs, or of the setting that is named, over all trials and seeds. Trials "
        "that failed count as the worst. Between equal scores the lower negative log-likelihood decides, then the "
        "earlier trial. † at an edge of the values tried."
    ]
    lines += sorted({_told(state.search) for state in states})
    by_task: dict[tuple[str, str], list[Search]] = {}
    for state in states:
        by_task.setdefault((state.search.task, state.search.scale), []).append(state.search)
    for (task, _), own in by_task.items():
        if len({search.plan for search in own}) > 1:
            lines.append(f"{task}: models were searched unequally; nacbench tune leaves the task out.")
        if len({_space(search) for search in own}) > 1:
            told = "; ".join(f"{search.model}: {_space(search)}" for search in own)
            lines.append(f"{task}: models have spaces of their own: {told}.")
    lines += [line for state in states for line in _failures(state)]
    return lines


def _told(search: Search) -> str:
    rungs = ", ".join(f"{size} × {budget}" for size, budget in zip(search.sizes, search.budgets, strict=True))
    seeds = ", ".join(map(str, search.seeds))
    points = f"points of seed {search.seed} in {_space(search)}"
    return f"{search.task}: trials × {search.by}: {rungs}; seeds {seeds}; {points}."


def _space(search: Search) -> str:
    return ", ".join(f"{name} {values}" for name, values in search.space.items())


def _failures(state: Searched) -> Iterable[str]:
    for result in state.lost:
        trial = f"trial {result.number} {_state(result)}: {settings_text(result.settings)}"
        yield f"{state.search.task}, {state.search.model}: {trial}."
