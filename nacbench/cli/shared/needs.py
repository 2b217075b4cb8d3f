"""Data files that a task needs, including those of the task that trains its network, and what is missing."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacbench.contracts.given import checked_data_files
from nacbench.errors import UserError

if TYPE_CHECKING:
    from nacbench.contracts.task import AnyTask, DataFiles

NOTHING_TO_FETCH = "always available, nothing to fetch"


def made_task(name: str, settings: Sequence[str] = ()) -> "AnyTask":
    """Return the task with its options of scale ``paper``, overridden by ``settings`` such as ``task.data=lra``.

    Raises:
        UserError: if no task has this name, a setting is invalid, or a setting is not one of the task.
    """
    from nacbench.registry import TASKS

    cls = TASKS.get(name)
    if settings:
        return cls.configured("task", "paper", options_in(settings))
    try:
        return cls(**cls.presets.get("paper", {}))  # without pydantic, whose import would slow down lists of tasks
    except (TypeError, ValueError) as error:
        raise UserError(f"task {name!r} cannot be made with its own preset of scale 'paper': {error}") from error


def options_in(settings: Sequence[str]) -> dict[str, Any]:
    """Return the task's options of settings such as ``task.data=lra``; raises UserError for any other setting."""
    from nacbench.running.resolve import parse_setting

    options: dict[str, Any] = {}
    for text in settings:
        for section, values in parse_setting(text).items():
            if section != "task" or not isinstance(values, dict):
                raise UserError(
                    f"--set {text}: only options of the task can be set here, for example --set task.data=lra"
                )
            options |= values
    return options


def other_choices(name: str, option: str, settings: Sequence[str]) -> list[str]:
    """Return settings with the other values of a task's option that has a few to choose from, unless it is set.

    Args:
        name: of the task.
        option: the option's name.
        settings: those that are given, such as ``task.data=lra``.
    """
    from pydantic import TypeAdapter

    from nacbench.registry import TASKS

    cls = TASKS.get(name)
    if option not in {field.name for field in fields(cls)} or option in options_in(settings):
        return []
    default = getattr(made_task(name, settings), option)
    # by pydantic, which looks at options only: typing would also resolve class variables, of types not imported here
    choices = TypeAdapter(cls).json_schema()["properties"][option].get("enum", ())
    others = [f"task.{option}={choice}" for choice in choices if choice != default]
    return [setting for setting in others if _is_possible(name, [*settings, setting])]


def _is_possible(name: str, settings: Sequence[str]) -> bool:
    """Return whether a task can be made with some settings; ListOps of short expressions refuses Long Range Arena's."""
    try:
        made_task(name, settings)
    except UserError:
        return False
    return True


def with_trained_on(name: str, settings: Sequence[str] = ()) -> dict[str, "AnyTask"]:
    """Return the task by name, preceded by the task that trains its network, if it is an evaluation task."""
    from nacbench.contracts.task import EvaluationTask
    from nacbench.registry import TASKS

    task = made_task(name, settings)
    if not isinstance(task, EvaluationTask):
        return {name: task}
    TASKS.training(task.trained_on)  # raises where that task trains no network
    return {task.trained_on: made_task(task.trained_on), name: task}


def needed(tasks: Iterable["AnyTask"]) -> list["DataFiles"]:
    """Return the data files of these tasks without duplicates."""
    found: list[DataFiles] = []
    for task in tasks:
        found += [files for files in checked_data_files(task, task.data_files()) if files not in found]
    return found


def what_is_missing(tasks: Iterable["AnyTask"], data_root: Path) -> str | None:
    """Return one line on the first missing data of these tasks, or None if all of it is here."""
    return next(filter(None, (task.missing(data_root) for task in tasks)), None)


def for_task(text: str, name: str, settings: Sequence[str] = ()) -> str:
    """Return a message of `DataFiles` with TASK in its commands replaced; data files do not know their task.

    Args:
        text: the message.
        name: of the task.
        settings: by which the task uses these files, such as ``task.data=lra``; an import knows them by itself.
    """
    given = "".join(f" --set {setting}" for setting in settings)
    for verb, options in (("fetch", given), ("verify", given), ("where", ""), ("import", "")):
        text = text.replace(f"nacbench data {verb} TASK", f"nacbench data {verb} {name}{options}")
    return text


def by_setting(task: str, settings: Sequence[str] = ()) -> "Iterator[tuple[str, DataFiles]]":
    """Yield the data files of a task, each with the setting that makes the task use it, or an empty text.

    These are the named task's own files, then those of the task that trains its network, then those of other choices of
    the option ``data``.

    Args:
        task: its name.
        settings: those that are given, such as ``task.data=lra``.
    """
    yielded: list[DataFiles] = []
    for setting in ["", *other_choices(task, "data", settings)]:
        for files in needed(reversed(with_trained_on(task, [*settings, *filter(None, [setting])]).values())):
            if files not in yielded:
                yielded.append(files)
                yield setting, files
