"""Add seeds where a comparison or a claim is undecided, the cheapest decisive ones first, and stop at a verdict.

All state is in the records, and in the file of `nacbench.recording.decisions`: whoever starts it again goes on. A look
at n seeds is made when all seeds below n have ended on both sides, in whatever order they did.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from nacbench.errors import UserError
from nacbench.filesystem.files import utc_now
from nacbench.machine import slurm
from nacbench.recording.decisions import Decision, as_begun, begin, read_decisions
from nacbench.recording.index import Runs, read_runs
from nacbench.recording.record import Cause
from nacbench.recording.row import Run
from nacbench.reporting.answered import comparisons_besides
from nacbench.reporting.anytime import FUTILE_BEYOND, LEVEL, PRIOR, fewest
from nacbench.sweep.answers import Answer, answers
from nacbench.sweep.beforehand import LARGEST_MARGIN
from nacbench.sweep.costs import Costs
from nacbench.sweep.failure_files import note_failures
from nacbench.sweep.observer import Observer
from nacbench.sweep.plan import Place, Plan, PlannedRun
from nacbench.sweep.questions import Question
from nacbench.sweep.starting import OUTSIDE, POLL_SECONDS, Starter
from nacbench.sweep.state import LIVE, Standing
from nacbench.sweep.submission import sole_submitter
from nacbench.sweep.submitting import Say

Stop = Literal["", "most", "budget", "futile", "failed", "contradictory"]


@dataclass(frozen=True)
class Limits:
    """What is decided, and when it ends.

    Attributes:
        first, most: seeds before the first look, and at the last one.
        margin: of practical equivalence, as differences are shown: in points of an accuracy, otherwise in units of the
            metric; 0: there is no equivalence.
        budget: core-seconds of runs that end after the beginning; None: without a limit.
        gives_up: whether a comparison ends that needs more than ``FUTILE_BEYOND`` seeds.
        retried: causes of failure whose runs are started again.
    """

    first: int = 3
    most: int = 20
    margin: float = 0.0
    budget: float | None = None
    gives_up: bool = True
    retried: tuple[Cause, ...] = OUTSIDE

    def __post_init__(self) -> None:
        """Check that the numbers fit each other."""
        if self.first > self.most:
            raise UserError(f"--first {self.first} is more than --most {self.most}; give fewer first seeds")
        if self.most < fewest():
            raise UserError(f"--most {self.most} cannot decide anything; give at least {fewest()} seeds")
        if not 0 <= self.margin <= LARGEST_MARGIN:  # NaN, too
            raise UserError(f"--margin {self.margin:g}: give a number from 0 to {LARGEST_MARGIN:g}")


@dataclass(frozen=True)
class Outlook:
    """An answer, with what comes next.

    Attributes:
        answer: by the finished runs.
        missing: runs that are not done, up to the number of seeds that is expected to decide.
        seconds: core-seconds of these, as far as they can be estimated.
        beyond: core-seconds of the seeds beyond the last one that are expected to be needed.
        unknown: number of missing runs that cannot be estimated.
        stop: why no seed is added although there is no verdict; empty if there is, or one is.
        why: the same for readers: which seed failed, and how.
    """

    answer: Answer
    missing: tuple[PlannedRun, ...] = ()
    seconds: float = 0.0
    beyond: float = 0.0
    unknown: int = 0
    stop: Stop = ""
    why: str = ""


@dataclass(frozen=True)
class Situation:
    """All questions at one moment.

    Attributes:
        outlooks: one for each question, in their order.
        due: runs that are started next, the cheapest decisive ones first.
        live: number of runs that are running or queued.
        spent: core-seconds of runs that have ended since the beginning.
        ahead: core-seconds of the missing runs of all questions, each counted once, as far as they can be estimated.
        unknown: number of these runs that cannot be.
    """

    outlooks: tuple[Outlook, ...]
    due: tuple[PlannedRun, ...]
    live: int
    spent: float
    ahead: float
    unknown: int


@dataclass
class Decider:
    """Decides questions by the runs of a plan.

    Attributes:
        plan: with all seeds that may be needed.
        place: store and data.
        questions: what is decided.
        limits: when it ends.
        say: called with lines of progress of the runs.
        show: called with each new situation.
        warn: called with lines about files that cannot be read.

    Raises:
        UserError: if one of the comparisons was begun with another margin.
    """

    plan: Plan
    place: Place
    questions: Sequence[Question]
    limits: Limits
    say: Say
    show: Callable[[Situation], None] = lambda situation: None
    warn: Callable[[Sequence[str]], None] = lambda lines: None
    began: str = ""
    _starter: Starter = field(init=False)

    def __post_init__(self) -> None:
        """Refuse another margin than before, in a dry run too; look up what is asked of the plan again and again."""
        as_begun(self.place.store, decision := self._decision())
        self._keys = {asked.key for asked in decision.questions}
        self._by_key = self.plan.by_key()
        own = {run.key: run for question in self.questions for run in self._runs(question, range(self.limits.most))}
        self._own = list(own.values())
        self._starter = Starter(self.plan, self.place, self.say, self.warn, self.limits.retried)

    def run(self) -> Situation:
        """Add seeds until all questions are decided or stopped; return the last situation.

        Raises:
            UserError: if Slurm refuses.
        """
        with sole_submitter(self.place.store, "decider", "decides in"):
            self.began = begin(self.place.store, self._decision()).began
            pause = POLL_SECONDS[0]
            while True:
                situation = self.look()
                self.show(situation)
                if situation.due and self._starter.start(situation.due):
                    pause = POLL_SECONDS[0]
                elif situation.live or situation.due:
                    time.sleep(pause)
                    pause = min(pause * 1.5, POLL_SECONDS[1])
                else:
                    return situation

    def look(self) -> Situation:
        """Return the situation by the finished runs and Slurm's queue.

        Raises:
            UserError: if seeds were submitted to Slurm, and it is not on this machine.
        """
        observer = Observer(self.place.store)
        standings = observer.standings(self._own)
        # records after states: a run that ends in between is live and counts, instead of being done and not counting
        found = read_runs(self.place.store) if self.place.store.is_dir() else Runs([])
        records: dict[str, dict[int, Run]] = {}
        for run in found.runs:
            records.setdefault(run.series, {})[run.seed] = run
        self._starter.look(observer, standings)
        if self.began:
            note_failures(Plan(self.plan.sweep, tuple(self._own)), self.place, observer, standings)
        silence = [f"{observer.silence}; waiting for it"] if observer.is_silent and slurm.is_available() else []
        self.warn([*found.broken, *observer.broken, *silence])
        view = _View(self, standings, Costs(found.runs), self._spent(found.runs))
        besides = comparisons_besides(self._keys, read_decisions(self.place.store), found.runs)
        every = answers(self.questions, records, self.limits.margin, besides)
        outlooks = [view.outlook(answer) for answer in every]
        return view.situation(outlooks)

    def _decision(self) -> Decision:
        return Decision(
            sweep=self.plan.sweep.name,
            began=utc_now(),
            level=LEVEL,
            prior=PRIOR,
            margin=self.limits.margin,
            first=self.limits.first,
            most=self.limits.most,
            comparisons=tuple(one.asked() for one in self.questions if one.claim is None),
            claims=tuple(one.asked() for one in self.questions if one.claim is not None),
        )

    def _spent(self, runs: Iterable[Run]) -> float:
        keys = {run.run_id for run in self._own}
        return sum(run.core_seconds for run in runs if self.began and run.run_id in keys and run.finished >= self.began)

    def _runs(self, question: Question, seeds: Iterable[int]) -> Iterator[PlannedRun]:
        """Yield the runs of these seeds, each after the runs that train its network."""
        for seed in seeds:
            for entrant in question.entrants:
                if seed in entrant.runs:
                    yield from self._with_networks(entrant.runs[seed])

    def _with_networks(self, run: PlannedRun) -> Iterator[PlannedRun]:
        if run.trained_on in self._by_key:
            yield from self._with_networks(self._by_key[run.trained_on])
        yield run


@dataclass
class _View:
    """One look: what is known of runs and costs."""

    decider: Decider
    standings: dict[str, Standing]
    costs: Costs
    spent: float

    def outlook(self, answer: Answer) -> Outlook:
        """Return an answer with what comes next for it."""
        limits = self.decider.limits
        if not answer.is_open:
            return Outlook(answer)
        need = max(limits.first, answer.need or FUTILE_BEYOND + 1)
        missing = self._missing(answer, range(answer.seeds, min(need, limits.most)))
        seconds, unknown = self.costs.total(missing)
        pair, _ = self.costs.total(self.decider._runs(answer.question, [0]))
        beyond = pair * max(0, need - limits.most)
        stop, why = self._stop(answer)
        return Outlook(answer, tuple(missing), seconds, beyond, unknown, stop, why)

    def _missing(self, answer: Answer, seeds: Iterable[int]) -> list[PlannedRun]:
        runs = self.decider._runs(answer.question, seeds)
        return list({run.key: run for run in runs if self.standings[run.key].state != "done"}.values())

    def _stop(self, answer: Answer) -> tuple[Stop, str]:
        limits = self.decider.limits
        if answer.verdict == "contradictory":
            return "contradictory", "the seeds contradict each other: they are not of one distribution"
        if answer.seeds >= limits.most:
            return "most", ""
        if limits.gives_up and answer.is_futile:
            return "futile", ""
        seeds = range(answer.seeds, self._target(answer))
        for seed in seeds:
            if absent := [entrant.label for entrant in answer.question.entrants if seed not in entrant.runs]:
                return "failed", f"the sweep has no run of {absent[0]} with seed {seed}: exclude leaves it out"
        for run in self._missing(answer, seeds):
            if problem := self._problem(run):
                return "failed", f"{run.title} {problem}"
        return "", ""

    def _target(self, answer: Answer) -> int:
        """Return the number of seeds at the next look."""
        return min(max(self.decider.limits.first, answer.seeds + 1), self.decider.limits.most)

    def _problem(self, run: PlannedRun) -> str:
        """Return why a run that is not done will not be started, or nothing if it will, or is live."""
        standing, starter = self.standings[run.key], self.decider._starter
        state, folder = standing.state, run.folder(self.decider.place.store)
        if state in LIVE or state == "unknown" or starter.is_due(run, standing):  # a silent Slurm will answer later
            return ""
        how = f" ({standing.cause})" if standing.cause else ""
        often = f" {starter.often(run)} times" if starter.often(run) > 1 else ""
        was = "was " if state in ("lost", "cancelled") else "is " if state == "unreadable" else ""
        return f"{was}{state}{often}{how}: {standing.detail}; see {folder}{_way_out(standing, self.decider.limits)}"

    def situation(self, outlooks: Sequence[Outlook]) -> Situation:
        """Return the situation with the runs that are started next."""
        live = [run for run in self.decider._own if self.standings[run.key].state in (*LIVE, "unknown")]
        committed = self.spent + self.costs.total(live)[0]
        width = self._width()
        due: dict[str, PlannedRun] = {}
        places = {id(outlook): place for place, outlook in enumerate(outlooks)}
        ended = dict(enumerate(outlooks))
        # first one seed of what is not known to cost anything yet, so that the others can be put in order
        for outlook in sorted(outlooks, key=lambda one: (not one.unknown, one.seconds + one.beyond)):
            if not outlook.answer.is_open or outlook.stop:
                continue
            batch = [run for run in self._batch(outlook.answer) if run.key not in due]
            seconds, _ = self.costs.total(batch)
            budget = self.decider.limits.budget
            if budget is not None and (committed + seconds > budget or committed >= budget) and batch:
                ended[places[id(outlook)]] = replace(outlook, stop="budget")
            elif _at_once([*live, *due.values()]) < width:
                due |= {run.key: run for run in batch}
                committed += seconds
        missing = {run.key: run for one in ended.values() if not one.stop for run in one.missing}
        ahead, unknown = self.costs.total(missing.values())
        return Situation(tuple(ended.values()), tuple(due.values()), len(live), self.spent, ahead, unknown)

    def _batch(self, answer: Answer) -> list[PlannedRun]:
        """Return the runs to start for the next look; of a cost that is not known, those of a single seed."""
        seeds = range(answer.seeds, self._target(answer))
        missing = self._missing(answer, seeds)
        if self.costs.total(missing)[1]:
            missing = next((own for seed in seeds if (own := self._missing(answer, [seed]))), [])
        return [run for run in missing if self.standings[run.key].state not in (*LIVE, "unknown")]

    def _width(self) -> int:
        """Return the number of runs that can be computed at once."""
        profile = self.decider.plan.sweep.profile
        return {"debug": 1, "local": profile.processes, "slurm": profile.array_parallelism}[profile.executor]


def _way_out(standing: Standing, limits: Limits) -> str:
    """Return how a run that is not done, and is not started again, is started after all."""
    if standing.state == "unreadable":
        return ""
    if standing.cause is None or standing.cause in limits.retried:
        return "; the same command starts it again"
    return f"; --failed {standing.cause} starts it again"


def _at_once(runs: Sequence[PlannedRun]) -> int:
    """Return how many of some runs can be computed at once: those that do not wait for the network of another."""
    keys = {run.key for run in runs}
    return sum(run.trained_on not in keys for run in runs)
