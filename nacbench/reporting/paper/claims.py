"""Judge the paper's claims from runs: reproduced, contradicted, undecided, or no data."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from nacbench.contracts.recipe import BEST_TEST
from nacbench.formats.dotted import flatten
from nacbench.formats.yaml_text import parse_yaml
from nacbench.recording.row import Run
from nacbench.reporting.series import Series, by_cell, group, of_usual_size
from nacbench.statistics import Difference, seeds_needed

Verdict = Literal["reproduced", "contradicted", "undecided", "no data"]
SCALES = ("paper", "mini", "smoke")  # a claim is judged at the first that has evidence
FEWEST = 2  # seeds; with one there is no interval
SHARE_OF = {"relative_drop": "whole_accuracy"}  # metrics that are a difference of accuracies over this one


class Side(NamedTuple):
    """One number that a claim is judged by; it is larger the more it speaks for the claim.

    Attributes:
        by_seed: its value for each seed, in ascending order of the seeds.
        bar: what the mean must exceed for the claim to be reproduced; below it, it is not.
        floor: least standard deviation over seeds: one of the examples that an accuracy is a share of, otherwise 0.
    """

    by_seed: Mapping[int, float]
    bar: float
    floor: float


class _Claim(BaseModel):
    """A claim of the paper about a model on a task.

    Attributes:
        stand_ins: similar tasks, in order, that are judged if the task itself has no evidence; the finding says so.
        settings: values that a run must have for those of these settings that it has.
        prefer: the same, but only to choose among several variants.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str
    says: str
    task: str
    stand_ins: list[str] = []
    model: str = "nac"
    baseline: str = "perceiver-io"
    settings: dict[str, str] = {}
    prefer: dict[str, str] = {}

    @property
    def models(self) -> tuple[str, ...]:
        """The models that runs are needed of."""
        return self.model, self.baseline

    @property
    def bar(self) -> float:
        """Difference of the two models that must be exceeded for the claim to be reproduced."""
        raise NotImplementedError

    def sides(self, *series: Series) -> list[Side]:
        """Return the numbers that the claim is judged by, from a series of each of ``models``."""
        ours, theirs = series
        return [Side(ours.differences(theirs), self.bar, max(ours.grain, theirs.grain))]


class Better(_Claim):
    """The model's score is above the baseline's by about ``claimed``; ``decides`` is the threshold (fractions)."""

    kind: Literal["better"]
    claimed: float
    decides: float

    @property
    def bar(self) -> float:
        """The threshold."""
        return self.decides


class Competitive(_Claim):
    """The model's score is below the baseline's by at most ``within`` (a fraction)."""

    kind: Literal["competitive"]
    within: float

    @property
    def bar(self) -> float:
        """A loss of ``within``."""
        return -self.within


class AtLeast(BaseModel):
    """Lower bound of a metric."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    at_least: float


class AtMost(BaseModel):
    """Upper bound of a metric."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    at_most: float


class Trade(_Claim):
    """Two metrics of the same runs: ``gain`` has a lower bound, ``loss`` an upper bound."""

    kind: Literal["trade"]
    gain: AtLeast
    loss: AtMost

    @property
    def models(self) -> tuple[str, ...]:
        """The model that runs are needed of."""
        return (self.model,)

    def sides(self, *series: Series) -> list[Side]:
        """Return the gain and the negative loss for each seed, from the series of the model."""
        (own,) = series
        bars = ((self.gain.metric, 1, self.gain.at_least), (self.loss.metric, -1, -self.loss.at_most))
        return [
            Side({run.seed: sign * run.numbers()[name] for run in own.runs}, bar, _grain(own, name))
            for name, sign, bar in bars
        ]


Claim = Annotated[Better | Competitive | Trade, Field(discriminator="kind")]


