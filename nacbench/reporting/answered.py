"""What ``nacbench sweep decide`` was asked in some stores, with what their runs say by now."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from nacbench.contracts.metric import Metric
from nacbench.recording.decisions import Asked, Decision
from nacbench.recording.row import Run
from nacbench.reporting.decided import Case, Judged, claimed, compared, in_units, judge_all
from nacbench.reporting.paper.claims import Claim, Side
from nacbench.reporting.paper.read_claims import read_claims
from nacbench.reporting.series import Series


@dataclass(frozen=True)
class Answered:
    """A question that was asked, and its answer.

    Attributes:
        asked: as it was written down before the first run.
        is_claim: whether it is a claim of the paper.
        margin: of practical equivalence, as differences are shown; 0 of a claim.
        members: the series with runs, of those that take part.
        judged: what the seeds say.
    """

    asked: Asked
    is_claim: bool
    margin: float
    members: Sequence[Series]
    judged: Judged

    @property
    def metric(self) -> Metric:
        """The main metric of the task; there is at least one member."""
        return self.members[0].measure


def answered(decisions: Sequence[Decision], runs: Sequence[Run]) -> list[Answered]:
    """Return all questions, those without any run, too: they count for Holm's correction.

    All comparisons that were ever asked are judged together, whichever command asked them, and each once.

    Args:
        decisions: of all stores.
        runs: finished runs.
    """
    found = list(_questions(decisions, runs))
    judged = judge_all([one.case for one in found])
    return [
        Answered(one.asked, one.is_claim, one.margin, one.members, own) for one, own in zip(found, judged, strict=True)
    ]


def comparisons_besides(
    known: Collection[tuple[object, ...]], decisions: Sequence[Decision], runs: Sequence[Run]
) -> list[Case]:
    """Return the comparisons that were asked before, without some.

    Args:
        known: keys of those that are left out, as `nacbench.recording.decisions.Asked.key`.
        decisions: of a store.
        runs: its finished runs.
    """
    return [one.case for one in _questions(decisions, runs) if not one.is_claim and one.asked.key not in known]


class _Question(NamedTuple):
    asked: Asked
    is_claim: bool
    margin: float
    members: Sequence[Series]
    case: Case


def _questions(decisions: Sequence[Decision], runs: Sequence[Run]) -> Iterator[_Question]:
    """Yield each question once.

    Left out are claims of somebody's own, which no report knows, and those whose bar is another than it was.
    """
    by_series: dict[str, list[Run]] = {}
    for run in runs:
        by_series.setdefault(run.series, []).append(run)
    series = {key: Series(sorted(own, key=lambda run: run.seed), {}, {}) for key, own in by_series.items()}
    claims = {claim.name: claim for claim in read_claims().claims}
    seen = set()
    for decision in decisions:
        for is_claim, some in ((False, decision.comparisons), (True, decision.claims)):
            margin = 0.0 if is_claim else decision.margin
            for asked in some:
                claim = claims.get(asked.name) if is_claim else None
                if (asked.key, margin) in seen or (is_claim and claim is None):
                    continue
                seen.add((asked.key, margin))
                members = [series[member.series] for member in asked.members if member.series in series]
                sides = _sides(claim, members) if len(members) == len(asked.members) else []
                if claim is not None and tuple(side.bar for side in sides) not in ((), asked.bars):
                    continue
                within = in_units(margin, members[0].measure) if members else margin
                yield _Question(asked, is_claim, margin, members, Case(sides, within, claim))


def _sides(claim: Claim | None, members: Sequence[Series]) -> list[Side]:
    if claim is None:
        return compared(*members) if len(members) == 2 else []
    return claimed(claim, members) if len(members) == len(claim.models) else []
