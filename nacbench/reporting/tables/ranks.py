"""Table of models across tasks: mean ranks, and how often each is better than each other."""

from __future__ import annotations

from collections.abc import Sequence

from nacbench.reporting.ranks import FEWEST_MODELS, Ranking, ranking
from nacbench.reporting.series import Series
from nacbench.reporting.tables.table import Column, Table, frame_of

NUMBERS = ["model", "mean_rank", "tasks", "against", "wins", "ties", "losses", "significantly_different"]
HEADS = (Column("model"), Column("mean rank", number=True), Column("not told apart from"))


def rank_table(series: Sequence[Series]) -> Table | None:
    """Return mean ranks and wins over the tasks that all models share; None with fewer than two tasks or models."""

    found = ranking(series)
    if found is None:
        return None
    names = list(found.ranks) if found.tasks else []  # then only the notes are left, which say so
    rows, numbers = [], []
    for name in names:
        record = (_record(found, name, other) for other in names)
        rows.append((name, f"{found.ranks[name]:.2f}", _alike(found, name), *record))
        for other in names:
            wins, ties, losses = found.record(name, other)
            numbers.append(
                {
                    "model": name,
                    "mean_rank": found.ranks[name],
                    "tasks": len(found.tasks),
                    "against": other,
                    "wins": wins,
                    "ties": ties,
                    "losses": losses,
                    "significantly_different": found.is_tested and found.are_apart(name, other),
                }
            )
    frame = frame_of([row for row in numbers if row["model"] != row["against"]], columns=NUMBERS)
    columns = (*HEADS, *(Column(f"against {name}", number=True) for name in names))
    return Table("ranks", "Across tasks", columns, rows, _notes(found), frame)


def _alike(found: Ranking, name: str) -> str:
    if not found.is_tested:
        return "not tested"
    return ", ".join(other for other in found.ranks if other != name and not found.are_apart(name, other)) or "—"


def _record(found: Ranking, name: str, other: str) -> str:
    return "" if name == other else "–".join(map(str, found.record(name, other)))


def _notes(found: Ranking) -> list[str]:
    models, tasks = len(found.merits), len(found.tasks)
    said = f": {', '.join(found.tasks)}" if tasks else ""
    unequal = f"Not counted, as models were treated unequally there: {', '.join(found.unequal)}."
    if tasks + len(found.others) < 2 or models < 2:
        return [f"No ranks, as fewer than two tasks or models are left. {unequal}"]
    lines = [
        f"Mean rank (1: best) over the {tasks} of {tasks + len(found.others)} tasks that all {models} models were "
        f"trained on{said}. Tasks that score networks of other tasks, and floors, do not count; of several variants "
        "the one of the usual size with default options does. Against: tasks with a better, an equal and a worse score."
    ]
    if found.rare:
        lines.append(f"Not ranked, as they have fewer than half of the tasks: {', '.join(found.rare)}.")
    if found.unequal:
        lines.append(unequal)
    if found.is_tested:
        all_of_them = ", here all," if found.groups() == [list(found.ranks)] else ""
        lines.append(
            f"Friedman's test over {tasks} tasks: p = {found.p:.2g}. Critical difference of mean ranks (Nemenyi, "
            f"0.05): {found.critical_difference:.2f}; models that differ by less{all_of_them} are not told apart."
        )
    elif models < FEWEST_MODELS:
        lines.append(f"Not tested: this needs {FEWEST_MODELS} models or more; two are compared by nacbench compare.")
    else:
        lines.append(
            f"Not tested: {models} models need {found.needed} shared tasks or more, and here are {tasks}. Run them on "
            "more tasks, or leave out with --model those that cannot do them."
        )
    return lines
