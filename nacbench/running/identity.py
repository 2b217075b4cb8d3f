"""Identity of a run, whose digest is the run id: configuration, data fingerprint and code digests."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from nacbench.formats.dotted import flatten
from nacbench.recording.identity import run_id_of
from nacbench.registry import MODELS
from nacbench.running.config import RunConfig
from nacbench.running.plugin_code import engine_digest, plugin_digest, task_digest


class Identity(BaseModel):
    """Everything that a run's metrics depend on, except rounding differences between devices and library versions.

    Attributes:
        config: the complete `nacbench.running.config.RunConfig` as plain data.
        task_version: ``version`` of the task's class; see `nacbench.contracts.task.AnyTask`.
        data: fingerprint of the data.
        code: code digests of the engine, the task and the model, each with the modules it depends on; see
            `nacbench.code_digest`.
        trained_on: id of the run that trained the network, if it is another run. That id covers its data and code.
    """

    model_config = ConfigDict(frozen=True)

    config: dict[str, Any]
    task_version: int
    data: str
    code: dict[str, str]
    trained_on: str | None = None

    @property
    def run_id(self) -> str:
        """Digest of the identity, twelve hexadecimal digits."""
        return run_id_of(self.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for the record."""
        # Without a key that is None: ids of runs that train their own network must not depend on the field's existence
        return self.model_dump(exclude={"trained_on"} if self.trained_on is None else set())

    @classmethod
    def of(
        cls,
        config: RunConfig,
        data_fingerprint: str,
        trained_on: "Identity | None" = None,
        code: Mapping[str, str] | None = None,
    ) -> "Identity":
        """Return the identity of a configuration on data with this fingerprint.

        Args:
            config: of the run.
            data_fingerprint: of its data.
            trained_on: identity of the run that trains its network, if it is another run.
            code: digests that `code_of` has returned for its task and model; by default those of the installed code.
        """
        return cls(
            config=config.identifying(),
            task_version=config.task_plugin.version,
            data=data_fingerprint,
            code=dict(code_of(config) if code is None else code),
            trained_on=trained_on.run_id if trained_on else None,
        )

    def differences(self, other: "Identity") -> list[tuple[str, str, str]]:
        """Return the fields in which two identities differ, with both values as text; ``—`` for a missing field."""
        ours, theirs = flatten(self.as_dict()), flatten(other.as_dict())
        return [
            (key.removeprefix("config."), ours.get(key, "—"), theirs.get(key, "—"))
            for key in dict.fromkeys([*ours, *theirs])
            if ours.get(key, "—") != theirs.get(key, "—")
        ]


def code_of(config: RunConfig) -> dict[str, str]:
    """Return the digests of the installed code that computes a run; they depend on its task and model alone."""
    model = MODELS.get(config.model.name)
    return {"engine": engine_digest(), "task": task_digest(config.task.name), "model": plugin_digest(model)}
