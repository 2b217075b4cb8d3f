"""Row of the index: what tables, figures and comparisons need of a finished run."""

from __future__ import annotations

import json
import math
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic_core import to_json

from nacbench.code_digest import short_digest
from nacbench.contracts.metric import ACCURACY, Metric
from nacbench.recording.identity import canonical
from nacbench.recording.metric_facts import metric_in
from nacbench.recording.read_record import read_record
from nacbench.recording.record import RECORD, RunRecord
from nacbench.recording.tags import Tags
from nacbench.recording.task_marks import marked_task, other_data


class Run(NamedTuple):
    """One row of the index: what tables and figures need of a finished run.

    For fields that are not listed see `nacbench.recording.record.RunRecord`.

    Attributes:
        folder: folder of the run.
        size, changed: size in bytes and time of the last change (ctime) in nanoseconds of ``record.json``.
        trained_on: id of the run that trained the network; empty if it is this one.
        series: digest of ``settings``; the runs of a series differ only in their seed.
        settings: JSON of the identity without the seed and what follows from it.
        metrics, measured: JSON by split.
        facts: JSON of what the numbers of metrics mean, by name.
        chance, majority: accuracy of guessing, and of always giving the most frequent label; NaN where unknown.
        constant: 1 if all predictions are the same class, otherwise 0.
        result: digest of metrics, selection, data and answers, which are equal in two records of a run.
        scored: number of examples behind the score.
        trained, examples_per_second: number of training examples, and how many per second; NaN if nothing was trained.
        partial, notes: sentences, joined by semicolons.
        machine: precision, processor, threads and torch version, as one text.
        threads: torch's threads.
        versions: JSON of library versions.
        adaptive: number of seeds at the first look, if seeds are added to its series until something is decided,
            otherwise 0; see `nacbench.recording.decisions`.
        tags, user_notes: of `nacbench.recording.tags`: tags, separated by commas; notes, one a line.
        tags_stamp: of the file with tags when it was read.
    """

    folder: str
    size: int
    changed: int
    run_id: str
    task: str
    model: str
    model_size: str
    scale: str
    seed: int
    precision: str
    protocol: str
    trained_on: str
    metric: str
    score: float
    series: str
    settings: str
    metrics: str
    facts: str
    chance: float
    majority: float
    constant: int
    result: str
    measured: str
    fingerprint: str
    scored: int
    trained: float
    partial: str
    notes: str
    selection: str
    parameters: int
    forward_flops: int
    flops_batch: int
    train_seconds: float
    examples_per_second: float
    evaluate_seconds: float
    total_seconds: float
    peak_memory_bytes: int
    machine: str
    threads: int
    processor: str
    versions: str
    commit: str
    attempts: int
    finished: str
    adaptive: int = 0
    tags: str = ""
    user_notes: str = ""
    tags_stamp: str = ""

    @property
    def task_label(self) -> str:
        """Name of the task, with the marks of its data and of the selection."""
        return marked_task(self.task, self.other_data, bool(self.partial), self.selection)

    @property
    def core_seconds(self) -> float:
        """Seconds of training and evaluation, over all attempts, times the threads."""
        return (self.train_seconds + self.evaluate_seconds) * self.threads

    @property
    def other_data(self) -> str:
        """Value of the task's option ``data``; empty if it is the usual one."""
        return _other_data(self.settings)

    @property
    def measure(self) -> Metric:
        """What the numbers of the main metric mean."""
        found = metric_in(self.facts, self.metric)
        assert found is not None  # as the record was checked
        return found

    @property
    def score_meaning(self) -> str:
        """Name of the main metric, with its unit and which values are better: equal where scores can be compared."""
        own = self.measure
        return f"{own.name} ({', '.join(filter(None, (own.shown_unit, own.direction)))})"

    def all_metrics(self) -> dict[str, dict[str, float]]:
        """Return all metrics by split and name."""
        found: dict[str, dict[str, float]] = json.loads(self.metrics)
        return found

    def numbers(self, split: str = "test") -> dict[str, float]:
        """Return a split's metrics and measurements by name."""
        measured: dict[str, dict[str, float]] = json.loads(self.measured)
        return {**self.all_metrics().get(split, {}), **measured.get(split, {})}

    def own_tags(self) -> Tags:
        """Return the tags and notes of the run."""
        return Tags(tags=tuple(filter(None, self.tags.split(","))), notes=tuple(self.user_notes.splitlines()))

    def record(self) -> RunRecord:
        """Read the complete record from its file."""
        return read_record(Path(self.folder) / RECORD, self.run_id)


