"""Table of what ``nacbench sweep decide`` was asked, and what is decided by now."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from nacbench.reporting.answered import Answered
from nacbench.reporting.anytime import FUTILE_BEYOND, FUTILE_FROM
from nacbench.reporting.decided import Judged
from nacbench.reporting.tables.table import Column, Table, frame_of
from nacbench.reporting.treatment import Choices, differences, in_words

HEADS = (
    Column("task"),
    Column("question"),
    Column("verdict"),
    Column("measured"),
    Column("seeds", number=True),
    Column("needed", number=True),
)


def decisions_table(every: Sequence[Answered], tuned: Choices, note: str = "") -> Table | None:
    """Return the questions of which both sides have a run, with their verdicts; None without any.

    Args:
        every: all that was asked.
        tuned: what is known of tuning, which decides whether two models were treated equally.
        note: a line for below the table.
    """

    shown = sorted((one for one in every if one.judged.seeds), key=lambda one: (one.is_claim, one.asked.task))
    if not shown:
        return None
    notes = [*filter(None, [note]), *_rules(shown, every), *(note for one in shown for note in _remarks(one, tuned))]
    frame = frame_of([numbers for one in shown for numbers in _numbers(one)])
    return Table("decisions", "Decided by adding seeds", HEADS, [_cells(one) for one in shown], notes, frame)


def _cells(one: Answered) -> tuple[str, ...]:
    judged, metric = one.judged, one.metric
    verdict, measured = judged.in_words(metric, one.margin), judged.measured(metric)
    seeds = f"{judged.decided} of {judged.seeds}" if judged.decided else str(judged.seeds)
    needed = "over 1,000" if judged.need is None else f"{judged.need:,}"
    return one.asked.task, one.asked.name, verdict, measured, seeds, needed if judged.is_open else ""


def _numbers(one: Answered) -> Iterator[dict[str, Any]]:
    """Yield a line of the CSV file for each number that decides."""
    judged = one.judged
    for number, ((mean, low, high), bar) in enumerate(zip(judged.values, judged.bars, strict=True)):
        yield {
            "task": one.asked.task,
            "scale": one.asked.scale,
            "question": one.asked.name,
            "kind": "claim" if one.is_claim else "comparison",
            "verdict": _word(judged),
            "number": number,
            "value": mean,
            "low": low if math.isfinite(low) else math.nan,
            "high": high if math.isfinite(high) else math.nan,
            "bar": bar,
            "margin": one.margin,
            "level": judged.level,
            "seeds": judged.seeds,
            "decided_at": judged.decided,
            "seeds_needed": judged.need if judged.is_open else None,
        }


def _word(judged: Judged) -> str:
    return "futile" if judged.is_futile else "undecided" if judged.is_open else judged.verdict


def _rules(shown: Sequence[Answered], every: Sequence[Answered]) -> list[str]:
    compared = sum(not one.is_claim for one in every)
    lines = [
        "Measured: the mean of paired differences over seeds, + if the first is better, with an interval that holds "
        "however often one looked. Seeds: at which it was decided, of all there are; needed: in all, if the effect is "
        "as measured.",
    ]
    if compared:
        without = compared - sum(not one.is_claim for one in shown)
        unseen = f", {without} without a run on both sides yet" if without else ""
        lines.append(
            "The probability that any of the comparisons that were asked is decided wrongly is at most 5 % "
            f"(Holm; {compared} in all{unseen}); intervals are at the level that this takes."
        )
    if any(one.judged.is_futile for one in shown):
        lines.append(f"Futile: undecided after {FUTILE_FROM} seeds or more, and over {FUTILE_BEYOND} are needed.")
    if any(one.is_claim for one in shown):
        lines.append(
            "Agrees, disagrees: with a claim, at 95 % for each; a trade has gain and loss, with its sign turned. "
            "Why: nacbench claims."
        )
    return lines


def _remarks(one: Answered, tuned: Choices) -> Iterator[str]:
    """Yield what speaks against a verdict."""
    title = f"{one.asked.task} · {one.asked.name}"
    if one.judged.verdict == "contradictory":
        yield f"{title}: the seeds contradict each other: they are not of one distribution."
    if one.judged.far_off:
        yield f"{title}: far off from the others: seed {', '.join(map(str, one.judged.far_off))}."
    if unequal := in_words(differences([item.first for item in one.members], tuned)):
        yield f"{title}: not treated equally: {unequal}."
