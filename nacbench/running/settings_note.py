"""The line that tells a reader of a score at scale ``paper`` whose settings the network was trained with."""

from __future__ import annotations

from nacbench.contracts.recipe import Settings
from nacbench.contracts.task import AnyTask
from nacbench.formats.dotted import flatten
from nacbench.running.config import RunConfig


def note_on_settings(config: RunConfig) -> list[str]:
    """Return one line for a run of scale ``paper``, and none for others, whose settings are the suite's own.

    It names the settings of task and training that differ from the task's own, if they are meant to be as published.
    """
    training = config.trained_on or config
    task = training.task_plugin
    if config.scale != "paper":
        return []
    if task.origin.whose == "ours":
        return [f"settings of scale paper are {task.origin}"]
    changed = _changed(training)
    but = f", but for {', '.join(changed)}" if changed else ""
    return [f"settings of scale paper are {task.origin}{but}"]


def _changed(config: RunConfig) -> list[str]:
    """Return the task's options and settings that are not the task's own at scale ``paper``, as ``name = value``."""
    task = config.task_plugin
    own = type(task)(**task.presets.get("paper", {}))
    before = _flat(own, task.recipes["paper"])
    now = _flat(task, config.training)
    return [f"{key} = {value}" for key, value in now.items() if before.get(key) != value]


def _flat(task: AnyTask, settings: Settings) -> dict[str, str]:
    return flatten({"task": task.options(), "training": settings.model_dump(mode="json")})
