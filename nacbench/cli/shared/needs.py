"""Which data a task needs, that of the task it takes networks from included, and whether it is at hand."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacbench.errors import UserError

if TYPE_CHECKING:
    from nacbench.contracts.task import AnyTask, DataFiles

NOTHING_TO_FETCH = "always available, nothing to fetch"


def made_task(name: str, settings: Sequence[str] = ()) -> "AnyTask":
    """The task as at scale ``paper``, with ``settings`` such as ``task.data=lra`` over that.

    Raises:
        UserError: if there is no such task, or a setting is wrong or not the task's.
    """
    from nacbench.registry import TASKS

    cls = TASKS.get(name)
    if settings:
        return cls.configured("task", "paper", _options(settings))
    try:
        return cls(**cls.presets.get("paper", {}))  # without pydantic, which lists of many tasks would wait for
    except (TypeError, ValueError) as error:
        raise UserError(f"task {name!r} cannot be made with its own settings for scale 'paper': {error}") from error


def _options(settings: Sequence[str]) -> dict[str, Any]:
    from nacbench.running.config import parse_setting

    options: dict[str, Any] = {}
    for text in settings:
        for section, values in parse_setting(text).items():
            if section != "task" or not isinstance(values, dict):
                raise UserError(f"--set {text}: only the task can be set here, for example --set task.data=lra")
            options |= values
    return options


def with_trained_on(name: str, settings: Sequence[str] = ()) -> dict[str, "AnyTask"]:
    """The task by its name, after the one that it takes its network from, if there is one."""
    from nacbench.contracts.task import EvaluationTask
    from nacbench.registry import TASKS

    task = made_task(name, settings)
    if not isinstance(task, EvaluationTask):
        return {name: task}
    TASKS.training(task.trained_on)  # raises where that task trains no network
    return {task.trained_on: made_task(task.trained_on), name: task}


def needed(tasks: Iterable["AnyTask"]) -> list["DataFiles"]:
    """Return the data files of some tasks, each once."""
    found: list[DataFiles] = []
    for task in tasks:
        found += [files for files in task.data_files() if files not in found]
    return found


def what_is_missing(tasks: Iterable["AnyTask"], data_root: Path) -> str | None:
    """None where all data of these tasks is at hand, else one line on the first that is not."""
    return next(filter(None, (task.missing(data_root) for task in tasks)), None)


def for_task(text: str, name: str) -> str:
    """Return a message of `DataFiles`, which do not know their task, with its name in the commands."""
    for verb in ("fetch", "import"):
        text = text.replace(f"nacbench data {verb} TASK", f"nacbench data {verb} {name}")
    return text
