"""RunRecord, the result of a finished run (``record.json``), and Failure (``failure.json``). Done means: has a record.

Both may have been written by others, so they are checked where they are read, and nowhere else: keys, types and bounds,
that the fields agree with each other, and that the run id is the digest of the identity. Earlier schemas are upgraded.
"""

import re
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, ValidationError, field_validator, model_validator

from nacbench.contracts.metric import ROUNDING
from nacbench.contracts.recipe import Selection as Rule
from nacbench.errors import first_problem
from nacbench.recording.bounded import (
    Classes,
    Count,
    Digest,
    FolderName,
    Integer,
    Name,
    Number,
    Part,
    Positive,
    RunId,
    Seconds,
    Seed,
    Sha256,
    Text,
    Threads,
    Time,
)
from nacbench.recording.identity import RecordedIdentity
from nacbench.recording.metric_facts import MetricFacts
from nacbench.recording.task_marks import marked_task, other_data

SCHEMA_VERSION: Literal[3] = 3
RECORD = "record.json"
FAILURE = "failure.json"

# Files that stay beside a record, which holds their digests; a record that names others is not one of ours
FILES = ("config.yaml", "curve.jsonl", "predictions.parquet", "checkpoint/model.safetensors")
File = Annotated[str, Field(pattern=f"^({'|'.join(map(re.escape, FILES))})$")]

UNSCORED = ("train", "validation", "clean")  # splits that do not count in a main score
PROPORTIONS = frozenset({"accuracy", "clean_accuracy", "whole_accuracy", "kept"})  # metrics of the suite in 0 to 1
PROPORTIONS_OF = ("accuracy/", "error/")  # beginnings of names of others


class Selection(Part):
    """Checkpoint selection: which weights are evaluated.

    The test split is read once, with these weights; but for the rule "best-test, as published", which chose them by it.
    """

    rule: Rule
    step: Count = Field(description="optimiser step of the selected weights")
    averaged: bool = Field(description="whether they are the exponential moving average of weights")
    validation: Number | None = Field(description="main metric on the validation split at that step, if selected by it")


class TrainedOn(Part):
    """The run that trained the network."""

    task: FolderName
    run_id: RunId


class Initial(Part):
    """Weights that training began with, and what was taken of them."""

    digest: Digest = Field(description="of the tensors: names, types, shapes and values")
    origin: Text = Field(description="the run that wrote them, or the name of their file")
    taken: Count = Field(description="number of tensors that the network took")
    new: list[Text] = Field([], description="tensors of the network that were drawn anew")
    left: list[Text] = Field([], description="tensors of the file that were not taken")


class Data(Part):
    """Data that the run was trained and evaluated on."""

    fingerprint: Name = Field(description="digest of the data set's decoded content")
    splits: dict[Name, Count] = Field(description="number of examples used, by split")
    classes: Classes
    modality: Name
    notes: list[Text] = Field(description="caveats on the data that a reader of the score must know")
    partial: list[Text] = Field(
        [], description="what was missing of the data set, which makes another, mostly easier task"
    )


class Answers(Part):
    """What was asked and answered over the scored examples; what needs no network to be reached follows from it.

    Scored examples are those of the test split, or else of all splits but ``train``, ``validation`` and ``clean``.
    """

    options: Positive = Field(description="answers to choose from: the number of classes, unless the task allows fewer")
    labels: list[Count] = Field(min_length=1, description="number of scored examples by class")
    given: list[Count] = Field(min_length=1, description="number of predictions by class")

    @model_validator(mode="after")
    def _check_agreement(self) -> "Answers":
        if len(self.labels) != len(self.given) or not 0 < sum(self.labels) == sum(self.given):
            raise ValueError("answers: labels and given must count the same examples, by the same classes")
        return self

    @property
    def chance(self) -> float:
        """Accuracy of guessing uniformly among the options."""
        return 1 / self.options

    @property
    def majority(self) -> float:
        """Accuracy of always giving the most frequent label of the scored examples."""
        return max(self.labels) / sum(self.labels)

    @property
    def constant(self) -> bool:
        """Whether all predictions are the same class, as those of a network that has learned nothing."""
        return max(self.given) == sum(self.given)


