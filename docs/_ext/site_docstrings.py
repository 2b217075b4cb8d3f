"""How Sphinx reads the docstrings and signatures of this project.

- Fields of pydantic's models are described in ``Field``: they become a section ``Attributes:``, as other classes have.
- In that section, ``a, b: text`` is two entries.
- An entry that begins with a letter and a full stop is no list.
- A property's first line is a sentence, not ``type: description``.
- Signatures of plug-ins and pydantic's models would list every limit of every option; tables and attributes do.
- A `typing.Protocol` is never instantiated: it has no signature.
- Bases that are private or say nothing are left out.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from site_fields import described_fields

from nacbench.contracts.plugin import Plugin

if TYPE_CHECKING:
    from sphinx.application import Sphinx

BEFORE_NAPOLEON = 400
SEVERAL = re.compile(r"^    (\w+(?:, \w+)+): (.*)")
LETTER = re.compile(r"^( +\w+: )([A-Z]\.)")
OPTION = re.compile(r"(?<!\S)(--\w[\w-]*)")  # as text, its dashes would become one
ANNOTATED = re.compile(r"Annotated\[([^\[\]]+), FieldInfo\([^()]*\)\]")
FROM_PYDANTIC = {"model_config", "model_post_init"}


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the handlers."""
    app.connect("autodoc-process-docstring", _adapted_docstring, priority=BEFORE_NAPOLEON)
    app.connect("autodoc-process-signature", _short_signature)
    app.connect("autodoc-process-bases", _public_bases)
    app.connect("autodoc-skip-member", _skipped)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _adapted_docstring(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    if what in ("property", "attribute", "data"):
        lines[:0] = ["..", ""]  # a comment, so that napoleon looks for no type before the first colon
        return
    if what == "class":
        if issubclass(thing, BaseModel) and "Attributes:" not in lines:
            lines += _attributes(thing)
        lines[:] = list(_one_by_one(lines))
    lines[:] = [LETTER.sub(r"\1\\\2", line) for line in lines]


def _attributes(model: type[BaseModel]) -> Iterator[str]:
    own = [row for row in described_fields(model) if row.name in model.__annotations__]
    if own:
        yield from ("", "Attributes:")
        for row in own:
            limits = [row.value] if re.search("[<>≤≥]", row.value) else []
            default = [] if row.default in ("", "required", "none") else [f"default {row.default.replace('`', '``')}"]
            said = [OPTION.sub(r"``\1``", row.what)] if row.what else []
            facts = [f"({'; '.join([*limits, *default])})"] if limits or default else []
            yield f"    {row.name}: {' '.join([*said, *facts])}"
        yield ""


def _one_by_one(lines: list[str]) -> Iterator[str]:
    """The same, with an entry for each of several attributes that share a description."""
    waiting: list[str] = []  # the others' names
    block: list[str] = []

    def others() -> Iterator[str]:
        for name in waiting:
            yield f"    {name}: {block[0]}"
            yield from block[1:]
        waiting.clear()

    inside = False
    for line in lines:
        if waiting and not line.startswith("     "):
            yield from others()
        inside = line == "Attributes:" or (inside and (not line or line.startswith(" ")))
        if inside and (match := SEVERAL.match(line)):
            first, *waiting[:] = match[1].split(", ")
            block[:] = [match[2]]
            yield f"    {first}: {match[2]}"
        else:
            block += [line] if waiting else []
            yield line
    yield from others()


def _short_signature(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str, str | None] | None:
    if what == "class" and issubclass(thing, Plugin):
        settings = [f"{own.name}={own.default!r}" for own in dataclasses.fields(thing)]
        return (f"(*, {', '.join(settings)})" if settings else "()", None)
    if what == "class" and (issubclass(thing, BaseModel) or getattr(thing, "_is_protocol", False)):
        return "", None
    return (ANNOTATED.sub(r"\1", signature), returns) if signature else None


def _public_bases(app: Sphinx, name: str, thing: type, options: Any, bases: list[type]) -> None:
    def public(base: type) -> list[type]:
        return [base] if not base.__name__.startswith("_") else [own for b in base.__bases__ for own in public(b)]

    bases[:] = list(dict.fromkeys(own for base in bases for own in public(base)))


def _skipped(app: Sphinx, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    is_field_of_tuple = type(thing).__name__ == "_tuplegetter"
    return True if is_field_of_tuple or name in FROM_PYDANTIC else None
