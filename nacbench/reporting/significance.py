"""Find the significantly best row of each task: paired t tests over shared seeds with Holm's correction."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nacbench.reporting.series import Series, by_cell
from nacbench.statistics import Difference, holm

LEVEL = 0.05
ADDED = "¶"
ADDED_RULE = (
    f"{ADDED}: seeds were added until a comparison was decided (nacbench sweep decide). Its 95 % interval, and p "
    "values of comparisons with it, are anytime-valid: they hold however often, and whenever, one looked."
)
RULE = (
    "Bold: significantly better than every other row of its task and scale (paired t tests over shared seeds, "
    "p < 0.05 after Holm's correction over the table)."
)


def best(series: Sequence[Series]) -> list[Series]:
    """Return the series that are significantly better than every other one of their task, scale and treatment.

    A table invites a comparison of the best row with each other row of its task; with dozens of tests at p < 0.05, some
    would be significant by chance. Holm's correction bounds the probability of any wrong bold cell in the table by 5 %,
    without assuming independent tests, and rejects at least as much as Bonferroni's.

    Args:
        series: all rows of a table.
    """
    p_values: dict[tuple[int, int], float] = {}
    leaders = {}
    for number, rows in enumerate(_comparable(series)):
        leader, *others = sorted(rows, key=lambda item: item.rank)
        leaders[number] = (leader, len(others))
        for position, other in enumerate(others):
            p_values[number, position] = _p_ahead(leader, other)
    corrected = holm(p_values)
    return [
        leader
        for number, (leader, others) in leaders.items()
        if others and all(corrected[number, position] < LEVEL for position in range(others))
    ]


def leads(leader: Series, difference: Difference) -> bool:
    """Whether a difference, the leader's score less another's, speaks for the leader where its p-value was found."""
    return leader.measure.gain(difference.lead) > 0


def _p_ahead(leader: Series, other: Series) -> float:
    """Return the p-value of a row against another one; NaN, which no correction counts, if it cannot be tested.

    The row with the best mean over all its seeds can be equal or worse on the seeds that both share. That shows
    nothing, but was tested: left out, it would make the correction of the others weaker, depending on the data. Where
    seeds are added until a decision, a comparison without any result counts, too, as it did when they were planned.
    """
    difference = leader.against(other)
    if difference is not None and leads(leader, difference):
        return difference.p
    is_tested = difference is not None and not math.isnan(difference.p)
    return 1.0 if is_tested or leader.is_asked or other.is_asked else math.nan


def _comparable(series: Sequence[Series]) -> list[list[Series]]:
    """Return the rows that may be tested against each other: of one task, scale and treatment."""
    found: dict[tuple[tuple[str, str], int], list[Series]] = {}
    for cell, rows in by_cell(series).items():
        for item in rows:
            found.setdefault((cell, item.treated), []).append(item)
    return list(found.values())
