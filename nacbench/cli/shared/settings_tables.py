"""Tables of settings with what they mean, their defaults, and their values at each scale or size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nacbench.cli.shared.tables import print_table
from nacbench.formats.dotted import flatten
from nacbench.formats.terminal import say


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of one section.

    Attributes:
        section: first part of the dotted keys: ``task``, ``model`` or ``training``.
        about: what they mean, by name.
        defaults: their defaults by name.
        by_preset: what each scale or size sets, by name.
    """

    section: str
    about: Mapping[str, str]
    defaults: Mapping[str, Any]
    by_preset: Mapping[str, Mapping[str, Any]]

    def print(self) -> None:
        """Print a row for each setting, with a column for each scale or size; an empty cell means the default."""
        presets = {name: flatten(values) for name, values in self.by_preset.items()}
        defaults = flatten(self.defaults)
        keys = list(dict.fromkeys([*defaults, *(key for values in presets.values() for key in values)]))
        if not keys:
            return
        columns: dict[str, Mapping[str, str]] = {"default": defaults, **presets}
        rows = [[key, *(own.get(key, "") for own in columns.values()), self.about.get(key, "")] for key in keys]
        head = [f"--set {self.section}.…", *columns, "what it means"]
        print_table(head, rows, right=range(1, len(head) - 1))


def print_facts(facts: Sequence[tuple[str, Any]]) -> None:
    """Print a line for each fact, with its name in front; — where it is not known or there is none."""
    for name, value in facts:
        say(f"{name:<12} {'—' if value is None or value == '' else value}")
