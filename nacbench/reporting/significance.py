"""Which row of a table may be called the best: the one that is significantly better than each other of its task."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nacbench.reporting.series import Series, by_cell
from nacbench.statistics import holm

LEVEL = 0.05
RULE = (
    "Bold: significantly better than every other row of its task and scale (paired t tests over shared seeds, "
    "p < 0.05 after Holm's correction over the table)."
)


def best(series: Sequence[Series]) -> list[Series]:
    """The series that are significantly the best of their task and scale.

    Args:
        series: all of a table: the correction is over all comparisons of the best with another that the table invites.
    """
    p_values: dict[tuple[int, int], float] = {}
    leaders = {}
    for number, rows in enumerate(by_cell(series).values()):
        leader, *others = sorted(rows, key=lambda item: -item.score.value)
        leaders[number] = (leader, len(others))
        for position, other in enumerate(others):
            difference = leader.against(other)
            # on the seeds they share, the one with the better mean over all of its own may be behind
            p_values[number, position] = difference.p if difference and difference.value > 0 else math.nan
    corrected = holm(p_values)
    return [
        leader
        for number, (leader, others) in leaders.items()
        if others and all(corrected[number, position] < LEVEL for position in range(others))
    ]
