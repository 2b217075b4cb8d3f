"""Answers to the questions of ``nacbench sweep decide``: what the finished runs say of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nacbench.recording.row import Run
from nacbench.reporting.decided import Case, Judged, judge_all
from nacbench.sweep.questions import Question

Records = Mapping[str, Mapping[int, Run]]  # finished runs by series and seed


@dataclass(frozen=True, kw_only=True)
class Answer(Judged):
    """What the finished runs say about a question.

    Attributes:
        question: the question.
        runs: a finished run of each series, if all have one.
    """

    question: Question
    runs: tuple[Run, ...] = ()


def answers(
    questions: Sequence[Question], records: Records, margin: float = 0.0, besides: Sequence[Case] = ()
) -> list[Answer]:
    """Return the answer to each question.

    Args:
        questions: all comparisons and claims, in any order.
        records: finished runs.
        margin: of practical equivalence, for comparisons, as differences are shown.
        besides: comparisons that were asked before in this store: all are judged together.
    """
    judged = judge_all([*(question.decided_by(records, margin) for question in questions), *besides])
    return [
        Answer(question=question, runs=question.firsts(records), **vars(own))
        for question, own in zip(questions, judged, strict=False)  # without those besides
    ]
