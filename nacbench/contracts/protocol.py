"""Interface of a protocol plug-in: derives an evaluation task ``X-ending`` from a task ``X``."""

from dataclasses import dataclass
from typing import ClassVar

from nacbench.contracts.plugin import Plugin
from nacbench.contracts.task import AnyTask
from nacbench.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Protocol(Plugin):
    """Base class of protocols. A protocol registered as ``ending`` adds a task ``X-ending`` for every task ``X``.

    Attributes:
        title: one or two words for the titles of its tasks: ``<title of X>, <title>``.
    """

    title: ClassVar[str]

    def task_for(self, name: str, task: type[AnyTask]) -> type[AnyTask]:
        """Return the class of the task ``name-ending``, usually by `nacbench.contracts.task.SameDataTask.of`.

        Args:
            name: name of the task ``X``.
            task: class of the task ``X``.

        Raises:
            UserError: if the protocol does not apply to this task; one line that names the task and the reason.
        """
        raise UserError(f"{type(self).__name__} must define task_for(name, task)")
