"""What a run gives back: its record, its folder, and how it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

from nacbench.recording.record import RunRecord
from nacbench.recording.tags import NOTHING, Tags
from nacbench.running.config import RunConfig


@dataclass(frozen=True, repr=False)
class Outcome:
    """Result of `nacbench.api.run`.

    Attributes:
        record: the run's record.
        folder: the run's folder.
        was_finished: whether the record existed already.
        config: the configuration that was asked for.
        tagged: tags and notes that the run did not have before.
    """

    record: RunRecord
    folder: Path
    was_finished: bool
    config: RunConfig
    tagged: Tags = NOTHING

    @property
    def run_id(self) -> str:
        """The run's id, twelve hexadecimal digits."""
        return self.record.run_id

    @property
    def score(self) -> float:
        """The main metric of the whole task, in its own unit; a share of hits is in [0, 1]."""
        return self.record.score

    @property
    def metrics(self) -> Mapping[str, Mapping[str, float]]:
        """The metrics by split and name; ``test`` has those of the whole task."""
        return self.record.metrics

    def __repr__(self) -> str:
        state = "finished before" if self.was_finished else "computed now"
        return f"Outcome({self._title}: {self._score}, {state}, {str(self.folder)!r})"

    def _repr_html_(self) -> str:
        """Return a table for notebooks."""
        record = self.record
        seconds = f"{record.cost.train_seconds:,.0f} s of training" + (", finished before" if self.was_finished else "")
        rows = {
            "run": f"{self._title} ({record.run_id})",
            "test": self._score,
            "cost": f"{record.cost.parameters:,} parameters, {seconds}",
            "folder": str(self.folder),
        }
        cells = (f"<tr><th>{name}</th><td>{escape(text)}</td></tr>" for name, text in rows.items())
        return f"<table>{''.join(cells)}</table>"

    @property
    def _title(self) -> str:
        record = self.record
        return f"{record.task} · {record.model} · {record.scale} · seed {record.seed}"

    @property
    def _score(self) -> str:
        metric = self.record.metric_facts[self.record.metric].metric(self.record.metric)
        return f"{metric.name} {metric.with_unit(metric.number(self.score))}"
