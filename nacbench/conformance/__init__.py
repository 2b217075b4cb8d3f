"""Conformance checks of plug-ins: for built-in ones in the tests, for others by ``nacbench check NAME``."""

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from nacbench.conformance.model_checks import MODEL_CHECKS
from nacbench.conformance.reference import ReferenceImages, reference_task
from nacbench.conformance.task_checks import EVALUATION_TASK_CHECKS, TASK_CHECKS, checks_of
from nacbench.errors import UserError, unknown
from nacbench.registry import MODELS, PROTOCOLS, TASKS
from nacbench.running.failures import in_one_line

__all__ = [
    "EVALUATION_TASK_CHECKS",
    "MODEL_CHECKS",
    "TASK_CHECKS",
    "ReferenceImages",
    "Result",
    "check_plugin",
    "checks_of",
    "reference_task",
]


@dataclass(frozen=True)
class Result:
    """Result of one check.

    Attributes:
        kind: ``task`` or ``model``.
        check: the requirement, as a sentence without a full stop.
        problem: how the plug-in violates it; None if the check passed.
        trace: traceback of what the plug-in's code raised; None if it raised nothing.
    """

    kind: str
    check: str
    problem: str | None
    trace: str | None = None


def check_plugin(name: str, data_root: Path) -> Iterator[Result]:
    """Run all checks of the task, the model, or both of this name, and yield the results.

    Raises:
        UserError: if there is no task or model of this name, or it is a protocol's, a library that the model needs is
            missing, or Python leaves assertions out, which the checks are.
    """
    if not __debug__:
        raise UserError("Python leaves out what the checks consist of: unset PYTHONOPTIMIZE, or do not use python -O")
    is_task, is_model = TASKS.find(name), MODELS.find(name)
    if not (is_task or is_model):
        if PROTOCOLS.find(name):
            raise UserError(f"{name!r} is a protocol: check one of the tasks that it makes, such as 'digits-{name}'")
        raise unknown("task or model", name, [*TASKS.names(name), *MODELS.names()])
    if is_task:
        task = TASKS.get(name)
        yield from _results("task", [(c.__doc__, partial(c, task, data_root)) for c in checks_of(task)])
    if is_model:
        model = MODELS.get(name)
        if absent := model.missing():
            raise UserError(absent)
        yield from _results("model", [(c.__doc__, partial(c, model)) for c in MODEL_CHECKS])


def _results(kind: str, checks: list[tuple[str | None, Callable[[], None]]]) -> Iterator[Result]:
    for title, check in checks:
        problem = trace = None
        try:
            check()
        except AssertionError as error:
            problem = str(error)
        except UserError as error:
            problem = in_one_line(error)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a plug-in's code can raise anything, and the other checks still run
            problem, trace = in_one_line(error), traceback.format_exc()
        yield Result(kind, (title or "").strip().rstrip("."), problem, trace)
