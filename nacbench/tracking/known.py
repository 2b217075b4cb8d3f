"""Which trackers there are: those of the suite, and those of installed packages (entry points nacbench.trackers)."""

from collections.abc import Iterable

from nacbench.errors import UserError
from nacbench.registry import Registry
from nacbench.tracking.tracker import Tracker

TRACKERS: Registry[Tracker] = Registry("tracker", Tracker, "nacbench.trackers", "nacbench.tracking.trackers")


def check_trackers(names: Iterable[str]) -> tuple[str, ...]:
    """Return these names of trackers, each once, if all can be used.

    Raises:
        UserError: if a name is unknown, or a library is missing; the message names the extra that installs it.
    """
    unique = tuple(dict.fromkeys(names))
    for name in unique:
        if absent := TRACKERS.get(name).missing():
            raise UserError(absent)
    return unique
