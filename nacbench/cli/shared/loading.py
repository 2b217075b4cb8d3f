"""A line on the terminal while a library loads that takes seconds, whichever command needs it."""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

from nacbench.formats.terminal import passing

SLOW = ("torch", "matplotlib.pyplot")


class _Announced:
    """Finds slow libraries where Python does, and shows a line while their code runs."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in SLOW:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def announced(module: ModuleType) -> None:
            with passing(f"loading {name.partition('.')[0]} ..."):
                execute(module)

        spec.loader.exec_module = announced  # type: ignore[method-assign]  # the loader stays: libraries ask it
        return spec


def announce_loading() -> None:
    """Show a line whenever a slow library is loaded from now on."""
    if _Announced not in sys.meta_path:
        sys.meta_path.insert(0, _Announced)
