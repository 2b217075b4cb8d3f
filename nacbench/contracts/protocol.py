"""The contract of a protocol: how it makes a task ``X-ending`` out of a task ``X``."""

from dataclasses import dataclass
from typing import ClassVar

from nacbench.contracts.plugin import Plugin
from nacbench.contracts.task import AnyTask
from nacbench.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Protocol(Plugin):
    """A way to score networks that works for many tasks: named ``ending``, it brings ``X-ending`` for a task ``X``.

    Attributes:
        title: a word or two for the titles of its tasks: ``<title of X>, <title>``.
    """

    title: ClassVar[str]

    def task_for(self, name: str, task: type[AnyTask]) -> type[AnyTask]:
        """Return the class of the task ``name-ending``; mostly that of `nacbench.contracts.task.SameDataTask.of`.

        Args:
            name: of a task.
            task: its class.

        Raises:
            UserError: in one line that names the task, why there is none for it.
        """
        raise UserError(f"{type(self).__name__} must define task_for(name, task)")
