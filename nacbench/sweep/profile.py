"""Executor profiles in YAML: local processes or Slurm jobs, with their resources and time limit."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nacbench.errors import UserError, first_problem
from nacbench.running.config import read_yaml

BUILT_IN = ("local", "debug")


class Profile(BaseModel):
    """Executor and resources of a sweep's runs; not part of a run's id.

    ``local``: ``processes`` at a time on this machine. ``debug``: one run after another in this process.
    ``slurm``: jobs of a cluster; ``time`` is required.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    executor: Literal["local", "debug", "slurm"] = "local"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    checkpoint_seconds: float = Field(60.0, ge=0, description="seconds between checkpoints")
    heartbeat_seconds: float = Field(30.0, gt=0, description="seconds between heartbeats")
    max_attempts: int = Field(
        20, ge=1, description="starts of one run before it is given up; nacbench sweep retry allows as many again"
    )
    workers: int | None = Field(None, ge=0, description="processes that prepare batches, as for nacbench run")
    cuda_graphs: bool = Field(True, description="run steps as CUDA graphs, on one GPU, if the model allows it")
    compile: bool = Field(False, description="use torch.compile")
    # local
    processes: int = Field(1, ge=1, description="local: runs at a time")
    threads: int | None = Field(
        None,
        ge=1,
        description="threads of each run; by default the cores that are granted, for local divided by processes",
    )
    # slurm
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    time: str | int | None = Field(None, description="time limit of a job: minutes, or as 12h, 90min, 2d, 1-12:00:00")
    nodes: int = Field(1, ge=1, description="per run; more than one trains on all of them together")
    gpus: int = Field(0, ge=0, description="per node; one process each")
    tasks: int | None = Field(None, ge=1, description="processes per node; by default one for each GPU")
    cpus: int = Field(2, ge=1, description="per process")
    memory_gb: float | None = Field(None, gt=0, description="per node, in GiB")
    array_parallelism: int = Field(256, ge=1, description="jobs of one array that run at a time")
    signal_seconds: int = Field(90, ge=1, description="seconds from Slurm's warning to the time limit")
    requeue: bool = Field(True, description="let Slurm requeue jobs after preemption or a node failure")
    setup: tuple[str, ...] = Field((), description="shell lines before the run: modules, environment variables")
    extra: dict[str, str | int | bool] = Field({}, description="any other sbatch option, such as mail-user")

    @model_validator(mode="after")
    def _time_is_one(self) -> Self:
        if self.time is not None:  # for any executor, as --profile can select another one
            minutes(self.time)
        elif self.executor == "slurm":
            raise ValueError("a slurm profile needs a time, such as time: 4h")
        return self

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
                return _validated(read_yaml(place, cls.model_fields), str(place))
        raise UserError(
            f"no profile {name!r}; name a YAML file such as slurm/cpu.yaml (copy one from the project's slurm folder "
            f"and write your cluster's partition and account into it), or one of {', '.join(BUILT_IN)}"
        )


def minutes(time: str | int) -> int:
    """Return a time limit in minutes, given as minutes, ``12h``, ``90min``, ``2d``, or Slurm's ``1-12:00:00``.

    Raises:
        ValueError: if it has none of these forms, or is less than a minute.
    """
    text = str(time).strip()
    units = {"min": 1, "m": 1, "h": 60, "d": 24 * 60}
    whole = -1.0
    for unit, factor in units.items():
        number = text.removesuffix(unit).strip()
        if number != text and number.replace(".", "", 1).isdigit():
            whole = float(number) * factor
            break
    else:
        days, dash, clock = text.rpartition("-")
        parts = clock.split(":")
        if text.isdigit():
            whole = float(text)
        elif len(parts) in (1, 2, 3) and all(part.isdigit() for part in (*parts, *([days] if dash else []))):
            places = [*map(int, parts), 0, 0][:3] if dash else [*[0] * (3 - len(parts)), *map(int, parts)]
            whole = 24 * 60 * int(days or 0) + 60 * places[0] + places[1] + places[2] / 60
    if whole < 1:
        raise ValueError(f"time = {time!r}: write minutes, 12h, 90min, 2d or 1-12:00:00, a minute at least")
    return round(whole)


def _validated(content: Mapping[str, Any], place: str) -> Profile:
    try:
        return Profile.model_validate(dict(content))
    except ValidationError as error:
        raise UserError(f"{place}: {first_problem(error, '')}") from None
