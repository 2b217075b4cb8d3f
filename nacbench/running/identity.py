"""What makes a run the run that it is: its configuration, its data, and the code that computes."""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict

from nacbench.code_digest import short_digest
from nacbench.registry import MODELS, TASKS
from nacbench.running.config import RunConfig
from nacbench.running.plugin_code import engine_digest, plugin_digest, task_digest


class Identity(BaseModel):
    """Everything that a run's number depends on. Same identity, same number (up to the device's rounding).

    Attributes:
        config: the whole `nacbench.running.config.RunConfig` as plain data.
        task_version: `nacbench.contracts.task.Task.version`.
        data: the fingerprint of the examples.
        code: a digest each of the engine, of the task and of the model with all that they build on, of what their
            code computes: see `nacbench.code_digest`.
        trained_on: the id of the run that the network is taken from, if there is one.
    """

    model_config = ConfigDict(frozen=True)

    config: dict[str, Any]
    task_version: int
    data: str
    code: dict[str, str]
    trained_on: str | None = None

    @property
    def run_id(self) -> str:
        """Twelve hexadecimal digits."""
        return short_digest(json.dumps(self.as_dict(), sort_keys=True).encode())

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for the record."""
        return self.model_dump(exclude={"trained_on"} if self.trained_on is None else set())

    @classmethod
    def of(cls, config: RunConfig, data_fingerprint: str, trained_on: "Identity | None" = None) -> "Identity":
        """The identity of a configuration on data with this fingerprint, computed by the code that is installed."""
        task, model = TASKS.get(config.task.name), MODELS.get(config.model.name)
        return cls(
            config=config.as_dict(),
            task_version=task.version,
            data=data_fingerprint,
            code={"engine": engine_digest(), "task": task_digest(config.task.name), "model": plugin_digest(model)},
            trained_on=trained_on.run_id if trained_on else None,
        )

    def differences(self, other: "Identity") -> list[tuple[str, str, str]]:
        """Every field in which two identities differ, with both values as text; a field that one lacks is ``—``."""
        ours, theirs = flatten(self.as_dict()), flatten(other.as_dict())
        return [
            (key.removeprefix("config."), ours.get(key, "—"), theirs.get(key, "—"))
            for key in dict.fromkeys([*ours, *theirs])
            if ours.get(key, "—") != theirs.get(key, "—")
        ]


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested mappings as one, with dotted keys and values as text."""
    return {key: as_text(value) for key, value in leaves(tree, prefix).items()}


def leaves(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted keys and values as they are."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat |= leaves(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def as_text(value: Any) -> str:
    """A value as text; a string keeps its quotes where something else would read the same, such as the number 7."""
    if not isinstance(value, str):
        return json.dumps(value)
    try:
        return json.dumps(value) if json.dumps(json.loads(value)) == value else value
    except ValueError:
        return value
