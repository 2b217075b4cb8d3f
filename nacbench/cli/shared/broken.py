"""Lists of plug-ins leave out those whose own code raises something, and say so: the others are still listed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nacbench.errors import UserError

if TYPE_CHECKING:
    from nacbench.registry import Registry


@contextmanager
def noted(registry: "Registry[Any]", name: str, broken: dict[str, str]) -> Iterator[None]:
    """Note what a block raises about a task or a model, as one line under its name.

    Args:
        registry: of the plug-in.
        name: of the plug-in.
        broken: gets the line.
    """
    from nacbench.running.failures import in_one_line

    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plug-in can raise anything
        entry = registry.find(name)
        origin = entry.origin if entry else "unknown"
        # what a built-in model raises is our bug, or an error of the task that the user has named
        if origin == "built in" and (registry.kind == "model" or not isinstance(error, UserError)):
            raise
        called, reason = f"{registry.kind} {name!r}", in_one_line(error)
        broken[name] = reason if reason.startswith(called) else f"{called} ({origin}): {reason}"
