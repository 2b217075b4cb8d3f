"""RunRecord, the result of a finished run (``record.json``), and Failure (``failure.json``). Done means: has a record.

Both are read with validation; earlier schemas are upgraded on reading.
"""

import json
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nacbench.errors import BrokenFileError, UserError, first_problem
from nacbench.recording.upgrade import upgraded

SCHEMA_VERSION: Literal[2] = 2
RECORD = "record.json"
FAILURE = "failure.json"


Kind = TypeVar("Kind", bound=BaseModel)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Selection(_Part):
    """Checkpoint selection: which weights are evaluated. The test split is read once, with these weights."""

    rule: Literal["last", "best-validation"]
    step: int = Field(description="optimiser step of the selected weights")
    averaged: bool = Field(description="whether they are the exponential moving average of weights")
    validation: float | None = Field(description="main metric on the validation split at that step, if selected by it")


class TrainedOn(_Part):
    """The run that trained the network."""

    task: str
    run_id: str


class Data(_Part):
    """Data that the run was trained and evaluated on."""

    fingerprint: str = Field(description="digest of the data set's decoded content")
    splits: dict[str, int] = Field(description="number of examples used, by split")
    classes: int
    modality: str
    notes: list[str] = Field(description="caveats on the data that a reader of the score must know")
    partial: list[str] = Field(
        [], description="what was missing of the data set, which makes another, mostly easier task"
    )


class Cost(_Part):
    """Cost of the run: parameters, operations, time, memory."""

    parameters: int = Field(description="trainable parameters, including the task's tokenizer")
    core_parameters: int = Field(description="trainable parameters of the model alone")
    forward_flops: int = Field(description="FLOPs of a forward pass of one example; a multiply-add is two")
    flops_input: dict[str, list[int]] = Field(description="shapes of the inputs that FLOPs were counted with")
    train_seconds: float = Field(description="seconds in training steps, including data loading, over all attempts")
    evaluate_seconds: float = Field(description="seconds in evaluations")
    total_seconds: float = Field(description="wall-clock seconds of the last attempt")
    examples_per_second: float | None = Field(
        description="training examples per second of train_seconds; null if not trained"
    )
    peak_memory_bytes: int = Field(description="peak memory: of the process (CPU), or allocated by torch (GPU)")


class Environment(_Part):
    """Hardware and software that the run was computed with."""

    hardware: dict[str, Any]
    processes: int
    compiled: bool
    cuda_graphs: bool = Field(False, description="whether training steps were launched as CUDA graphs")
    python: str
    platform: str
    versions: dict[str, str]
    settings: dict[str, str | int | float | bool] = Field(
        {}, description="settings of libraries that change numbers and are not in the id"
    )
    git_commit: str | None = Field(description="git commit of nacbench's checkout, if it ran from one")
    git_dirty: bool | None


class RunRecord(_Part):
    """Record of a finished run. Field names are stable within a schema version."""

    schema_version: Literal[2] = SCHEMA_VERSION
    run_id: str
    task: str
    model: str
    size: str
    scale: str
    seed: int
    precision: str
    protocol: str = Field("supervised", description="kind of evaluation: supervised, ood, low-shot, pruned …")
    trained_on: TrainedOn | None = Field(None, description="the run that trained the network, if it was another run")
    metric: str = Field(description="name of the main metric; larger is better")
    metrics: dict[str, dict[str, float]] = Field(
        description="metrics by split and name; test holds those of the whole task"
    )
    details: dict[str, dict[str, Any]] = Field({}, description="facts about the evaluation, by split")
    measured: dict[str, dict[str, float]] = Field(
        {}, description="costs measured on this machine, by split and name; unlike metrics not reproducible"
    )
    selection: Selection
    data: Data
    cost: Cost
    environment: Environment
    identity: dict[str, Any] = Field(description="everything that the metrics depend on; run_id is its digest")
    files: dict[str, str] = Field({}, description="SHA-256 of the files beside the record, by name")
    attempts: int = Field(description="number of times that the run was started")
    started: str = Field(description="start of the first attempt, ISO 8601 in UTC")
    finished: str = Field(description="end of the run, ISO 8601 in UTC")

    @property
    def score(self) -> float:
        """Main metric of the whole task, usually that on the test split."""
        return self.metrics["test"][self.metric]

    @property
    def task_label(self) -> str:
        """Name of the task, marked if the data set was incomplete."""
        return f"{self.task} (part)" if self.data.partial else self.task

    @property
    def scored_examples(self) -> int:
        """Number of examples behind the score: of the test split, or else of all splits that are evaluated."""
        splits = self.data.splits
        if "test" in splits:
            return splits["test"]
        return sum(count for name, count in splits.items() if name not in ("train", "validation"))


Cause = Literal["error", "oom", "disk", "timeout", "node", "attempts"]
CAUSES: tuple[Cause, ...] = get_args(Cause)


class Failure(_Part):
    """Why a run has no record (``failure.json`` in the run's folder)."""

    schema_version: Literal[2] = SCHEMA_VERSION
    status: Literal["failed", "skipped", "cancelled"]
    cause: Cause = Field("error", description="kind of error, for status failed")
    run_id: str
    task: str
    model: str
    size: str
    scale: str
    seed: int
    reason: str
    traceback: str | None = None
    log: list[str] = Field([], description="last lines of the run's log")
    attempts: int = Field(0, description="number of times that the run was started")
    when: str


def read_record(path: Path) -> RunRecord:
    """Read a ``record.json``.

    Raises:
        BrokenFileError: if it is not a complete, valid record; the message names the file.
        UserError: if it cannot be opened, or a newer version wrote it.
    """
    return _read(path, RunRecord)


def read_failure(path: Path) -> Failure:
    """Read a ``failure.json``; raises as `read_record`."""
    return _read(path, Failure)


def _read(path: Path, kind: type[Kind]) -> Kind:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    try:
        return kind.model_validate_json(text)
    except ValidationError:  # an earlier schema, or broken; only then parse twice, as reports read 100,000 records
        return _read_slowly(path, text, kind)


def _read_slowly(path: Path, text: bytes, kind: type[Kind]) -> Kind:
    try:
        content = json.loads(text)
    except ValueError:
        raise BrokenFileError(f"{path} is not JSON") from None
    version = content.get("schema_version") if isinstance(content, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise UserError(f"{path} has schema {version}, from a newer nacbench; this one knows {SCHEMA_VERSION}")
    try:
        return kind.model_validate(upgraded(content) if version == 1 else content)
    except ValidationError as error:
        problem = first_problem(error, "")
        raise BrokenFileError(f"{path} is not a {kind.__name__} of schema {SCHEMA_VERSION}: {problem}") from None


def schema() -> dict[str, Any]:
    """Return the JSON Schema of `RunRecord`."""
    return RunRecord.model_json_schema()