@lru_cache(4096)  # the runs of a series have equal settings
def _other_data(settings: str) -> str:
    return other_data(json.loads(settings))


def row_of(record: RunRecord, folder: str, size: int, changed: int) -> Run:
    """Return the row of a record.

    Args:
        record: the record.
        folder: folder that it lies in.
        size: size of its file in bytes.
        changed: time of the last change (ctime) of its file in nanoseconds.
    """
    settings = settings_of(record.identity)
    cost, hardware = record.cost, record.environment.hardware
    versions, processor = record.environment.versions, hardware.processor
    machine = f"{record.precision} on {processor} ({hardware.threads} threads), torch {versions.get('torch', '?')}"
    metrics = to_json(record.metrics).decode()
    answers = record.answers.model_dump_json() if record.answers else ""
    result = f"{metrics} {record.selection.model_dump_json()} {record.data.model_dump_json()} {answers}"
    return Run(
        folder=folder,
        size=size,
        changed=changed,
        run_id=record.run_id,
        task=record.task,
        model=record.model,
        model_size=record.size,
        scale=record.scale,
        seed=record.seed,
        precision=record.precision,
        protocol=record.protocol,
        trained_on=record.trained_on.run_id if record.trained_on else "",
        metric=record.metric,
        score=record.score,
        series=series_of(settings),
        settings=settings,
        metrics=metrics,
        facts=to_json(record.metric_facts).decode(),
        chance=record.answers.chance if record.answers else _guessing(record),
        majority=record.answers.majority if record.answers else math.nan,
        constant=int(record.answers is not None and record.answers.constant),
        result=short_digest(result.encode()),
        measured=to_json(record.measured).decode(),
        fingerprint=record.data.fingerprint,
        scored=record.scored_examples,
        trained=float(record.data.splits.get("train", math.nan)),
        partial="; ".join(record.data.partial),
        notes="; ".join(record.data.notes),
        selection=record.selection.rule,
        parameters=cost.parameters,
        forward_flops=cost.forward_flops,
        flops_batch=cost.flops_batch,
        train_seconds=cost.train_seconds,
        examples_per_second=math.nan if cost.examples_per_second is None else cost.examples_per_second,
        evaluate_seconds=cost.evaluate_seconds,
        total_seconds=cost.total_seconds,
        peak_memory_bytes=cost.peak_memory_bytes,
        machine=machine,
        threads=hardware.threads,
        processor=processor,
        versions=canonical(versions),
        commit=record.environment.git_commit or "",
        attempts=record.attempts,
        finished=record.finished,
    )


def _guessing(record: RunRecord) -> float:
    """Return the accuracy of guessing among all classes, for records that do not count their answers."""
    known = record.metric == ACCURACY.name and record.data.classes > 0
    return 1 / record.data.classes if known else math.nan


# Settings that a run has in common with the run it is trained_on
SHARED = ("model", "scale", "seed", "precision", "skip_unreadable")


def settings_of(identity: dict[str, Any]) -> str:
    """Return a run's settings as JSON: its identity without the seed, the training run's id, and repeated settings."""
    config = {key: value for key, value in identity["config"].items() if key != "seed"}
    if isinstance(trained_on := config.get("trained_on"), dict):
        config["trained_on"] = {key: value for key, value in trained_on.items() if key not in SHARED}
    rest = {key: value for key, value in identity.items() if key not in ("config", "trained_on")}
    return canonical({**config, **rest}, 1)


def series_of(settings: str) -> str:
    """Return what the runs of a series have in common: a digest of their settings."""
    return short_digest(settings.encode())
