"""The paper's claims, and what the runs say to each: reproduced, contradicted, undecided, or no data."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from nacbench.recording.index import Run
from nacbench.reporting.series import Series, group
from nacbench.running.identity import flatten
from nacbench.statistics import Difference, seeds_needed

Verdict = Literal["reproduced", "contradicted", "undecided", "no data"]
SCALES = ("paper", "mini", "smoke")  # the largest that there is evidence at counts
FEWEST = 2  # seeds: with one there is no interval


class _Claim(BaseModel):
    """What the paper says of a model on a task.

    Attributes:
        stand_ins: tasks of the same kind, in order, that are judged where the task itself has no evidence; the finding
            says so.
        settings: that a run must have where it has any of these.
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


class Better(_Claim):
    """The model's score is above the baseline's by about so much."""

    kind: Literal["better"]
    claimed: float
    decides: float


class Competitive(_Claim):
    """The model's score is below the baseline's by no more than so much."""

    kind: Literal["competitive"]
    within: float


class AtLeast(BaseModel):
    """A metric that must be so large."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    at_least: float


class AtMost(BaseModel):
    """A metric that must be so small."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    at_most: float


class Trade(_Claim):
    """One metric is large while another is small, in the same runs."""

    kind: Literal["trade"]
    gain: AtLeast
    loss: AtMost


Claim = Annotated[Better | Competitive | Trade, Field(discriminator="kind")]


class Claims(BaseModel):
    """The file of claims."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    claims: list[Claim]


@dataclass(frozen=True)
class Finding:
    """What the runs say to a claim.

    Attributes:
        claim: it.
        verdict: of the evidence at the largest scale that there is evidence at.
        effect: what was measured, in words.
        why: what is missing, or what limits the verdict.
        scale: of the runs; empty where there are none.
        runs: their ids.
        value, half_width: the effect and half of its 95 % interval, where it is one number; else NaN.
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
    """The claims that come with the suite."""
    return Claims.model_validate(
        yaml.safe_load(files("nacbench.reporting.paper").joinpath("claims.yaml").read_text("utf-8"))
    )


def judge(claim: Claim, runs: Sequence[Run]) -> Finding:
    """What these runs say to a claim: those at the largest scale that there is evidence at.

    Runs of a task that stands in count only where the claim's own task has no evidence at any scale.
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
    for scale in SCALES:
        series = group(run for run in own if run.scale == scale)
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
    bar = claim.decides if isinstance(claim, Better) else -claim.within
    low, high = difference.interval
    verdict: Verdict = "reproduced" if low > bar else "contradicted" if high < bar else "undecided"
    effect = f"{100 * difference.value:+.2f} ± {100 * difference.half_width:.2f} points, {difference.count} seeds"
    why = _more_seeds(difference, bar) if verdict == "undecided" else f"the bar is {100 * bar:+.2f} points"
    return Finding(claim, verdict, effect, why, "", ids, difference.value, difference.half_width)


def _variants(claim: _Claim, series: Sequence[Series], model: str) -> list[Series]:
    """The series of a model; of several, those that are preferred."""
    found = [item for item in series if item.first.model == model]
    preferred = [item for item in found if _fits(item.first, claim.prefer)]
    return preferred if len(found) > 1 and preferred else found


def _ambiguous(claim: Claim, some: Sequence[Series]) -> Finding:
    variants = "; ".join(item.variant for item in some)
    why = f"{some[0].first.model} was run in several ways, and none is the paper's: {variants}"
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
        why = f"the bar is {claim.gain.at_least:g} × at a loss of {100 * claim.loss.at_most:g} %"
        return Finding(claim, verdict, effect, why, runs=ids)
    return Finding(claim, "no data", "", "")


def _side(value: float, half_width: float, bar: float) -> int:
    """1: surely at or above the bar; -1: surely below; 0: the interval has it inside."""
    return 1 if value - half_width >= bar else -1 if value + half_width < bar else 0


def _more_seeds(difference: Difference, bar: float) -> str:
    needed = seeds_needed(difference.value - bar, difference.deviation)
    if needed is None:
        return f"it is too close to the bar of {100 * bar:+.2f} points for any reasonable number of seeds"
    more = max(1, needed - difference.count)
    return f"about {more} more seeds would decide it, if the effect is as measured (bar: {100 * bar:+.2f} points)"


def _limited(finding: Finding, scale: str, series: Sequence[Series]) -> Finding:
    """A finding with its scale, and with what keeps it from speaking of the paper's own setting."""
    limits = [finding.why]
    if scale != "paper":
        limits.append(f"at scale {scale}: it says nothing of the paper's own setting")
    if any(item.first.partial for item in series):
        limits.append("on a part of the data")
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
