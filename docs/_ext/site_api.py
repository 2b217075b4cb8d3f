"""The API reference: the names of the public face, and the modules of a folder."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import TypeAdapter
from site_fields import allowed
from site_markdown import escaped, table

from nacbench.contracts.metric import Metric

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "nacbench"
FACE = "nacbench.api"  # the module of the public functions: its reference is on the page of the public names
NOT_LISTED = {"nacbench", "nacbench.__main__", FACE}


def public_names() -> Mapping[str, str]:
    """The names that ``from nacbench import …`` offers, each with the module that defines it."""
    import nacbench

    return nacbench._PUBLIC


def public() -> str:
    """The table of all public names, each linked to its reference, then the reference of the public functions."""
    names = public_names()
    rows = [[_linked(name, module), escaped(_first_sentence(name, module))] for name, module in names.items()]
    functions = [f".. autofunction:: {module}.{name}" for name, module in names.items() if module == FACE]
    reference = "\n".join(["```{eval-rst}", *functions, "```"])
    return f"{table(['name', 'what'], rows)}\n{reference}\n"


def modules(package: str) -> str:
    """A section for each module of a folder and of the folders in it; of ``nacbench``, only its own modules."""
    return "\n".join(_sections(package, level=2))


def _sections(package: str, level: int) -> Iterator[str]:
    own, inner = _inside(package)
    for module in own:
        yield f"{'#' * level} {module}\n\n{_automodule(module)}"
    for folder in inner:
        about = ast.get_docstring(ast.parse((_place(folder) / "__init__.py").read_text(encoding="utf-8"))) or ""
        yield f"{'#' * level} {folder.removeprefix('nacbench.').replace('.', '/')}/\n\n{escaped(about)}\n"
        yield from _sections(folder, level + 1)


def _inside(package: str) -> tuple[list[str], list[str]]:
    """The modules and the folders directly in a folder; the folders of ``nacbench`` have pages of their own."""
    place = _place(package)
    files = sorted(place.glob("*.py"), key=lambda file: (file.stem != "__init__", file.stem))
    own = [package if file.stem == "__init__" else f"{package}.{file.stem}" for file in files if _defines(file)]
    folders = [] if place == PACKAGE else sorted(file.parent.name for file in place.glob("*/__init__.py"))
    return [module for module in own if module not in NOT_LISTED], [f"{package}.{name}" for name in folders]


def _place(package: str) -> Path:
    return REPOSITORY.joinpath(*package.split("."))


def _defines(file: Path) -> bool:
    """Whether a file is more than a package's docstring."""
    return file.stem != "__init__" or any(
        isinstance(node, ast.ClassDef | ast.FunctionDef) for node in ast.parse(file.read_text(encoding="utf-8")).body
    )


def _automodule(module: str) -> str:
    return f"```{{eval-rst}}\n.. automodule:: {module}\n```\n"


def _linked(name: str, module: str) -> str:
    """A link to the reference; a type alias has none."""
    thing = getattr(importlib.import_module(module), name)
    if inspect.isclass(thing) or inspect.isfunction(thing):
        return f"{{py:obj}}`{name} <{thing.__module__}.{thing.__qualname__}>`"
    return f"`{name}`"


def _first_sentence(name: str, module: str) -> str:
    thing = getattr(importlib.import_module(module), name)
    if isinstance(thing, tuple):
        return f"The constant `{thing}`."
    if isinstance(thing, Metric):
        return f"The metric `{thing.name}`: {thing.about}; {thing.direction}."
    if not (inspect.isclass(thing) or inspect.isfunction(thing)):
        return f"A type for options: {allowed(TypeAdapter(thing).json_schema())}."
    first = (inspect.getdoc(thing) or "").partition("\n\n")[0]
    return re.split(r"(?<=[.?]) ", " ".join(first.split()))[0]
