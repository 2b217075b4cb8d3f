"""RunConfig, the complete configuration of a run."""

import functools
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SerializeAsAny,
    TypeAdapter,
    model_serializer,
    model_validator,
)

from nacbench.contracts.model import Model
from nacbench.contracts.numbers import Seed
from nacbench.contracts.recipe import Settings
from nacbench.contracts.task import AnyTask, Scale, Task
from nacbench.formats.yaml_text import as_yaml
from nacbench.running.initial import InitFrom

Precision = Literal["fp32", "bf16"]


class PluginChoice(BaseModel):
    """A plug-in's name and all of its options. In YAML, name and options are keys of one mapping."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and "options" not in data:
            own = {key: value for key, value in data.items() if key in cls.model_fields}
            return {**own, "options": {key: value for key, value in data.items() if key not in own}}
        return data

    @model_serializer
    def _spread(self) -> dict[str, Any]:
        own = {key: getattr(self, key) for key in type(self).model_fields if key != "options"}
        return {**own, **self.options}


class ModelChoice(PluginChoice):
    """A model's name, size, and all of its options."""

    size: str


class RunConfig(BaseModel):
    """Configuration of a run. It contains every option, so that later defaults cannot change a stored file's meaning.

    Create it with `nacbench.running.resolve.resolve`, which fills in defaults.

    Attributes:
        skip_unreadable: leave out examples whose files cannot be read; the record counts them as missing.
        init_from: weights that training begins with; None to draw them.
        trained_on: configuration of the run that trained the network; None for a run that trains its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: PluginChoice
    model: ModelChoice
    scale: Scale
    seed: Seed
    precision: Precision
    skip_unreadable: bool = False
    training: SerializeAsAny[Settings]
    init_from: InitFrom | None = None
    trained_on: "RunConfig | None" = None

    _task: AnyTask = PrivateAttr()
    _model: Model = PrivateAttr()

    @property
    def task_plugin(self) -> AnyTask:
        """Task plug-in with the options of this configuration, created once by `nacbench.running.resolve.resolve`."""
        return self._task

    @property
    def model_plugin(self) -> Model:
        """Model plug-in with the options of this configuration, created once by `nacbench.running.resolve.resolve`."""
        return self._model

    @property
    def training_task(self) -> Task:
        """Task that trains the network: this run's, or that of the run it is ``trained_on``."""
        task = self._task if self.trained_on is None else self.trained_on.training_task
        assert isinstance(task, Task)
        return task

    def as_dict(self) -> dict[str, Any]:
        """Return the configuration as plain data, of which `nacbench.running.resolve.resolve` makes an equal one."""
        content = self.model_dump(mode="json")
        if not self.skip_unreadable:
            del content["skip_unreadable"]  # most runs have all examples, and no setting for the others
        if self.init_from is None:
            del content["init_from"]
        if self.trained_on is None:
            del content["trained_on"]
        else:
            content["trained_on"] = self.trained_on.as_dict()
        return content

    def identifying(self) -> dict[str, Any]:
        """Return what counts for the run's id: `as_dict` with the digest of the weights that it begins with alone."""
        content = self.as_dict()
        if self.init_from is not None:
            content["init_from"] = self.init_from.identifying()
        if self.trained_on is not None:
            content["trained_on"] = self.trained_on.identifying()
        return content

    def with_seed(self, seed: int) -> "RunConfig":
        """Return the same configuration with another seed; nothing else is validated again.

        Raises:
            ValidationError: if this is no seed.
        """
        before = self.trained_on.with_seed(seed) if self.trained_on else None
        return self.model_copy(update={"seed": _seeds().validate_python(seed), "trained_on": before})

    def as_yaml(self) -> str:
        """Return the configuration as YAML, for ``nacbench run --config``."""
        return as_yaml(self.as_dict())


@functools.cache
def _seeds() -> TypeAdapter[int]:
    field = RunConfig.model_fields["seed"]
    return TypeAdapter(Annotated[int, *field.metadata])
