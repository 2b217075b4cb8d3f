"""What options and settings mean, from the one place where it is written: docstrings, and fields of recipes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from nacbench.contracts.plugin import Plugin

SECTION = re.compile(r"^Attributes:\n((?:[ ]+.*\n|\n)+)", re.MULTILINE)
ENTRY = re.compile(r"^    (?=[\w, ]+: )([\w, ]+?): (.*?)(?=^    \S|\Z)", re.MULTILINE | re.DOTALL)


def option_texts(cls: type[Plugin]) -> dict[str, str]:
    """Return what the options of a plug-in mean, by name, from "Attributes:" in its docstring and those of its bases.

    Options that no docstring describes are left out.
    """
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        found |= dict(_entries(inspect.cleandoc(base.__dict__.get("__doc__") or "")))
    return {name: found[name] for name in cls.option_names() if name in found}


def _entries(docstring: str) -> Iterator[tuple[str, str]]:
    """Yield names and texts of the section "Attributes:"; an entry may begin with several names."""
    for section in SECTION.finditer(f"{docstring}\n"):
        for names, text in ENTRY.findall(section[1]):
            for name in names.split(","):
                yield name.strip(), " ".join(text.split()).replace("`", "").rstrip(".")


def recipe_texts(recipe: BaseModel, prefix: str = "") -> dict[str, str]:
    """Return what the fields of a recipe mean, by dotted name; those of sections in it, too."""
    found: dict[str, str] = {}
    for name, field in type(recipe).model_fields.items():
        value = getattr(recipe, name)
        if isinstance(value, BaseModel):
            found |= recipe_texts(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = field.description or ""
    return found


def recipe_defaults(kind: type[BaseModel]) -> dict[str, Any]:
    """Return the fields of a recipe that have a default, with that, as JSON-compatible data by name."""
    fields = {name: field.get_default(call_default_factory=True) for name, field in kind.model_fields.items()}
    given = {name: value for name, value in fields.items() if not kind.model_fields[name].is_required()}
    return {
        name: value.model_dump(mode="json") if isinstance(value, BaseModel) else value for name, value in given.items()
    }
