"""States of runs of a sweep: done, running, queued, failed, …"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from nacbench.recording.record import Cause

State = Literal[
    "done",
    "running",
    "queued",
    "preempted",
    "planned",
    "lost",
    "cancelled",
    "failed",
    "skipped",
    "no data",
    "unknown",
    "unreadable",
]
STATES: tuple[State, ...] = get_args(State)
LIVE: frozenset[State] = frozenset({"running", "queued", "preempted"})
MISSING: frozenset[State] = frozenset({"planned", "lost"})  # started by the next submission
STUCK = "at this step for"  # in the detail of a running run, before the minutes


@dataclass(frozen=True, kw_only=True)
class Standing:
    """State of one run.

    Attributes:
        state: ``done``; ``running``; ``queued`` for the first time; ``preempted``: queued again after it had started;
            ``planned``: never started; ``lost``: started, and ended without record or failure; ``cancelled``;
            ``failed``; ``skipped``: the model cannot do the task; ``no data``; ``unknown``: Slurm does not answer;
            ``unreadable``: its folder or record cannot be read, so that it is left alone.
        detail: more about the state, for readers.
        cause: of a failure.
        job: job number, if it has one.
        attempts: how often it was started.
        is_noted: whether failure.json is written; false if only Slurm knows of the failure.
    """

    state: State
    detail: str = ""
    cause: Cause | None = None
    job: str | None = None
    attempts: int = 0
    is_noted: bool = True


def counts(standings: dict[str, Standing]) -> Counter[State]:
    """Return the number of runs in each state."""
    return Counter(standing.state for standing in standings.values())


def causes_of_failure(standings: Iterable[Standing]) -> Counter[Cause]:
    """Return how many runs have failed, by the cause."""
    return Counter(one.cause for one in standings if one.state == "failed" and one.cause)
