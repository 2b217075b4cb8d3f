"""Claims: what is said to be so, about which task and models, and what decides it; of the paper, or of anybody.

A claim is judged by one or two numbers for each seed (`Side`), and knows which verdict their intervals give.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from nacbench.errors import unknown
from nacbench.formats.dotted import as_text
from nacbench.registry import MODELS, TASKS
from nacbench.reporting.series import Series
from nacbench.reporting.treatment import names_of_settings

Verdict = Literal["reproduced", "weaker than claimed", "not shown", "contradicted"]
Answer = Literal["agrees", "disagrees", "undecided"]
Interval = tuple[float, float]
SHARE_OF = {"relative_drop": "whole_accuracy"}  # metrics that are a difference of accuracies over this one
Text = Annotated[str, Field(min_length=1)]


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


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class _Claim(_Strict):
    """A claim about a model on a task.

    Attributes:
        name: short name, unique in its file.
        says: the claim in words; the model is the subject of the sentence.
        task: the task that it is about.
        scale: the scale that it is about. Runs at another scale only agree or disagree with it.
        stand_ins: similar tasks, in order, that are looked at if the task itself has no evidence; they only agree or
            disagree, too.
        model: the model that it is about.
        settings: values that a run must have for those of these settings that it has.
        prefer: the same, but only to choose among several variants.
    """

    name: Text
    says: Text
    task: Text
    scale: Literal["smoke", "mini", "paper"] = "paper"
    stand_ins: list[Text] = []
    model: Text = "nac"
    settings: dict[str, str] = {}
    prefer: dict[str, str] = {}

    @field_validator("settings", "prefer", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        """Take numbers and truth values as they are written in a file of settings: they are compared as text."""
        return {key: as_text(own) for key, own in value.items()} if isinstance(value, Mapping) else value

    @field_validator("task", "stand_ins", "model", "baseline", mode="after", check_fields=False)
    @classmethod
    def _is_known(cls, value: str | list[str], info: ValidationInfo) -> str | list[str]:
        of_models = info.field_name in ("model", "baseline")
        for name in [value] if isinstance(value, str) else value:
            (MODELS if of_models else TASKS).get(name)
        return value

    @property
    def models(self) -> tuple[str, ...]:
        """The models that runs are needed of."""
        return (self.model,)

    @model_validator(mode="after")
    def _settings_exist(self) -> Self:
        """Refuse names that no run can have: a setting that a run does not have is not compared."""
        known = {name for task in (self.task, *self.stand_ins) for name in names_of_settings(task, self.scale)}
        known |= {f"model.{name}" for model in self.models for name in ("size", *MODELS.get(model)().options())}
        for key in ("settings", "prefer"):
            for name in getattr(self, key):
                if name not in known:
                    raise ValueError(f"{key}: {unknown('setting', name, known)}")
        return self


class _OfTwo(_Claim):
    """A claim about by how much a model's score is better than a baseline's, in units of the score."""

    baseline: Text = "perceiver-io"

    @property
    def models(self) -> tuple[str, ...]:
        """The models that runs are needed of."""
        return self.model, self.baseline

    @property
    @abstractmethod
    def bar(self) -> float:
        """Difference that must be exceeded for the claim to be reproduced."""

    @model_validator(mode="after")
    def _are_two(self) -> Self:
        if self.model == self.baseline:
            raise ValueError(f"model and baseline are both {self.model!r}; name two models")
        return self

    def sides(self, *series: Series) -> list[Side]:
        """Return by how much the model is better, for each seed that both models share.

        Args:
            series: of each of ``models``.
        """
        ours, theirs = series
        gains = {seed: ours.measure.gain(one) for seed, one in ours.differences(theirs).items()}
        return [Side(gains, self.bar, max(ours.grain, theirs.grain))]


class Better(_OfTwo):
    """The model's score is better than the baseline's by about ``claimed``; the bar is half of that."""

    kind: Literal["better"]
    claimed: float = Field(gt=0)
    at_least: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _bar_is_below(self) -> Self:
        if self.bar > self.claimed:
            raise ValueError(
                f"at_least = {self.bar:g} is more than claimed = {self.claimed:g}; give less, or leave it out"
            )
        return self

    @property
    def bar(self) -> float:
        """Half of what is claimed, unless the claim says ``at_least``."""
        return self.claimed / 2 if self.at_least is None else self.at_least

    def verdict(self, interval: Interval) -> Verdict:
        """Return the verdict of a confidence interval of the difference."""
        low, high = interval
        if high < 0:
            return "contradicted"
        if low > 0 and high < self.claimed:
            return "weaker than claimed"
        return "reproduced" if low > self.bar and high >= self.claimed else "not shown"


class Competitive(_OfTwo):
    """The model's score is worse than the baseline's by at most ``within``, or better."""

    kind: Literal["competitive"]
    within: float = Field(ge=0)

    @property
    def bar(self) -> float:
        """A loss of ``within``."""
        return -self.within

    def verdict(self, interval: Interval) -> Verdict:
        """Return the verdict of a confidence interval of the difference."""
        low, high = interval
        return "reproduced" if low > self.bar else "contradicted" if high < self.bar else "not shown"


class AtLeast(_Strict):
    """Lower bound of a metric or measurement; ``without`` is its value where there is no effect."""

    metric: Text
    at_least: float
    without: float = 0

    @model_validator(mode="after")
    def _is_an_effect(self) -> Self:
        if self.without >= self.at_least:
            raise ValueError(f"without = {self.without:g} must be less than at_least = {self.at_least:g}")
        return self


class AtMost(_Strict):
    """Upper bound of a metric or measurement."""

    metric: Text
    at_most: float


class Trade(_Claim):
    """Two metrics of the same runs: ``gain`` has a lower bound, ``loss`` an upper bound."""

    kind: Literal["trade"]
    gain: AtLeast
    loss: AtMost

    def sides(self, *series: Series) -> list[Side]:
        """Return the gain and the negative loss for each seed.

        Args:
            series: of the model; it has both metrics.
        """
        (own,) = series
        bars = ((self.gain.metric, 1, self.gain.at_least), (self.loss.metric, -1, -self.loss.at_most))
        return [
            Side({run.seed: sign * run.numbers()[name] for run in own.runs}, bar, _grain(own, name))
            for name, sign, bar in bars
        ]

    def verdict(self, gain: Interval, loss: Interval) -> Verdict:
        """Return the verdict of confidence intervals of the gain and of the negative loss."""
        if gain[1] < self.gain.without or loss[1] < -self.loss.at_most:
            return "contradicted"
        if loss[0] <= -self.loss.at_most:
            return "not shown"
        if gain[0] > self.gain.without and gain[1] < self.gain.at_least:
            return "weaker than claimed"
        return "reproduced" if gain[0] > self.gain.at_least else "not shown"


Claim = Annotated[Better | Competitive | Trade, Field(discriminator="kind")]


def answer(claim: Claim, bars: Sequence[float], intervals: Sequence[Interval]) -> Answer:
    """Return whether intervals agree with a claim, wherever they were measured.

    They agree where the verdict is "reproduced". They disagree where it is "weaker than claimed" or "contradicted", or
    where an interval lies below its bar. Narrower intervals around the same means never take an answer back.

    Args:
        claim: the claim.
        bars: of its sides.
        intervals: of its sides, as for its verdict.
    """
    verdict = claim.verdict(*intervals)
    if verdict == "reproduced":
        return "agrees"
    excluded = any(high < bar for bar, (_, high) in zip(bars, intervals, strict=True))
    return "undecided" if verdict == "not shown" and not excluded else "disagrees"


KINDS: Mapping[str, type[Better | Competitive | Trade]] = {
    "better": Better,
    "competitive": Competitive,
    "trade": Trade,
}


class Claims(_Strict):
    """Content of a file of claims; ``source`` is the publication, or the person, that states them."""

    source: Text
    claims: list[Claim] = Field(min_length=1)


def _grain(series: Series, metric: str) -> float:
    """Return the step of a metric: one example, as a share of what the metric is a share of; 0 if it has no steps."""
    if metric not in SHARE_OF:
        return series.grain_of(metric)
    whole = series.metric(SHARE_OF[metric])
    return series.grain_of(SHARE_OF[metric]) / whole.value if whole and whole.value > 0 else 0.0
