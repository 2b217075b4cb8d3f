"""What a search has found so far, from the records: scores of all trials, which go on to the next rung, and the best.

All of it is computed from the file of `nacbench.recording.searches` and the runs: whoever looks sees the same, in
whatever order runs ended, and after any number of restarts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from nacbench.contracts.metric import Metric
from nacbench.protocols.grid import is_at_edge
from nacbench.recording.record import Failure
from nacbench.recording.row import Run
from nacbench.recording.searches import Search


@dataclass(frozen=True)
class Result:
    """A trial on a rung.

    Attributes:
        number: of the trial.
        settings: values by name, as for ``--set``.
        runs: its finished runs.
        failures: its failed runs.
        is_lost: whether it counts as worst: a run failed by a cause that loses, or its score is no finite number.
        is_over: whether nothing is missing for its score.
    """

    number: int
    settings: Mapping[str, Any]
    runs: Sequence[Run]
    failures: Sequence[Failure]
    is_lost: bool
    is_over: bool

    @property
    def score(self) -> float:
        """Mean over seeds on validation examples; NaN if it has none, or is lost."""
        return fmean(run.score for run in self.runs) if self.runs and self.is_over and not self.is_lost else math.nan

    @property
    def nll(self) -> float:
        """Mean negative log-likelihood on validation examples in nats; infinite if runs do not have it."""
        found = fmean(run.numbers().get("nll", math.inf) for run in self.runs) if self.runs else math.inf
        return found if math.isfinite(found) else math.inf

    def order(self, metric: Metric) -> tuple[bool, float, float, int]:
        """Return a key that sorts results, the best first: by score, then by likelihood, then by number."""
        return self.is_lost, metric.order(self.score), self.nll, self.number


@dataclass(frozen=True)
class Rung:
    """The trials that have reached a rung; ``budget`` is what each has there, such as epochs."""

    budget: int
    results: Sequence[Result]

    @property
    def is_over(self) -> bool:
        """Whether all trials have ended."""
        return all(result.is_over for result in self.results)


@dataclass(frozen=True)
class Searched:
    """The state of a search.

    Attributes:
        search: what was to be tried.
        rungs: those that have been reached, the first one first.
        metric: what scores mean; None before the first run is finished.
    """

    search: Search
    rungs: Sequence[Rung]
    metric: Metric | None

    @property
    def is_over(self) -> bool:
        """Whether all trials of all rungs have ended."""
        return len(self.rungs) == len(self.search.budgets) and self.rungs[-1].is_over

    @property
    def best(self) -> Result | None:
        """The best trial with the whole budget; None while the search goes on, or if all of these have failed."""
        if not self.is_over or self.metric is None:
            return None
        best = self.ranked(self.rungs[-1])[0]
        return None if best.is_lost else best

    @property
    def lost(self) -> Iterator[Result]:
        """Trials that failed and count as worst, with their rungs' results."""
        return (result for rung in self.rungs for result in rung.results if result.is_lost)

    @property
    def stopped_by(self) -> list[Failure]:
        """Failures that keep it from going on: of causes that do not lose."""
        results = (result for rung in self.rungs for result in rung.results if not result.is_over)
        return [failure for result in results for failure in result.failures if failure.status == "failed"]

    @property
    def at_the_edge(self) -> list[str]:
        """Settings whose best value is the smallest or largest of all that were tried."""
        best = self.best
        if best is None:
            return []
        found = []
        for name, value in best.settings.items():
            values = [point.settings[name] for point in self.search.points]
            numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in values)
            if numbers and is_at_edge(values, value):
                found.append(name)
        return found

    @property
    def runs(self) -> list[Run]:
        """All finished runs of the rungs."""
        return [run for rung in self.rungs for result in rung.results for run in result.runs]

    def ranked(self, rung: Rung) -> list[Result]:
        """Return the results of a rung, the best first."""
        metric = self.metric
        return sorted(rung.results, key=lambda one: one.order(metric) if metric else (one.is_lost, 0, 0, one.number))


def state_of(search: Search, runs: Mapping[str, Run], failures: Mapping[str, Failure]) -> Searched:
    """Return the state of a search.

    Args:
        search: what is to be tried.
        runs: finished runs by id.
        failures: failures of runs without a record, by id.
    """
    own = search.run_ids
    metric = next((runs[run_id].measure for run_id in sorted(own) if run_id in runs), None)
    rungs: list[Rung] = []
    entrants = list(range(search.sizes[0]))
    for rung, budget in enumerate(search.budgets):
        results = [_result(search, number, rung, runs, failures) for number in sorted(entrants)]
        rungs.append(Rung(budget, results))
        if not rungs[-1].is_over or rung + 1 == len(search.budgets):
            break
        ranked = Searched(search, rungs, metric).ranked(rungs[-1])
        entrants = [result.number for result in ranked[: search.sizes[rung + 1]]]
    return Searched(search, rungs, metric)


def _result(search: Search, number: int, rung: int, runs: Mapping[str, Run], failures: Mapping[str, Failure]) -> Result:
    point = search.points[number]
    ids = point.runs[rung]
    done = [runs[run_id] for run_id in ids if run_id in runs]
    failed = [failures[run_id] for run_id in ids if run_id in failures and run_id not in runs]
    losing = [failure for failure in failed if failure.status == "failed" and failure.cause in search.lose]
    ended = len(done) + len(losing) == len(ids)
    is_lost = bool(losing) or not all(math.isfinite(run.score) for run in done)
    return Result(number, point.settings, done, failed, is_lost=ended and is_lost, is_over=ended)


def states_of(searches: Iterable[Search], runs: Iterable[Run], failures: Iterable[Failure]) -> list[Searched]:
    """Return the states of some searches, in their order."""
    by_id = {run.run_id: run for run in runs}
    failed = {failure.run_id: failure for failure in failures}
    return [state_of(search, by_id, failed) for search in searches]


def latest(states: Iterable[Searched]) -> list[Searched]:
    """Return the search of each model, task, size and scale that began last, sorted by these."""
    found = {state.search.place: state for state in states}
    return [found[place] for place in sorted(found)]
