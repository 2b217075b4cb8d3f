"""How tables mark a task's name: scores on other data, on a part of it, or chosen on test images."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from nacbench.contracts.recipe import BEST_TEST
from nacbench.errors import UserError
from nacbench.registry import TASKS

CHOSEN_ON_TEST = "the epoch was chosen on the test images: the score is too high"
LONGEST_MARK = 40  # characters that tables show of a value in the name of a task


def marked_task(task: str, data: str, is_partial: bool, rule: str) -> str:
    """Return the name of a task as tables show it.

    Args:
        task: its name.
        data: see `other_data`; scores on other data are another entry of tables.
        is_partial: whether the data set was incomplete.
        rule: of the selection; weights that the test images chose have other, too high scores.
    """
    marks = [
        *([data] if data else []),
        *(["part"] if is_partial else []),
        *(["epoch chosen on test"] if rule == BEST_TEST else []),
    ]
    return f"{task} ({', '.join(marks)})" if marks else task


def other_data(config: Mapping[str, Any]) -> str:
    """Return the value of the task's option ``data``, or else of the task that trained; empty if it is the usual one.

    Args:
        config: of a run, without checks.
    """
    for part in (config, config.get("trained_on")):
        task = part.get("task") if isinstance(part, Mapping) else None
        data = task.get("data") if isinstance(task, Mapping) else None
        if isinstance(task, Mapping) and isinstance(data, str) and data != _usual_data(task.get("name")):
            return data[:LONGEST_MARK]
    return ""


def _usual_data(task: Any) -> Any:
    try:
        options = fields(TASKS.get(task))
    except UserError:  # a plug-in is not loaded, or has another name by now
        return None
    return next((option.default for option in options if option.name == "data"), None)
