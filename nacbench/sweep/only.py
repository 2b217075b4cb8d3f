"""A part of a sweep, for a sitting that has not the time for all of it: runs of some tasks and models."""

from collections.abc import Sequence

from nacbench.errors import UserError
from nacbench.recording.choice import fitting
from nacbench.running.config import RunConfig
from nacbench.sweep.part import Part


class Only(Part):
    """A part of a sweep's runs: those of some tasks and models, by names or patterns; all, where none is given."""

    task: tuple[str, ...] = ()
    model: tuple[str, ...] = ()

    def of(self, configs: Sequence[RunConfig], sweep: str) -> list[RunConfig]:
        """Return the runs that are of it, in their order.

        Args:
            configs: all runs of a sweep.
            sweep: its name, for the error.

        Raises:
            UserError: if a pattern fits no run of the sweep, or no run is left.
        """
        left = list(configs)
        for option, patterns in (("task", self.task), ("model", self.model)):
            if patterns:
                every = (getattr(config, option).name for config in configs)
                wanted = fitting(every, f"{option} of this sweep", patterns)
                left = [config for config in left if getattr(config, option).name in wanted]
        if not left:
            asked = " ".join([*(f"--task {name}" for name in self.task), *(f"--model {name}" for name in self.model)])
            raise UserError(f"{asked}: sweep {sweep!r} has no such run; see nacbench sweep plan {sweep}")
        return left
