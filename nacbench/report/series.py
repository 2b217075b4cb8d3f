"""Series of runs: those that differ in nothing but their seed, a row of every table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from nacbench.identity import flatten
from nacbench.results.record import RunRecord
from nacbench.results.statistics import Mean, t_interval

UNNAMED = ("seed", "task.name", "model.name", "model.size", "scale")  # shown elsewhere, or averaged over


@dataclass(frozen=True)
class Series:
    """Runs that differ in nothing but their seed.

    Attributes:
        records: one a seed, sorted by seed.
        variant: how this series differs from the others of the same task, model, size and scale; mostly empty.
    """

    records: Sequence[RunRecord]
    variant: str

    @property
    def first(self) -> RunRecord:
        """Any of them, for what they share."""
        return self.records[0]

    @property
    def label(self) -> str:
        """The model's name with its size, and the variant if there is one."""
        name = f"{self.first.model} ({self.first.size})"
        return f"{name}, {self.variant}" if self.variant else name

    @property
    def score(self) -> Mean:
        """The main metric on the test split, over seeds."""
        return self.mean(lambda record: record.score)

    def mean(self, value: Callable[[RunRecord], float]) -> Mean:
        """A number of each run, over seeds."""
        return t_interval([value(record) for record in self.records])


def group(records: Iterable[RunRecord]) -> list[Series]:
    """Records as series, sorted by task, scale and model, the best of a task first."""
    by_cell: dict[tuple[str, ...], dict[str, dict[int, RunRecord]]] = {}
    for record in records:
        cell = by_cell.setdefault((record.task, record.scale, record.model, record.size), {})
        cell.setdefault(_series_key(record), {})[record.seed] = record
    series = []
    for cell in by_cell.values():
        settings = {key: _settings(next(iter(seeds.values()))) for key, seeds in cell.items()}
        for key, seeds in cell.items():
            ordered = [seeds[seed] for seed in sorted(seeds)]
            series.append(Series(ordered, _variant(settings[key], settings.values())))
    return sorted(series, key=lambda s: (s.first.task, s.first.scale, -s.score.value, s.label))


def _settings(record: RunRecord) -> dict[str, str]:
    """All that the number depends on but the seed, flat."""
    flat = flatten(dict(record.identity))
    named = {key.removeprefix("config."): value for key, value in flat.items()}
    return {key: value for key, value in named.items() if key not in UNNAMED}


def _series_key(record: RunRecord) -> str:
    return "\n".join(f"{key}={value}" for key, value in sorted(_settings(record).items()))


def _variant(settings: Mapping[str, str], others: Iterable[Mapping[str, str]]) -> str:
    """The settings that tell a series from the others in its cell."""
    others = list(others)
    differing = [key for key in settings if len({other.get(key) for other in others}) > 1]
    return ", ".join(f"{key}={settings[key]}" for key in differing)
