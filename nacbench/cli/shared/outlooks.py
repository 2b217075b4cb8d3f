"""What ``nacbench sweep decide`` prints: what it expects to need, its progress, and verdicts."""

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from nacbench.cli.shared.tables import counted, print_table
from nacbench.cli.shared.warnings import warn
from nacbench.formats.terminal import say

if TYPE_CHECKING:
    from nacbench.sweep.answers import Answer
    from nacbench.sweep.deciding import Limits, Outlook, Situation
    from nacbench.sweep.plan import PlannedRun

CORE_HOUR = 3600.0  # core-seconds
NAMED_RUNS = 3  # of those that are started next


class Progress:
    """Prints what has changed since the last look.

    Args:
        limits: of the decision.
        quiet: print to standard error, as the output is JSON.
    """

    def __init__(self, limits: "Limits", *, quiet: bool) -> None:
        self._limits = limits
        self._quiet = quiet
        self._told: dict[int, int] = {}
        self._warned: set[str] = set()

    def say(self, line: str) -> None:
        """Print a line about a run."""
        say(line, err=self._quiet)

    def warn(self, lines: Iterable[str]) -> None:
        """Print warnings, each once."""
        fresh = [line for line in lines if line not in self._warned]
        self._warned |= set(fresh)
        warn(fresh)

    def show(self, situation: "Situation") -> None:
        """Print the questions that have more seeds than before, and what is started next."""
        for number, one in enumerate(situation.outlooks):
            seeds = one.answer.seeds
            if seeds and self._told.get(number, 0) != seeds:
                self._told[number] = seeds
                self.say(f"{_title(one.answer)}: {_measured(one.answer)} after {counted(seeds, 'seed')}; {_next(one)}")
        if situation.due:
            self.say(f"{_spent(situation, self._limits)}, expected: {_ahead(situation)}; next: {_runs(situation.due)}")


def _runs(due: "Sequence[PlannedRun]") -> str:
    more = f" and {len(due) - NAMED_RUNS} more" if len(due) > NAMED_RUNS else ""
    return ", ".join(run.title for run in due[:NAMED_RUNS]) + more


def _next(one: "Outlook") -> str:
    return f"undecided, {_seeds(one.answer)} in all" if one.answer.is_open else one.answer.verdict


def _title(answer: "Answer") -> str:
    return f"{answer.question.task} · {answer.question.name}"


def _seeds(answer: "Answer") -> str:
    return "more than 1,000 seeds" if answer.need is None else f"about {counted(answer.need, 'seed')}"


def _spent(situation: "Situation", limits: "Limits") -> str:
    of = f" of {limits.budget / CORE_HOUR:.2f}" if limits.budget is not None else ""
    return f"{situation.spent / CORE_HOUR:.2f}{of} core-hours spent"


def _ahead(situation: "Situation") -> str:
    if not situation.unknown:
        return f"{situation.ahead / CORE_HOUR:.2f}"
    unknown = f"not known for {counted(situation.unknown, 'run')}, as no similar one is done"
    return f"{situation.ahead / CORE_HOUR:.2f} and {unknown}" if situation.ahead else unknown


def _measured(answer: "Answer") -> str:
    return answer.measured(answer.question.metric)


def tell_outlook(name: str, situation: "Situation", limits: "Limits") -> None:
    """Print what is there, and what is expected to be needed, by task."""
    rows = []
    for one in sorted(situation.outlooks, key=lambda one: (one.answer.question.task, one.answer.question.name)):
        question = one.answer.question
        numbers = [str(one.answer.seeds), _expected(one), str(len(one.missing)), _hours(one, one.seconds)]
        rows.append([question.task, question.name, *numbers])
    say(f"{name}: {counted(len(rows), 'question')}, {limits.first} to {limits.most} seeds each")
    print_table(["task", "question", "seeds", "expected", "runs", "core-hours"], rows, right={2, 3, 4, 5})
    runs = {run.key for one in situation.outlooks for run in one.missing}
    most = f"up to seed {limits.most - 1}, each run done once"
    say(f"expected in all, {most}: {counted(len(runs), 'run')}, in core-hours: {_ahead(situation)}")


