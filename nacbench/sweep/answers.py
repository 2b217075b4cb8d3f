"""Answers to the questions of ``nacbench sweep decide``: verdicts from looks after every seed, and seeds still needed.

Comparisons are judged together by Holm's step-down procedure: those that are decided at the level divided by their
number are decided, the others are judged at the level divided by the number of those that are left, and so on. All that
were planned count, also those without any run. Each claim is judged at the whole level by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal

from nacbench.recording.row import Run
from nacbench.reporting.anytime import LEVEL, Look, Verdict, decide, fewest, forecast, looks
from nacbench.reporting.paper.claims import Side
from nacbench.sweep.questions import Question

Records = Mapping[str, Mapping[int, Run]]  # finished runs by series and seed
Word = Literal["better", "worse", "equivalent", "met", "not met", "undecided", "contradictory"]
FAR = 5.0
OPEN: tuple[Word, ...] = ("undecided", "contradictory")
OF_CLAIMS: Mapping[Verdict, Word] = {"better": "met", "worse": "not met"}


@dataclass(frozen=True)
class Answer:
    """What the finished runs say about a question.

    Attributes:
        question: the question.
        verdict: of the first model against the second, or whether a claim's bars are met; ``contradictory`` is
            undecided, and no more seeds will change that.
        seeds: number of seeds that were looked at.
        decided: number of seeds at which the verdict was reached; None if it is open.
        level: probability of a wrong verdict, after correction.
        looks: after each seed, for each number that decides; relative to its bar.
        bars: that the numbers are compared with.
        need: seeds that decide in all, if the effect is as measured; None for more than can be forecast.
        runs: a finished run of each series, if all have one.
        far_off: seeds that lie far from the others, as where a model collapses: then the test may not hold.
    """

    question: Question
    verdict: Word
    seeds: int
    decided: int | None
    level: float
    looks: tuple[tuple[Look, ...], ...]
    bars: tuple[float, ...]
    need: int | None
    far_off: tuple[int, ...] = ()
    runs: tuple[Run, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether there is no verdict."""
        return self.verdict in OPEN

    @property
    def values(self) -> list[tuple[float, float, float]]:
        """Mean, and ends of the interval at the level, of each number that decides."""
        return [
            (own[-1].mean + bar, own[-1].low + bar, own[-1].high + bar)
            for own, bar in zip(self.looks, self.bars, strict=True)
        ]


def answers(questions: Sequence[Question], records: Records, margin: float = 0.0) -> list[Answer]:
    """Return the answer to each question.

    Args:
        questions: all comparisons and claims, in any order.
        records: finished runs.
        margin: of practical equivalence, for comparisons, as differences are shown.
    """
    sides = [question.sides(records) for question in questions]
    margins = [question.margin(margin) for question in questions]
    family = [number for number, question in enumerate(questions) if question.claim is None]
    levels = holm_levels([sides[number] for number in family], [margins[number] for number in family])
    by_number = dict(zip(family, levels, strict=True))
    return [
        replace(_answer(question, own, by_number.get(number, LEVEL), margins[number]), runs=question.firsts(records))
        for number, (question, own) in enumerate(zip(questions, sides, strict=True))
    ]


def holm_levels(family: Sequence[Sequence[Side]], margins: Sequence[float], level: float = LEVEL) -> list[float]:
    """Return the level at which each comparison of a family is judged, by Holm's step-down procedure.

    Args:
        family: what decides each comparison; nothing if it has no seed yet.
        margins: of practical equivalence, of each.
        level: probability that any of the verdicts is ever wrong.
    """
    levels: dict[int, float] = {}
    while len(levels) < len(family):
        own = level / (len(family) - len(levels))
        open_ones = [number for number in range(len(family)) if number not in levels]
        reached = [
            number for number in open_ones if _verdict(_looks(family[number], own), margins[number])[0] not in OPEN
        ]
        if not reached:
            return [levels.get(number, own) for number in range(len(family))]
        levels |= dict.fromkeys(reached, own)
    return [levels[number] for number in range(len(family))]


def _looks(sides: Sequence[Side], level: float) -> tuple[tuple[Look, ...], ...]:
    return tuple(
        tuple(looks([value - side.bar for value in side.by_seed.values()], floor=side.floor, level=level))
        for side in sides
    )


def _verdict(found: Sequence[Sequence[Look]], margin: float) -> tuple[Verdict, int | None]:
    """Return the verdict of one or two numbers, and the number of seeds at which it was reached.

    Of two, one below its bar decides at once; both must be above.
    """
    decisions = [decide(own, margin) for own in found]
    below = [one.seeds for one in decisions if one.verdict == "worse" and one.seeds is not None]
    if below:
        return "worse", min(below)
    verdicts = {one.verdict for one in decisions}
    if len(verdicts) == 1:
        (verdict,) = verdicts
        reached = [one.seeds for one in decisions if one.seeds is not None]
        return verdict, max(reached, default=None)
    return ("contradictory" if "contradictory" in verdicts else "undecided"), None


def _answer(question: Question, sides: Sequence[Side], level: float, margin: float) -> Answer:
    found = _looks(sides, level)
    verdict, decided = _verdict(found, margin)
    word: Word = OF_CLAIMS.get(verdict, verdict) if question.claim is not None else verdict
    seeds = min((len(own) for own in found), default=0)
    if word in OPEN:
        decided = None
    bars = tuple(side.bar for side in sides)
    need = _need(found, level, margin, seeds)
    return Answer(question, word, seeds, decided, level, found, bars, need, _far_off(sides))


def _far_off(sides: Sequence[Side]) -> tuple[int, ...]:
    """Return the seeds that lie more than ``FAR`` median deviations, or test examples, from the median."""
    found: set[int] = set()
    for side in sides:
        centre = median(side.by_seed.values())
        usual = max(median(abs(value - centre) for value in side.by_seed.values()), side.floor)
        found |= {seed for seed, value in side.by_seed.items() if abs(value - centre) > FAR * usual}
    return tuple(sorted(found))


def _need(found: Sequence[Sequence[Look]], level: float, margin: float, seeds: int) -> int | None:
    """Return the forecast of the number that needs most seeds, or of the first that is sure to be below its bar."""
    if not seeds:
        return fewest(level)
    needs = [(own[-1], forecast(own[-1], margin, level)) for own in found]
    below = [need for look, need in needs if look.mean < 0 and need is not None]
    if len(needs) > 1 and below:
        return min(below)
    every = [need for _, need in needs if need is not None]
    return max(every) if len(every) == len(needs) else None