class Cost(Part):
    """Cost of the run: parameters, operations, time, memory."""

    parameters: Count = Field(description="trainable parameters, including the task's tokenizer")
    core_parameters: Count = Field(description="trainable parameters of the model alone")
    forward_flops: Count = Field(
        description="FLOPs of a forward pass over flops_batch examples, divided by these; a multiply-add is two"
    )
    flops_once: Count | None = Field(
        None, description="FLOPs of a forward pass that do not depend on the number of examples; null if not known"
    )
    flops_batch: Positive = Field(1, description="examples of a pass: those of a micro-batch of the run, or one")
    flops_input: dict[Name, list[Count]] = Field(description="shapes of the inputs of one example")
    train_seconds: Seconds = Field(description="seconds in training steps, including data loading, over all attempts")
    evaluate_seconds: Seconds = Field(description="seconds in evaluations")
    total_seconds: Seconds = Field(description="wall-clock seconds of the last attempt")
    examples_per_second: Seconds | None = Field(
        description="training examples per second of train_seconds; null if not trained"
    )
    peak_memory_bytes: Count = Field(description="peak memory: of the process (CPU), or allocated by torch (GPU)")


class Hardware(Part):
    """Hardware of the main process."""

    device: Name = Field(description="cpu or cuda")
    cpu: Text = Field(description="the processor's model name")
    instructions: Text | None = Field(
        None,
        description="its vector instructions, as processors of one name can have others; null in older records, and "
        "where the system does not tell",
    )
    cores: Count | None = Field(None, description="cores that the process could use")
    threads: Threads = Field(description="torch's threads")
    gpu: Text | None = Field(None, description="the GPU's name, if the run used one")

    @property
    def processor(self) -> str:
        """Name of the GPU, or of the CPU for a run without one."""
        return self.gpu or self.cpu


class Environment(Part):
    """Hardware and software that the run was computed with."""

    hardware: Hardware
    processes: Positive
    compiled: bool
    cuda_graphs: bool = Field(False, description="whether training steps were launched as CUDA graphs")
    kernels: Text | None = Field(
        None,
        description="whose kernels computed the parts that nacbench has its own for: C++ or Triton (its own), or "
        "PyTorch; two if a resumed run changed them; null for a network without such parts",
    )
    python: Name
    platform: Text
    versions: dict[Name, Name]
    settings: dict[Name, Text | Integer | Number | bool] = Field(
        {}, description="settings of libraries that change numbers and are not in the id"
    )
    git_commit: Name | None = Field(description="git commit of nacbench's checkout, if it ran from one")
    git_dirty: bool | None


class OfRun(Part):
    """What both kinds of file say of their run."""

    schema_version: Literal[3] = SCHEMA_VERSION
    run_id: RunId
    task: FolderName
    model: FolderName
    size: Name
    scale: Name
    seed: Seed


