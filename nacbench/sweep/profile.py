"""Executor profiles in YAML: local processes or Slurm jobs, with their resources and time limit."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from nacbench.contracts.compiling import CompileSetting
from nacbench.contracts.kernels import KernelSetting
from nacbench.contracts.numbers import Count, Limit, Seconds, Workers
from nacbench.errors import UserError, first_problem, shown
from nacbench.formats.yaml_text import read_mapping
from nacbench.machine.cores import MOST_THREADS

BUILT_IN = ("local", "debug")
MINUTES_OF = {"min": 1, "m": 1, "h": 60, "d": 24 * 60}
LONGEST = 366 * 24 * 60  # minutes of a time limit; more is taken for a typing mistake
# Options of sbatch that nacbench finds, orders, warns and resumes its jobs by, each with what to do instead. Submitit
# lets `extra` replace them, so that jobs would be submitted that no other command finds.
OWN_OPTIONS = {
    "comment": "its jobs are found by it",
    **dict.fromkeys(("array", "dependency", "kill-on-invalid-dep"), "the order of the runs decides it"),
    **dict.fromkeys(("output", "error", "open-mode"), "logs are looked for where it puts them"),
    "signal": "give signal_seconds",
    **dict.fromkeys(("requeue", "no-requeue"), "give requeue: true or false"),
}


class Profile(BaseModel):
    """Executor and resources of a sweep's runs; not part of a run's id.

    ``local``: ``processes`` at a time on this machine. ``debug``: one run after another in this process.
    ``slurm``: jobs of a cluster; ``time`` is required.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    executor: Literal["local", "debug", "slurm"] = "local"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    checkpoint_seconds: Seconds = Field(60.0, description="seconds between checkpoints")
    heartbeat_seconds: Seconds = Field(30.0, gt=0, description="seconds between heartbeats")
    max_attempts: Count = Field(
        20, description="starts of one run before it is given up; nacbench sweep retry allows as many again"
    )
    workers: Workers | None = Field(None, description="processes that prepare batches, as for nacbench run")
    cuda_graphs: bool = Field(True, description="run steps as CUDA graphs, on one GPU, if the model allows it")
    compile: CompileSetting = Field("off", description="use torch.compile; auto: where it pays")
    kernels: KernelSetting = Field(
        "auto", description="nacbench's own kernels where they can be had, always, or PyTorch's"
    )
    log: tuple[str, ...] = Field(
        (), strict=False, description="trackers that are told of the runs, as for nacbench run --log"
    )
    # local
    processes: Count = Field(1, description="local: runs at a time")
    threads: Count | None = Field(
        None,
        le=MOST_THREADS,
        description="threads of each run; by default the cores that are granted, for local divided by processes",
    )
    # slurm
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    time: str | int | None = Field(None, description="time limit of a job: minutes, or as 12h, 90min, 2d, 1-12:00:00")
    nodes: Count = Field(1, description="per run; more than one trains on all of them together")
    gpus: Limit = Field(0, description="per node; one process each")
    tasks: Count | None = Field(None, description="processes per node; by default one for each GPU")
    cpus: Count = Field(2, description="per process")
    memory_gb: float | None = Field(None, gt=0, le=2**20, description="per node, in GiB")
    array_parallelism: Count = Field(256, description="jobs of one array that run at a time")
    signal_seconds: int = Field(90, ge=1, le=65535, description="seconds from Slurm's warning to the time limit")
    requeue: bool = Field(True, description="let Slurm requeue jobs after preemption or a node failure")
    setup: tuple[str, ...] = Field(
        (), strict=False, description="shell lines before the run: modules, environment variables"
    )
    extra: dict[str, str | int | bool] = Field({}, description="any other sbatch option, such as mail-user")

    @model_validator(mode="after")
    def _time_is_one(self) -> Self:
        if self.time is not None:  # for any executor, as --profile can select another one
            minutes(self.time)
        elif self.executor == "slurm":
            raise ValueError("a slurm profile needs a time, such as time: 4h")
        if self.executor == "slurm" and self.time is not None and 60 * minutes(self.time) <= self.signal_seconds:
            # each start would be warned, save its state and be requeued, until there are max_attempts of them
            raise ValueError(
                f"time = {shown(self.time)} is not longer than signal_seconds = {self.signal_seconds}, so that jobs "
                "would be warned of its end as they start; give a longer time or fewer signal_seconds"
            )
        return self

    @field_validator("extra")
    @classmethod
    def _without_our_own(cls, extra: dict[str, str | int | bool]) -> dict[str, str | int | bool]:
        """Refuse options that nacbench sets itself and relies on."""
        for name in extra:
            if why := OWN_OPTIONS.get(name.strip().lstrip("-").replace("_", "-")):
                raise ValueError(f"{name} is set by nacbench itself; leave it out: {why}")
        return extra

    @property
    def tasks_per_node(self) -> int:
        """Processes per node."""
        return self.tasks or max(1, self.gpus)

    @property
    def shape(self) -> tuple[Any, ...]:
        """All settings as text; only runs of equal shape can be in one Slurm array."""
        return tuple(repr(getattr(self, name)) for name in type(self).model_fields)

    def changed(self, changes: Mapping[str, Any], place: str) -> "Profile":
        """Return a copy with some settings changed.

        Args:
            changes: new values by setting.
            place: where they come from, for messages.

        Raises:
            UserError: if a setting does not exist, or a value is not valid.
        """
        return _validated({**self.model_dump(), **changes}, place)

    @classmethod
    def read(cls, name: str, *, near: Path | None = None) -> "Profile":
        """Read a profile's YAML file, or return the built-in profile ``local`` or ``debug``.

        Args:
            name: ``local``, ``debug``, a path (also relative to ``near``), or ``cpu`` for ``slurm/cpu.yaml``.
            near: folder of the file that names the profile.

        Raises:
            UserError: if there is no such file, or it is not a profile.
        """
        if name in BUILT_IN:
            return cls.model_validate({"executor": name})
        places = [folder / form for folder in (Path(), near or Path()) for form in (name, f"slurm/{name}.yaml")]
        for place in places:
            if place.is_file():
                return _validated(read_mapping(place, cls.model_fields), str(place))
        raise UserError(
            f"no profile {name!r}; name a YAML file such as slurm/cpu.yaml (copy one from the project's slurm folder "
            f"and write your cluster's partition and account into it), or one of {', '.join(BUILT_IN)}"
        )


