"""Judge claims from runs: what the runs show, and whether they are runs of the setting that the claim is about."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from nacbench.contracts.metric import Metric
from nacbench.contracts.recipe import BEST_TEST
from nacbench.formats.dotted import flatten
from nacbench.recording.row import Run
from nacbench.reporting import anytime
from nacbench.reporting.names import is_usual
from nacbench.reporting.paper.claims import Better, Claim, Competitive, Interval, Side, Trade, Verdict, answer
from nacbench.reporting.paper.published import departures
from nacbench.reporting.series import Series, by_cell, first_seeds, group, of_usual_size
from nacbench.reporting.treatment import Choices, differences, edges_in_words, in_words
from nacbench.statistics import Difference, paired_difference

Judgement = Verdict | Literal["agrees", "disagrees", "undecided", "unequal treatment", "no data"]
SCALES = ("paper", "mini", "smoke")  # after the claim's own; a claim is judged at the first that has evidence
FEWEST = 2  # seeds; with one there is no interval


@dataclass(frozen=True)
class Evidence:
    """Runs that a claim is judged by.

    Attributes:
        claim: the claim.
        task: the claim's own, or one that stands in for it.
        scale: of the runs.
        series: of each model of the claim.
    """

    claim: Claim
    task: str
    scale: str
    series: Sequence[Series]

    @property
    def sides(self) -> list[Side]:
        """The numbers for each seed that decide, each with its bar."""
        return self.claim.sides(*self.series)

    @property
    def is_adaptive(self) -> bool:
        """Whether its claim is decided by adding seeds, or seeds that it is judged by were added for another question.

        Of a claim the first look counts, too: it may have been the last one, as it decided.
        """
        counting = {seed for side in self.sides for seed in side.by_seed}
        return any(item.has_added(counting) for item in self.series) or all(item.is_asked for item in self.series)

    @property
    def runs(self) -> tuple[str, ...]:
        """Ids of the runs."""
        return tuple(run.run_id for item in self.series for run in item.runs)


@dataclass(frozen=True)
class Finding:
    """Judgement of runs on a claim.

    Attributes:
        claim: the claim.
        verdict: a verdict on the claim if the runs are of the setting that it is about; otherwise whether they agree.
        effect: what was measured, as text.
        why: threshold, limits of the verdict, or what is missing.
        scale: of the runs; empty if there are none.
        runs: ids of the runs.
        value, half_width: the effect and half of its 95 % interval; NaN if it is not one number.
    """

    claim: Claim
    verdict: Judgement
    effect: str
    why: str
    scale: str = ""
    runs: Sequence[str] = ()
    value: float = math.nan
    half_width: float = math.nan


def judge(claim: Claim, runs: Sequence[Run], tuned: Choices | None = None) -> Finding:
    """Judge a claim by the runs of the claim's scale or, without any, of the largest scale that has evidence.

    Runs of a stand-in task count only if the claim's own task has no evidence at any scale.

    Args:
        claim: the claim.
        runs: finished runs.
        tuned: what is known of tuning, which decides whether models with different learning rates were treated equally.
    """
    found = find(claim, runs)
    return Finding(claim, "no data", "", found) if isinstance(found, str) else _judged(found, tuned or {})


def find(claim: Claim, runs: Sequence[Run]) -> Evidence | str:
    """Return the runs that a claim is judged by, or what is missing."""
    found = [_of_task(claim, task, runs) for task in (claim.task, *claim.stand_ins)]
    return next((own for own in found if isinstance(own, Evidence)), found[0])


def _of_task(claim: Claim, task: str, runs: Sequence[Run]) -> Evidence | str:
    own = [run for run in runs if run.task == task and run.scale in SCALES and _fits(run, claim.settings)]
    order = (claim.scale, *SCALES)
    cells = by_cell(group(own))
    ambiguous = ""
    # The task's usual entry comes first: its name is the beginning of the others, such as "(epoch chosen on test)"
    for label, scale in sorted(cells, key=lambda cell: (order.index(cell[1]), cell[0])):
        chosen = [_variants(claim, cells[label, scale], model) for model in claim.models]
        several = next((some for some in chosen if len(some) > 1), None)
        if several and all(chosen):
            ambiguous = ambiguous or _ambiguous(several)
        elif all(chosen):
            return Evidence(claim, task, scale, [item for some in chosen for item in some])
    return ambiguous or _lacking(claim, task, own)


def _variants(claim: Claim, series: Sequence[Series], model: str) -> list[Series]:
    """Return the series of a model or, of several, those the claim prefers, of the usual size, with default options."""
    found = [item for item in series if item.first.model == model]
    if isinstance(claim, Trade):
        found = [item for item in found if item.has(claim.gain.metric, claim.loss.metric)]
    preferred = [item for item in found if _fits(item.first, claim.prefer)]
    some = of_usual_size(preferred or found) if len(found) > 1 else found
    # as in the table side by side: a circuit for pruning beside the plain one does not make it unclear who is meant
    return [item for item in some if is_usual(item.first, "model")] or some if len(some) > 1 else some


def _ambiguous(some: Sequence[Series]) -> str:
    variants = "; ".join(item.variant for item in some)
    return f"{some[0].first.model} has several variants, and the claim does not tell which: {variants}"


def _lacking(claim: Claim, task: str, runs: Sequence[Run]) -> str:
    wanted = "".join(f", {name}={value}" for name, value in claim.settings.items())
    if isinstance(claim, Trade):
        return f"no run of {task} has {claim.gain.metric} and {claim.loss.metric}{wanted}"
    there = {run.model for run in runs}
    lacking = [name for name in claim.models if name not in there]
    listed = " and ".join(lacking or claim.models)
    return f"no run of {task} with {listed}{wanted}{'' if lacking else ' at one scale'}"


def _judged(evidence: Evidence, tuned: Choices) -> Finding:
    claim, sides, measure = evidence.claim, evidence.sides, evidence.series[0].measure
    found = [_difference(side, evidence.is_adaptive) for side in sides]
    intervals = [_interval(own) for own in found]
    verdict = claim.verdict(*intervals)
    why = _few(found) or _why(claim, verdict, found, measure)
    elsewhere = _elsewhere(evidence)
    said: Judgement = answer(claim, [side.bar for side in sides], intervals) if elsewhere else verdict
    limits = [why, *elsewhere]
    if unequal := in_words(differences([item.first for item in evidence.series], tuned)):
        said = "unequal treatment"
        limits = [f"{' and '.join(claim.models)} differ in more than the model: {unequal}", *elsewhere]
    limits += filter(None, [edges_in_words([item.first for item in evidence.series], tuned)])
    if evidence.series[0].first.selection == BEST_TEST:
        limits.append("the epoch was chosen on test")
    if any(own.looks for own in found):
        limits.append("anytime-valid, as seeds were added until a decision")
    if any(own.looks and own.looks.contradictory for own in found):
        limits.append("the seeds contradict each other: they are not of one distribution")
    one = found[0] if len(found) == 1 and found[0].count else None
    value, half_width = (one.value, one.half_width) if one else (math.nan, math.nan)
    return Finding(
        claim, said, _effect(claim, found, measure), "; ".join(limits), evidence.scale, evidence.runs, value, half_width
    )


def _difference(side: Side, adaptive: bool) -> Difference:
    values = [value for _, value in first_seeds(side.by_seed)] if adaptive else list(side.by_seed.values())
    if not values:
        return Difference(math.nan, math.nan, math.nan, math.nan, 0)
    if adaptive:
        return anytime.difference(values, side.floor)
    return paired_difference(values, [0.0] * len(values), floor=side.floor)


def _interval(found: Difference) -> Interval:
    """Return the 95 % interval; without seeds or spread to tell, all numbers."""
    return (-math.inf, math.inf) if math.isnan(found.half_width) else found.interval


def _few(found: Sequence[Difference]) -> str:
    count = found[0].count
    if count < FEWEST:
        return f"{'one seed has' if count else 'no shared seed:'} no interval; run more"
    unspread = any(math.isnan(own.half_width) for own in found)
    return "the seeds do not differ at all, so nothing can be tested" if unspread else ""


def _effect(claim: Claim, found: Sequence[Difference], measure: Metric) -> str:
    count = found[0].count
    if not count:
        return ""
    seeds = f"{count} seeds" if count > 1 else "1 seed"
    if isinstance(claim, Trade):
        gain, loss = found
        parts = [_number(claim.gain.metric, gain), _number(claim.loss.metric, replace(loss, value=-loss.value))]
        return f"{', '.join(parts)}, {seeds}"
    (own,) = found
    single = math.isnan(own.half_width)
    return f"{measure.change(own.value) if single else measure.change_text(own.value, own.half_width)}, {seeds}"


def _number(name: str, found: Difference) -> str:
    half = "" if math.isnan(found.half_width) else f" ± {found.half_width:.3g}"
    return f"{name} {found.value:.3g}{half}"


def _why(claim: Claim, verdict: Verdict, found: Sequence[Difference], measure: Metric) -> str:
    """Return what decides, or what is missing for a decision."""
    if isinstance(claim, Trade):
        return f"claimed: {claim.gain.metric} ≥ {claim.gain.at_least:g} at {claim.loss.metric} ≤ {claim.loss.at_most:g}"
    claimed = f"claimed: {_claimed(claim, measure)}"
    if verdict == "reproduced" and isinstance(claim, Better):
        return f"{claimed}, at least {measure.size(claim.bar)}"
    if verdict != "not shown":
        return claimed
    (own,) = found
    low, high = own.interval
    # An effect that is shown must still exceed the bar, one that is not must first exceed zero
    bar = claim.bar if low > 0 or not isinstance(claim, Better) else 0.0
    held = f"{claimed}; the interval holds {measure.change(bar) if bar else '0'}"
    if high < claim.bar:
        return f"{held}, but no effect of the claimed size"
    return f"{held}: {_more_seeds(claim, own)}"


def _claimed(claim: Better | Competitive, measure: Metric) -> str:
    """Return what is claimed in words, as better and worse: a sign alone would not tell a bar from an effect."""
    if isinstance(claim, Better):
        return f"{measure.size(claim.claimed)} better"
    return f"at most {measure.size(claim.within)} worse" if claim.within else "not worse"


def _more_seeds(claim: Better | Competitive, found: Difference) -> str:
    """Return how many seeds would decide, by the rule that judges, if mean and deviation stay as they are."""
    from scipy.special import stdtrit

    def decides(count: int) -> bool:
        if found.looks:
            width = anytime.half_width(count, found.deviation)
        else:
            width = float(stdtrit(count - 1, 0.975)) * found.deviation / math.sqrt(count)
        return answer(claim, [claim.bar], [(found.value - width, found.value + width)]) != "undecided"

    needed = anytime.first_count(decides, found.count)
    if needed is None:
        return "too close for any practical number of seeds"
    missing = max(1, needed - found.count)
    more = f"about {missing} more seed{'s' * (missing > 1)} would decide it, if the effect is as measured"
    return f"futile, {more}" if found.looks and anytime.is_futile(found.count, needed) else more


def _elsewhere(evidence: Evidence) -> list[str]:
    """Return in what the runs are not of the setting that the claim is about; empty: they are."""
    claim, first = evidence.claim, evidence.series[0].first
    found = [f"at scale {evidence.scale}, not {claim.scale}"] if evidence.scale != claim.scale else []
    found += [f"{evidence.task} stands in for {claim.task}"] if evidence.task != claim.task else []
    found += ["on a part of the data"] if first.partial else []
    found += [f"on other data ({first.other_data})"] if first.other_data else []
    if found:
        return found
    given = {**claim.settings, **claim.prefer}
    changed = [departures(item.first) for item in evidence.series]
    return list(dict.fromkeys(text for own in changed for key, text in own.items() if key not in given))


def _fits(run: Run, wanted: Mapping[str, str]) -> bool:
    if not wanted:
        return True
    settings: dict[str, Any] = flatten(json.loads(run.settings))
    return all(settings.get(key, value) == value for key, value in wanted.items())
