"""A part of a sweep, for a sitting that has not the time for all of it: runs of some tasks and models."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from nacbench.errors import UserError, unknown
from nacbench.running.config import RunConfig
from nacbench.sweep.part import Part


class Only(Part):
    """A part of a sweep's runs: those of some tasks and models, by names or patterns; all, where none is given."""

    task: tuple[str, ...] = ()
    model: tuple[str, ...] = ()

    def holds(self, config: RunConfig) -> bool:
        """Return whether a run is of it."""
        named = ((config.task.name, self.task), (config.model.name, self.model))
        return all(any(fnmatchcase(name, p) for p in patterns) for name, patterns in named if patterns)

    def of(self, configs: Sequence[RunConfig], sweep: str) -> list[RunConfig]:
        """Return the runs that are of it.

        Raises:
            UserError: if a pattern fits no run of the sweep of this name, or no run is left.
        """
        for option, patterns in (("task", self.task), ("model", self.model)):
            names = dict.fromkeys(getattr(config, option).name for config in configs)
            for pattern in patterns:
                if not any(fnmatchcase(name, pattern) for name in names):
                    raise unknown(f"{option} in sweep {sweep!r}", pattern, names)
        left = [config for config in configs if self.holds(config)]
        if not left:
            wanted = f"--task {' '.join(self.task)} --model {' '.join(self.model)}"
            raise UserError(f"{wanted}: sweep {sweep!r} has no such run; see nacbench sweep plan {sweep}")
        return left
