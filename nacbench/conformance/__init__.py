"""The checks that every task and model must pass: run on ours in the tests, on anyone's by ``nacbench check NAME``."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from nacbench.conformance.model_checks import MODEL_CHECKS
from nacbench.conformance.reference import ReferenceImages
from nacbench.conformance.task_checks import EVALUATION_TASK_CHECKS, TASK_CHECKS, checks_of
from nacbench.errors import UserError, unknown
from nacbench.registry import MODELS, TASKS

__all__ = [
    "EVALUATION_TASK_CHECKS",
    "MODEL_CHECKS",
    "TASK_CHECKS",
    "ReferenceImages",
    "Result",
    "check_plugin",
    "checks_of",
]


@dataclass(frozen=True)
class Result:
    """One check: of which kind of plug-in, what it asks for, and what is wrong if it is not so."""

    kind: str
    check: str
    problem: str | None


def check_plugin(name: str, data_root: Path) -> Iterator[Result]:
    """Check the task, the model, or both of this name, one result after another.

    Raises:
        UserError: if there is neither.
    """
    is_task, is_model = TASKS.find(name), MODELS.find(name)
    if not (is_task or is_model):
        raise unknown("task or model", name, [*TASKS.names(name), *MODELS.names()])
    if is_task:
        task = TASKS.get(name)
        yield from _results("task", [(c.__doc__, partial(c, task, data_root)) for c in checks_of(task)])
    if is_model:
        model = MODELS.get(name)
        yield from _results("model", [(c.__doc__, partial(c, model)) for c in MODEL_CHECKS])


def _results(kind: str, checks: list[tuple[str | None, Callable[[], None]]]) -> Iterator[Result]:
    for title, check in checks:
        try:
            check()
            problem = None
        except Exception as error:
            problem = (
                str(error) if isinstance(error, AssertionError | UserError) else f"{type(error).__name__}: {error}"
            )
        yield Result(kind, (title or "").strip().rstrip("."), problem)