def minutes(time: str | int) -> int:
    """Return a time limit in minutes, given as minutes, ``12h``, ``90min``, ``2d``, or Slurm's ``1-12:00:00``.

    Slurm's other forms are ``hours:minutes:seconds``, ``minutes:seconds``, ``days-hours`` and ``days-hours:minutes``.

    Raises:
        ValueError: if it has none of these forms, or is less than a minute or more than a year.
    """
    text = str(time).strip()
    whole = -1.0
    if number := re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) *(min|m|h|d)", text):
        whole = float(number[1]) * MINUTES_OF[number[2]]
    elif clock := re.fullmatch(r"(?:([0-9]+)-)?([0-9]+(?::[0-9]+){0,2})", text):
        parts = [float(part) for part in clock[2].split(":")]
        starts_with_hours = clock[1] or len(parts) == 3
        hours, minute, second = [*([] if starts_with_hours else [0.0]), *parts, 0.0, 0.0][:3]
        whole = 24 * 60 * float(clock[1] or 0) + 60 * hours + minute + second / 60
    if not 1 <= whole <= LONGEST:
        raise ValueError(f"time = {shown(time)}: write minutes, 12h, 90min, 2d or 1-12:00:00, from a minute to a year")
    return round(whole)


def _validated(content: Mapping[str, Any], place: str) -> Profile:
    try:
        return Profile.model_validate(dict(content))
    except ValidationError as error:
        raise UserError(f"{place}: {first_problem(error, '')}") from None