def _expected(one: "Outlook") -> str:
    """Return the number of seeds that is expected to decide."""
    if not one.answer.is_open:
        return "decided"
    if one.answer.need is None:
        return "over 1,000"
    return f"{one.answer.need:,}" if one.answer.seeds > 1 else f"{one.answer.need:,} or more"


def _hours(one: "Outlook", seconds: float) -> str:
    return "?" if one.unknown else f"{seconds / CORE_HOUR:.2f}"


def tell_verdicts(situation: "Situation", limits: "Limits") -> None:
    """Print the verdicts, and what more it would take where there is none."""
    rows = []
    for one in situation.outlooks:
        answer = one.answer
        seeds = f"{answer.decided} of {answer.seeds}" if answer.decided else str(answer.seeds)
        verdict = answer.in_words(answer.question.metric, 0 if answer.question.claim else limits.margin)
        rows.append([answer.question.task, answer.question.name, verdict, _measured(answer), seeds, _why(one)])
    print_table(
        ["task", "question", "verdict", "measured", "seeds", "remarks, and what more it would take"], rows, right={4}
    )
    compared = sum(one.answer.question.claim is None for one in situation.outlooks)
    if compared:
        say(
            "better, worse: the first model than the second; + is better. Verdicts and intervals are anytime-valid: "
            "however often one looked, the probability that any of the comparisons that were asked in this store is "
            "decided wrongly is at most 5 % (Holm)."
        )
    if compared < len(rows):
        say(
            "agrees, disagrees: with a claim; for each claim the probability of a wrong verdict is at most 5 %, "
            "however often one looked. Why: nacbench claims"
        )
    say(f"{_spent(situation, limits)} since this was begun")


def _why(one: "Outlook") -> str:
    """Return why there is no verdict and what more it would take, and what speaks against one that there is."""
    seeds = ", ".join(map(str, one.answer.far_off))
    unequal = _unequal(one.answer)
    remarks = [f"far off from the others: seed {seeds}"] if seeds else []
    remarks += [f"not treated equally: {unequal}"] if unequal else []
    if not one.answer.is_open:
        return "; ".join(remarks)
    hours = _hours(one, one.seconds + one.beyond)
    needed = f"{_seeds(one.answer)} in all if the effect is as measured, {hours} core-hours more"
    told = {
        "most": f"{needed}; raise --most",
        "budget": f"{needed}; raise --budget",
        "futile": f"given up: {needed}; --no-futility goes on",
    }
    return "; ".join(filter(None, (told.get(one.stop, one.why), *remarks)))


def _unequal(answer: "Answer") -> str:
    """Return in what the two differ besides the model; a verdict then is not about the models alone."""
    from nacbench.reporting.treatment import differences, in_words
    from nacbench.sweep.trials import known_choices

    return in_words(differences(answer.runs, known_choices([]))) if len(answer.runs) == 2 else ""


def as_json(one: "Outlook") -> dict[str, Any]:
    """Return an answer as plain data: fractions, core-hours, and null for what is unbounded or not known."""
    answer, question = one.answer, one.answer.question
    return {
        "question": question.name,
        "kind": "claim" if question.claim is not None else "comparison",
        "task": question.task,
        "scale": question.scale,
        "models": [entrant.label for entrant in question.entrants],
        "verdict": "undecided" if answer.is_open else answer.verdict,
        "seeds": answer.seeds,
        "decided_at": answer.decided,
        "level": answer.level,
        "measured": [
            {"value": mean, "low": _finite(low), "high": _finite(high), "bar": bar, "p": looks[-1].p}
            for (mean, low, high), bar, looks in zip(answer.values, answer.bars, answer.looks, strict=True)
        ],
        "seeds_needed": answer.need,
        "core_hours_needed": None if one.unknown else (one.seconds + one.beyond) / CORE_HOUR,
        "stopped": one.stop or None,
        "treatment": _unequal(answer) or None,
        "why": _why(one),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None  # JSON has no infinity
