"""What a process that decides or searches starts, how often, and what it leaves as it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from nacbench.errors import UserError
from nacbench.machine import slurm
from nacbench.recording.record import Cause
from nacbench.sweep.observer import Observer
from nacbench.sweep.plan import Place, Plan, PlannedRun
from nacbench.sweep.state import Standing, State
from nacbench.sweep.submitting import Say, submit

OUTSIDE: tuple[Cause, ...] = ("oom", "timeout", "node")  # causes of failure that are not of the run itself
MOST_STARTS = 3  # of one run by one process
POLL_SECONDS = (0.5, 20.0)  # between looks at runs of others and of Slurm: at first, and at most


@dataclass
class Starter:
    """Starts runs of a plan, look after look.

    Attributes:
        plan: with every run that may be started, and those that train their networks.
        place: store and data.
        say: called with lines of progress of the runs.
        warn: called with lines about files that cannot be read.
        retried: causes of failure whose runs are started again.
    """

    plan: Plan
    place: Place
    say: Say
    warn: Callable[[Sequence[str]], None]
    retried: tuple[Cause, ...]
    _starts: Counter[str] = field(default_factory=Counter)
    _stopped: set[str] | None = None  # runs that were cancelled before the first look; what is cancelled later stays so
    _is_silent: bool = False

    def look(self, observer: Observer, standings: Mapping[str, Standing]) -> None:
        """Take notice of the states of all runs.

        Raises:
            UserError: if some were submitted to Slurm, and it is not on this machine.
        """
        if self._stopped is None:
            self._stopped = {key for key, one in standings.items() if one.state == "cancelled"}
        self._is_silent = observer.is_silent
        if any(one.state == "unknown" for one in standings.values()) and not slurm.is_available():
            raise UserError(f"some runs were submitted to Slurm, and {observer.silence}; start this where it is")

    def often(self, run: PlannedRun) -> int:
        """Return how often a run was started here."""
        return self._starts[run.key]

    def is_due(self, run: PlannedRun, standing: Standing) -> bool:
        """Whether a run in this state is started, or started again."""
        was_stopped = standing.state == "cancelled" and run.key in (self._stopped or ()) and not self.often(run)
        again = standing.state in ("planned", "lost") or was_stopped or standing.cause in self.retried
        return again and self.often(run) < MOST_STARTS

    def start(self, due: Sequence[PlannedRun]) -> bool:
        """Start runs; return whether any was started.

        None is if all wait for networks that others train, or for a Slurm that does not answer. Where there is no Slurm
        for them, submit says so.
        """
        if self._is_silent and slurm.is_available() and any(run.profile.executor == "slurm" for run in due):
            return False
        also: tuple[State, ...] = ("cancelled",)
        started = submit(self.plan, self.place, self.say, only=due, also=also, retry=self.retried, warn=self.warn)
        self._starts.update(started.keys)
        return started.started > 0