class Claims(BaseModel):
    """Content of claims.yaml; ``source`` is the publication that states them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    claims: list[Claim]


@dataclass(frozen=True)
class Finding:
    """Verdict of runs on a claim.

    Attributes:
        claim: the claim.
        verdict: at the largest scale that has evidence.
        effect: what was measured, as text.
        why: threshold, limits of the verdict, or what is missing.
        scale: of the runs; empty if there are none.
        runs: ids of the runs.
        value, half_width: the effect and half of its 95 % interval; NaN if it is not one number.
    """

    claim: Claim
    verdict: Verdict
    effect: str
    why: str
    scale: str = ""
    runs: Sequence[str] = ()
    value: float = math.nan
    half_width: float = math.nan


@cache
def read_claims() -> Claims:
    """Read claims.yaml."""
    text = files("nacbench.reporting.paper").joinpath("claims.yaml").read_text("utf-8")
    return Claims.model_validate(parse_yaml(text, "claims.yaml"))


def judge(claim: Claim, runs: Sequence[Run]) -> Finding:
    """Judge a claim by the runs of the largest scale that has evidence.

    Runs of a stand-in task count only if the claim's own task has no evidence at any scale.
    """
    found = _judge_own(claim, runs)
    if found.verdict == "no data":
        for task in claim.stand_ins:
            instead = _judge_own(claim.model_copy(update={"task": task}), runs)
            if instead.verdict != "no data":
                return replace(instead, claim=claim, why=f"{instead.why}; {task} stands in for {claim.task}")
    return found


def _judge_own(claim: Claim, runs: Sequence[Run]) -> Finding:
    own = [run for run in runs if run.task == claim.task and _fits(run, claim.settings)]
    weaker = Finding(claim, "no data", "", _missing(claim, own))
    cells = by_cell(group(run for run in own if run.scale in SCALES))
    # The task's usual entry comes first: its name is the beginning of the others, such as "(epoch chosen on test)"
    for label, scale in sorted(cells, key=lambda cell: (SCALES.index(cell[1]), cell[0])):
        series = cells[label, scale]
        found = _judge_trade(claim, series) if isinstance(claim, Trade) else _judge_difference(claim, series)
        if found.verdict != "no data":
            return _limited(found, scale, series)
        if found.why and not weaker.scale:
            weaker = found
    return weaker


def _judge_difference(claim: Better | Competitive, series: Sequence[Series]) -> Finding:
    sides = [_variants(claim, series, name) for name in (claim.model, claim.baseline)]
    if not all(sides):
        return Finding(claim, "no data", "", "")
    for some in sides:
        if len(some) > 1:
            return _ambiguous(claim, some)
    ours, theirs = sides[0][0], sides[1][0]
    difference = ours.against(theirs)
    ids = tuple(run.run_id for item in (ours, theirs) for run in item.runs)
    if difference is None or difference.count < FEWEST:
        shared = 0 if difference is None else difference.count
        effect = "" if difference is None else f"{100 * difference.value:+.2f} points"
        return Finding(claim, "undecided", effect, f"{shared} shared seeds have no interval; run more", runs=ids)
    limit = claim.decides if isinstance(claim, Better) else -claim.within
    low, high = difference.interval
    verdict: Verdict = "reproduced" if low > limit else "contradicted" if high < limit else "undecided"
    effect = f"{100 * difference.value:+.2f} ± {100 * difference.half_width:.2f} points, {difference.count} seeds"
    why = _more_seeds(difference, limit) if verdict == "undecided" else f"the threshold is {100 * limit:+.2f} points"
    return Finding(claim, verdict, effect, why, "", ids, difference.value, difference.half_width)


def _variants(claim: _Claim, series: Sequence[Series], model: str) -> list[Series]:
    """Return the series of a model or, if there are several, those that the claim prefers, of the usual size."""
    found = [item for item in series if item.first.model == model]
    preferred = [item for item in found if _fits(item.first, claim.prefer)]
    return of_usual_size(preferred or found) if len(found) > 1 else found


def _ambiguous(claim: Claim, some: Sequence[Series]) -> Finding:
    variants = "; ".join(item.variant for item in some)
    why = f"{some[0].first.model} has several variants, and the claim does not tell which: {variants}"
    return Finding(claim, "no data", "", why)


def _judge_trade(claim: Trade, series: Sequence[Series]) -> Finding:
    measured = [item for item in series if None not in (item.metric(claim.gain.metric), item.metric(claim.loss.metric))]
    some = _variants(claim, measured, claim.model)
    if len(some) > 1:
        return _ambiguous(claim, some)
    for item in some:
        gain, loss = item.metric(claim.gain.metric), item.metric(claim.loss.metric)
        assert gain is not None
        assert loss is not None
        ids = tuple(run.run_id for run in item.runs)
        effect = f"{gain.value:.1f} × at a loss of {100 * loss.value:.1f} %, {gain.count} seeds"
        if gain.count < FEWEST:
            return Finding(claim, "undecided", effect, "one seed has no interval; run more", runs=ids)
        gains = _side(gain.value, gain.half_width, claim.gain.at_least)
        losses = _side(-loss.value, loss.half_width, -claim.loss.at_most)
        both = gains == losses == 1
        verdict: Verdict = "reproduced" if both else "contradicted" if -1 in (gains, losses) else "undecided"
        why = f"the threshold is {claim.gain.at_least:g} × at a loss of {100 * claim.loss.at_most:g} %"
        return Finding(claim, verdict, effect, why, runs=ids)
    return Finding(claim, "no data", "", "")


def _grain(series: Series, metric: str) -> float:
    """Return the step of a metric: one example, as a share of what the metric is a share of; 0 if it has no steps."""
    whole = series.metric(SHARE_OF[metric]) if metric in SHARE_OF else None
    return series.grain / whole.value if whole and whole.value > 0 else 0.0


def _side(value: float, half_width: float, limit: float) -> int:
    """Return 1 if the interval is at or above the limit, -1 if it is below, 0 if the limit is inside."""
    return 1 if value - half_width >= limit else -1 if value + half_width < limit else 0


def _more_seeds(difference: Difference, limit: float) -> str:
    needed = seeds_needed(difference.value - limit, difference.deviation)
    if needed is None:
        return f"too close to the threshold of {100 * limit:+.2f} points for any practical number of seeds"
    more = max(1, needed - difference.count)
    return (
        f"about {more} more seeds would decide it, if the effect is as measured (threshold: {100 * limit:+.2f} points)"
    )


def _limited(finding: Finding, scale: str, series: Sequence[Series]) -> Finding:
    """Return a finding with its scale and the differences from the paper's setting."""
    limits = [finding.why]
    if scale != "paper":
        limits.append(f"at scale {scale}, not in the paper's setting")
    first = series[0].first
    if first.partial:
        limits.append("on a part of the data")
    if first.selection == BEST_TEST:
        limits.append("the epoch was chosen on test")
    return replace(finding, why="; ".join(filter(None, limits)), scale=scale)


def _missing(claim: Claim, runs: Sequence[Run]) -> str:
    if isinstance(claim, Trade):
        return f"no run of {claim.task} has {claim.gain.metric} and {claim.loss.metric}"
    there = {run.model for run in runs}
    lacking = [name for name in (claim.model, claim.baseline) if name not in there]
    return f"no run of {claim.task} with {' and '.join(lacking or [claim.model])}" + (
        "" if lacking else f" and {claim.baseline} at one scale"
    )


def _fits(run: Run, wanted: Mapping[str, str]) -> bool:
    if not wanted:
        return True
    settings: dict[str, Any] = flatten(json.loads(run.settings))
    return all(settings.get(key, value) == value for key, value in wanted.items())
