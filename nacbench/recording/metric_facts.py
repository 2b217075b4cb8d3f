"""What a record says of its metrics, so that tables and tests need neither the task's code nor a guess."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Annotated, Any

from pydantic import Field, model_validator

from nacbench.contracts.metric import ACCURACY, NLL, Better, MeanOf, Metric
from nacbench.recording.bounded import Number, Part

UNIT = Field("", max_length=40, description="of values and differences, if these are not in per cent and points")
# Records before schema 3 say nothing of their metrics; no others had a direction and a unit
BEFORE = {metric.name: metric for metric in (ACCURACY, NLL)}
ERROR = replace(ACCURACY, about="share of examples whose answer is wrong", better="lower")
# Further numbers of the built-in evaluation tasks, which their records hold without facts; those with a slash have one
# for each kind, as error/fog
BUILT_IN = BEFORE | {
    own.name: own
    for own in (
        replace(ACCURACY, name="clean_accuracy"),
        replace(ACCURACY, name="whole_accuracy"),
        replace(ACCURACY, name="accuracy/"),
        replace(ACCURACY, name="clean_accuracy/"),
        replace(ACCURACY, name="whole_accuracy/"),
        replace(ERROR, name="error/"),
        replace(ERROR, name="mean_error"),
        replace(ERROR, name="mce", most=math.inf),  # over the errors of another network, which may be smaller
        replace(ERROR, name="drop", about="accuracy that is lost, of two accuracies", least=-1),
    )
}


class MetricFacts(Part):
    """Meaning of the numbers of one metric; see `nacbench.contracts.metric.Metric`."""

    about: Annotated[str, Field(max_length=400)] = Field("", description="what it is, in a few words")
    better: Better = Field("higher", description="which values are better")
    least: Number | None = Field(None, description="smallest possible value; null if there is none")
    most: Number | None = Field(None, description="largest possible value; null if there is none")
    percent: bool = Field(False, description="whether values are shown in per cent, and differences in points")
    unit: str = UNIT
    mean_of: MeanOf = Field("nothing", description="what it is a mean over examples of: hits (each 0 or 1), or values")

    @model_validator(mode="after")
    def _check_agreement(self) -> MetricFacts:
        if self.least is not None and self.most is not None and self.least >= self.most:
            raise ValueError(f"a metric lies between {self.least:g} and {self.most:g}: there is nothing between them")
        if self.mean_of == "hits" and (self.least, self.most) != (0, 1):
            raise ValueError("a share of hits lies between 0 and 1")
        return self

    @classmethod
    def of(cls, metric: Metric) -> MetricFacts:
        """Return what is recorded of a metric."""
        return cls(
            about=metric.about,
            better=metric.better,
            least=metric.least if math.isfinite(metric.least) else None,
            most=metric.most if math.isfinite(metric.most) else None,
            percent=metric.percent,
            unit=metric.unit,
            mean_of=metric.mean_of,
        )

    def metric(self, name: str) -> Metric:
        """Return the metric that these facts describe; it cannot be computed from predictions."""
        return Metric(
            name=name,
            about=self.about,
            better=self.better,
            least=-math.inf if self.least is None else self.least,
            most=math.inf if self.most is None else self.most,
            percent=self.percent,
            unit=self.unit,
            mean_of=self.mean_of,
        )


def facts_before(metric: str) -> dict[str, Any]:
    """Return the facts for a record of schema 1 or 2, as plain data: its main metric is better if it is higher."""
    known = {metric: Metric(name=metric), **BEFORE}
    return {name: MetricFacts.of(known[name]).model_dump() for name in dict.fromkeys((metric, *BEFORE))}


@lru_cache(4096)  # very many runs have the same facts
def metric_in(facts: str, name: str) -> Metric | None:
    """Return a metric from the facts of a run's row, which are JSON by name; None if they do not name it."""
    known: Mapping[str, Any] = json.loads(facts)
    return MetricFacts.model_validate(known[name]).metric(name) if name in known else None


def built_in(name: str) -> Metric | None:
    """Return a metric of the built-in tasks by its name; None if it is none of them, or its meaning is not known."""
    kind, slash, _ = name.partition("/")
    known = BUILT_IN.get(kind + slash)
    return known and replace(known, name=name)


def meaning_in(facts: str, name: str) -> Metric | None:
    """Return a metric as `metric_in`, or as the built-in tasks mean it where the facts do not name it."""
    return metric_in(facts, name) or built_in(name)
