"""RunRecord: what a finished run says of itself. Its presence, whole, as ``record.json`` is what "done" means."""

import json
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nacbench.contracts.plugin import first_problem
from nacbench.errors import BrokenFileError, UserError
from nacbench.recording.upgrade import upgraded

SCHEMA_VERSION: Literal[2] = 2
RECORD = "record.json"
FAILURE = "failure.json"


Kind = TypeVar("Kind", bound=BaseModel)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Selection(_Part):
    """Which weights count. The test split is read once, with these."""

    rule: Literal["last", "best-validation"]
    step: int = Field(description="optimiser step after which the weights were taken")
    averaged: bool = Field(description="whether they are the exponentially averaged weights")
    validation: float | None = Field(description="the main metric on validation at that step, if it selected")


class TrainedOn(_Part):
    """The run that the network was taken from."""

    task: str
    run_id: str


class Data(_Part):
    """What the run was trained and scored on."""

    fingerprint: str = Field(description="digest of the data set's decoded content")
    splits: dict[str, int] = Field(description="examples used of each split")
    classes: int
    modality: str
    notes: list[str] = Field(description="what a reader of the number must know of the data")
    partial: list[str] = Field([], description="how it was less than the whole data set: another, mostly easier task")


class Cost(_Part):
    """What the run took."""

    parameters: int = Field(description="trainable parameters, the task's tokenizer included")
    core_parameters: int = Field(description="of those, the model's own")
    forward_flops: int = Field(description="operations (a multiply-add is two) of one example's forward pass")
    flops_input: dict[str, list[int]] = Field(description="shapes of the inputs that they were counted with")
    train_seconds: float = Field(description="in training steps, data included, over all attempts")
    evaluate_seconds: float = Field(description="in evaluations")
    total_seconds: float = Field(description="wall-clock time of the last attempt")
    examples_per_second: float | None = Field(description="training examples over train_seconds, where it trained")
    peak_memory_bytes: int = Field(description="most main memory the process held (CPU), or most that torch held (GPU)")


class Environment(_Part):
    """Where and with what the number was computed."""

    hardware: dict[str, Any]
    processes: int
    compiled: bool
    cuda_graphs: bool = Field(False, description="whether training steps were launched as CUDA graphs")
    python: str
    platform: str
    versions: dict[str, str]
    git_commit: str | None = Field(description="of the checkout that nacbench ran from, if it was one")
    git_dirty: bool | None


class RunRecord(_Part):
    """One finished run. Field names are stable within a schema version."""

    schema_version: Literal[2] = SCHEMA_VERSION
    run_id: str
    task: str
    model: str
    size: str
    scale: str
    seed: int
    precision: str
    protocol: str = Field("supervised", description="supervised, ood, low-shot, pruned …: how the number comes about")
    trained_on: TrainedOn | None = Field(
        None, description="the run that the network was taken from, if not trained here"
    )
    metric: str = Field(description="the main metric; larger is better")
    metrics: dict[str, dict[str, float]] = Field(description="by split, then by name; test: of the task as a whole")
    details: dict[str, dict[str, Any]] = Field({}, description="by split: how it was scored")
    measured: dict[str, dict[str, float]] = Field(
        {}, description="by split, then by name: what the network took on this machine; another time gives others"
    )
    selection: Selection
    data: Data
    cost: Cost
    environment: Environment
    identity: dict[str, Any] = Field(description="everything that the number depends on; run_id is its digest")
    files: dict[str, str] = Field({}, description="SHA-256 of the files beside the record that belong to it")
    attempts: int = Field(description="times that the run was started, interruptions included")
    started: str = Field(description="ISO 8601, UTC: of the first attempt")
    finished: str = Field(description="ISO 8601, UTC")

    @property
    def score(self) -> float:
        """The main metric on the test split, or of the task as a whole."""
        return self.metrics["test"][self.metric]

    @property
    def task_label(self) -> str:
        """The task's name, marked where the data was not the whole data set."""
        return f"{self.task} (part)" if self.data.partial else self.task

    @property
    def scored_examples(self) -> int:
        """Examples that the score is made of."""
        splits = self.data.splits
        if "test" in splits:
            return splits["test"]
        return sum(count for name, count in splits.items() if name not in ("train", "validation"))


Cause = Literal["error", "oom", "disk", "timeout", "node", "attempts"]
CAUSES: tuple[Cause, ...] = get_args(Cause)


class Failure(_Part):
    """Why a run has no record: kept beside results, and never mistaken for one."""

    schema_version: Literal[2] = SCHEMA_VERSION
    status: Literal["failed", "skipped", "cancelled"]
    cause: Cause = Field("error", description="of a failed run")
    run_id: str
    task: str
    model: str
    size: str
    scale: str
    seed: int
    reason: str
    traceback: str | None = None
    log: list[str] = Field([], description="its last lines")
    attempts: int = Field(0, description="times that the run had been started")
    when: str


def read_record(path: Path) -> RunRecord:
    """Read a ``record.json``.

    Raises:
        UserError: if it is not a whole record of a schema that this version knows; the message names the file.
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
    except ValidationError:  # of an earlier schema, or broken
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
    """The JSON Schema of `RunRecord`."""
    return RunRecord.model_json_schema()
