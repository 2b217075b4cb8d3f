"""Table of what ``nacbench sweep decide`` was asked, and what is decided by now."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from nacbench.recording.decisions import Asked, Decision
from nacbench.recording.row import Run
from nacbench.reporting.decided import Judged, Question, compared, from_the_first, in_units, judge_all
from nacbench.reporting.paper.claims import Claim, Side, read_claims
from nacbench.reporting.series import Series
from nacbench.reporting.tables.table import Column, Table
from nacbench.reporting.treatment import Choices, differences, in_words

HEADS = (
    Column("task"),
    Column("question"),
    Column("verdict"),
    Column("measured"),
    Column("seeds", number=True),
    Column("needed", number=True),
)


class _Row(NamedTuple):
    asked: Asked
    margin: float  # as differences are shown
    is_claim: bool
    members: Sequence[Series]
    judged: Judged


def decisions_table(decisions: Sequence[Decision], runs: Sequence[Run], tuned: Choices) -> Table | None:
    """Return each question of which both sides have a run, with its verdict by all runs; None without any.

    Args:
        decisions: as they were written down before the first run.
        runs: finished runs.
        tuned: what is known of tuning, which decides whether two models were treated equally.
    """
    import pandas as pd

    by_series: dict[str, list[Run]] = {}
    for run in runs:
        by_series.setdefault(run.series, []).append(run)
    series = {key: Series(sorted(own, key=lambda run: run.seed), {}, {}) for key, own in by_series.items()}
    asked = {decision.file_name: decision for decision in decisions}  # once, though copies of a store have it, too
    every = [row for decision in asked.values() for row in _rows(decision, series)]
    shown = sorted((row for row in every if row.judged.seeds), key=lambda row: (row.is_claim, row.asked.task))
    if not shown:
        return None
    notes = [*_rules(shown, every), *(note for row in shown for note in _remarks(row, tuned))]
    frame = pd.DataFrame([numbers for row in shown for numbers in _numbers(row)])
    return Table("decisions", "Decided by adding seeds", HEADS, [_cells(row) for row in shown], notes, frame)


def _rows(decision: Decision, series: Mapping[str, Series]) -> Iterator[_Row]:
    """Yield all questions: those without any run count for Holm's correction, too."""
    claims = {claim.name: claim for claim in read_claims().claims}
    rows, questions = [], []
    for is_claim, some in ((False, decision.comparisons), (True, decision.claims)):
        for asked in some:
            members = [series[member.series] for member in asked.members if member.series in series]
            known = len(members) == len(asked.members)
            sides = _sides(asked, claims.get(asked.name) if is_claim else None, members) if known else []
            margin = 0.0 if is_claim else decision.margin
            rows.append((asked, margin, is_claim, members))
            questions.append(Question(sides, in_units(margin, members[0].measure) if members else margin, is_claim))
    for row, judged in zip(rows, judge_all(questions), strict=True):
        yield _Row(*row, judged)


def _sides(asked: Asked, claim: Claim | None, members: Sequence[Series]) -> list[Side]:
    """Return what decides; nothing for somebody's own claim, or one whose bar is another than it was."""
    found = compared(*members) if claim is None and len(members) == 2 else []
    if claim is not None and len(members) == len(claim.models):
        found = from_the_first(claim.sides(*members))
    return found if tuple(side.bar for side in found) == asked.bars else []


def _cells(row: _Row) -> tuple[str, ...]:
    judged, metric = row.judged, row.members[0].measure
    verdict, measured = judged.in_words(metric, row.margin), judged.measured(metric)
    seeds = f"{judged.decided} of {judged.seeds}" if judged.decided else str(judged.seeds)
    needed = "over 1,000" if judged.need is None else f"{judged.need:,}"
    return row.asked.task, row.asked.name, verdict, measured, seeds, needed if judged.is_open else ""


def _numbers(row: _Row) -> Iterator[dict[str, Any]]:
    """Yield a line of the CSV file for each number that decides."""
    judged = row.judged
    for number, ((mean, low, high), bar) in enumerate(zip(judged.values, judged.bars, strict=True)):
        yield {
            "task": row.asked.task,
            "scale": row.asked.scale,
            "question": row.asked.name,
            "kind": "claim" if row.is_claim else "comparison",
            "verdict": "undecided" if judged.is_open else judged.verdict,
            "number": number,
            "value": mean,
            "low": low if math.isfinite(low) else math.nan,
            "high": high if math.isfinite(high) else math.nan,
            "bar": bar,
            "margin": row.margin,
            "level": judged.level,
            "seeds": judged.seeds,
            "decided_at": judged.decided,
            "seeds_needed": judged.need if judged.is_open else None,
        }


def _rules(shown: Sequence[_Row], every: Sequence[_Row]) -> list[str]:
    compared = sum(not row.is_claim for row in every)
    lines = [
        "Measured: the mean of paired differences over seeds, + if the first is better, with an interval that holds "
        "however often one looked. Seeds: at which it was decided, of all there are; needed: in all, if the effect is "
        "as measured.",
    ]
    if compared:
        without = compared - sum(not row.is_claim for row in shown)
        unseen = f" ({without} without a run on both sides yet)" if without else ""
        lines.append(
            f"The probability that any of the {compared} comparisons that were asked{unseen} is decided wrongly is at "
            "most 5 % (Holm); intervals are at the level that this takes."
        )
    if any(row.is_claim for row in shown):
        lines.append(
            "Met, not met: the bar of a claim, at 95 % for each; a gain and a loss, with its sign turned, are both to "
            "be met. What that says of the claim: nacbench claims."
        )
    return lines


def _remarks(row: _Row, tuned: Choices) -> Iterator[str]:
    """Yield what speaks against a verdict."""
    title = f"{row.asked.task} · {row.asked.name}"
    if row.judged.verdict == "contradictory":
        yield f"{title}: the seeds contradict each other: they are not of one distribution."
    if row.judged.far_off:
        yield f"{title}: far off from the others: seed {', '.join(map(str, row.judged.far_off))}."
    if unequal := in_words(differences([item.first for item in row.members], tuned)):
        yield f"{title}: not treated equally: {unequal}."
