"""What ``nacbench sweep decide`` was asked in some stores, with what their runs say by now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from nacbench.contracts.metric import Metric
from nacbench.recording.decisions import Asked, Decision
from nacbench.recording.row import Run
from nacbench.reporting.decided import Case, Judged, claimed, compared, in_units, judge_all
from nacbench.reporting.paper.claims import Claim, Side, read_claims
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

    Args:
        decisions: of all stores; one that copies of a store have, too, counts once.
        runs: finished runs.
    """
    by_series: dict[str, list[Run]] = {}
    for run in runs:
        by_series.setdefault(run.series, []).append(run)
    series = {key: Series(sorted(own, key=lambda run: run.seed), {}, {}) for key, own in by_series.items()}
    return [one for own in {known.file_name: known for known in decisions}.values() for one in _answered(own, series)]


def _answered(decision: Decision, series: Mapping[str, Series]) -> Iterator[Answered]:
    claims = {claim.name: claim for claim in read_claims().claims}
    parts, cases = [], []
    for is_claim, some in ((False, decision.comparisons), (True, decision.claims)):
        for asked in some:
            members = [series[member.series] for member in asked.members if member.series in series]
            whole = len(members) == len(asked.members)
            sides = _sides(asked, claims.get(asked.name) if is_claim else None, members) if whole else []
            margin = 0.0 if is_claim else decision.margin
            parts.append((asked, is_claim, margin, members))
            cases.append(Case(sides, in_units(margin, members[0].measure) if members else margin, is_claim))
    for part, judged in zip(parts, judge_all(cases), strict=True):
        yield Answered(*part, judged)


def _sides(asked: Asked, claim: Claim | None, members: Sequence[Series]) -> list[Side]:
    """Return what decides; nothing for somebody's own claim, or one whose bar is another than it was."""
    found = compared(*members) if claim is None and len(members) == 2 else []
    if claim is not None and len(members) == len(claim.models):
        found = claimed(claim, members)
    return found if tuple(side.bar for side in found) == asked.bars else []
