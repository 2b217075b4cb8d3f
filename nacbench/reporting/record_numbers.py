"""The numbers of a run's record as readers are told them: on which examples, and with which interval over them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nacbench.contracts.metric import Metric
from nacbench.recording.metric_facts import built_in
from nacbench.recording.record import RunRecord
from nacbench.reporting.names import scored_on


@dataclass(frozen=True)
class Number:
    """A number of a record.

    Attributes:
        split: the record's name of the examples.
        told: what they are for readers; None of numbers that another split has, too.
        name: of the metric.
        value: as recorded.
        metric: what the value means; None if that is not known.
        examples: how many there are; None if that is not known.
        interval: 95 % interval over the examples; None if the metric is no share of them, or they are not independent.
    """

    split: str
    told: str | None
    name: str
    value: float
    metric: Metric | None
    examples: int | None
    interval: tuple[float, float] | None


def numbers_of(record: RunRecord) -> Iterator[Number]:
    """Yield every metric of every split, as recorded."""
    kind = scored_on(" ".join(record.data.notes))
    for split, metrics in record.metrics.items():
        examples = record.data.splits.get(split)
        # a trial of tuning has other examples in place of its test split
        told = kind if split == "test" else None if split == kind else split
        for name, value in metrics.items():
            metric = record.metric_facts[name].metric(name) if name in record.metric_facts else built_in(name)
            # of a network that another run has trained, examples may be scored many times, or in episodes
            ends = metric.over_examples(value, examples or 0) if metric and record.trained_on is None else None
            yield Number(split, told, name, value, metric, examples, ends)