class RunRecord(OfRun):
    """Record of a finished run. Field names are stable within a schema version."""

    precision: Name
    protocol: Name = Field("supervised", description="kind of evaluation: supervised, ood, low-shot, pruned …")
    trained_on: TrainedOn | None = Field(None, description="the run that trained the network, if it was another run")
    initial: Initial | None = Field(None, description="weights that training began with, if they were given")
    metric: Name = Field(description="name of the main metric")
    metric_facts: dict[Name, MetricFacts] = Field(
        description="what the numbers of the main metric and of others mean, by name"
    )
    metrics: dict[Name, dict[Name, Number]] = Field(
        description="metrics by split and name; test holds those of the whole task"
    )
    details: dict[Name, dict[Name, Any]] = Field({}, description="facts about the evaluation, by split")
    measured: dict[Name, dict[Name, Number]] = Field(
        {}, description="costs measured on this machine, by split and name; unlike metrics not reproducible"
    )
    answers: Answers | None = Field(
        None, description="labels and predictions by class, and so chance and majority; null if the task has none"
    )
    selection: Selection
    data: Data
    cost: Cost
    environment: Environment
    identity: dict[str, Any] = Field(description="everything that the metrics depend on; run_id is its digest")
    files: dict[File, Sha256] = Field({}, description="SHA-256 of the files beside the record, by name")
    attempts: Count = Field(description="number of times that the run was started")
    started: Time = Field(description="start of the first attempt, ISO 8601 in UTC")
    finished: Time = Field(description="end of the run, ISO 8601 in UTC")

    @field_validator("metrics")
    @classmethod
    def _check_ranges(cls, metrics: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
        for split, numbers in metrics.items():
            for name, value in numbers.items():
                if not 0 <= value <= 1 and (name in PROPORTIONS or name.startswith(PROPORTIONS_OF)):
                    raise ValueError(f"{name} of {split} is {value:g}; it lies between 0 and 1")
        return metrics

    @model_validator(mode="after")
    def _check_agreement(self) -> "RunRecord":
        if self.metric not in self.metrics.get("test", {}):
            raise ValueError(f"metrics.test has no {self.metric}, its main metric")
        if self.metric not in self.metric_facts:
            raise ValueError(f"metric_facts has no {self.metric}, its main metric")
        self._check_ranges_of_metrics()
        if not self.scored_examples:
            raise ValueError("data.splits has no examples that were scored")
        if self.answers and self.trained_on is None and "test" in self.data.splits:
            self._check_answers(self.answers, self.data.splits["test"])
        try:
            identity = RecordedIdentity.model_validate(self.identity, strict=True)
        except ValidationError as error:
            raise ValueError(first_problem(error, "identity")) from None
        for name, ours, theirs in self._said_twice(identity):
            if ours != theirs:
                raise ValueError(f"{name} is {ours}, but its identity says {theirs}")
        return self

    def _check_answers(self, answers: Answers, examples: int) -> None:
        """Check what was answered on a test split of which each example is scored once."""
        if sum(answers.given) != examples:
            raise ValueError(f"answers counts {sum(answers.given)} examples, and data.splits.test is {examples}")
        most = (
            sum(map(min, answers.labels, answers.given)) / examples
        )  # of each class as many as there are and are given
        accuracy = self.metrics["test"].get("accuracy", 0.0)
        if accuracy > most + ROUNDING:
            raise ValueError(f"accuracy of test is {accuracy:g}; by its answers it is at most {most:g}")

    def _check_ranges_of_metrics(self) -> None:
        known = {name: facts.metric(name) for name, facts in self.metric_facts.items()}
        for split, numbers in self.metrics.items():
            for name, value in numbers.items():
                metric = known.get(name)
                if metric is not None and not metric.allows(value):
                    raise ValueError(
                        f"{name} of {split} is {value:g}; it lies between {metric.least:g} and {metric.most:g}"
                    )

    def _said_twice(self, identity: RecordedIdentity) -> tuple[tuple[str, Any, Any], ...]:
        """Return what the record says outside its identity, too: name, value, and the value in the identity."""
        config, before, trained_on = identity.config, identity.config.trained_on, self.trained_on
        return (
            ("task", self.task, config.task.name),
            ("model", self.model, config.model.name),
            ("size", self.size, config.model.size),
            ("scale", self.scale, config.scale),
            ("seed", self.seed, config.seed),
            ("precision", self.precision, config.precision),
            ("data.fingerprint", self.data.fingerprint, identity.data),
            ("trained_on.run_id", trained_on and trained_on.run_id, identity.trained_on),
            ("initial.digest", self.initial and self.initial.digest, config.init_from and config.init_from.weights),
            ("trained_on.task", trained_on and trained_on.task, before and before.task.name),
        )

    @property
    def score(self) -> float:
        """Main metric of the whole task, usually that on the test split."""
        return self.metrics["test"][self.metric]

    @property
    def task_label(self) -> str:
        """Name of the task, with the marks of its data and of the selection."""
        data = other_data(self.identity["config"])
        return marked_task(self.task, data, bool(self.data.partial), self.selection.rule)

    @property
    def scored_examples(self) -> int:
        """Number of examples behind the score: of the test split, or else of all splits that are evaluated."""
        splits = self.data.splits
        if "test" in splits:
            return splits["test"]
        return sum(count for name, count in splits.items() if name not in ("train", "validation"))


Cause = Literal["error", "diverged", "oom", "disk", "timeout", "node", "attempts"]
CAUSES: tuple[Cause, ...] = get_args(Cause)


class Failure(OfRun):
    """Why a run has no record (``failure.json`` in the run's folder)."""

    status: Literal["failed", "skipped", "cancelled"]
    cause: Cause = Field("error", description="kind of error, for status failed")
    reason: Annotated[str, Field(max_length=10**6)]
    traceback: Annotated[str, Field(max_length=10**7)] | None = None
    log: list[Annotated[str, Field(max_length=10**6)]] = Field([], description="last lines of the run's log")
    attempts: Count = Field(0, description="number of times that the run was started")
    when: Time


def schema() -> dict[str, Any]:
    """Return the JSON Schema of `RunRecord`."""
    return RunRecord.model_json_schema()
