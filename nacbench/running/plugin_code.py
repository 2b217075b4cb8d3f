"""Code digests of the engine and of plug-ins: which files count for a run's id, also for plug-ins from outside."""

import sys
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import Distribution
from pathlib import Path, PurePosixPath

from nacbench.code_digest import (
    ROOT,
    code_digest,
    engine_files,
    files_of,
    has_changed,
    imported_by,
    plugins_named_in,
    short_digest,
)
from nacbench.code_digest.own_code import OwnCode, own_code_of
from nacbench.contracts.plugin import Plugin
from nacbench.errors import UserError
from nacbench.machine.software import distribution_of
from nacbench.plugin_files import MODULE, plugin_folders
from nacbench.registry import MODELS, TASKS


@cache
def engine_digest() -> str:
    """Return the digest of the code that computes every run."""
    return code_digest(engine_files())


def task_digest(name: str) -> str:
    """Return the digest of a task's code as `plugin_digest` does, with that of the protocol that makes it, if any."""
    return plugin_digest(TASKS.get(name), *TASKS.makers(name))


def plugin_digest(cls: type[Plugin], *more: type[Plugin]) -> str:
    """Return the digest of a plug-in's code, with the modules that it imports and the plug-ins that it builds on.

    Of nacbench, imports count from the folders that `nacbench.code_digest` names. For a plug-in from outside, modules
    also count that it imports from its own distribution or from any place where nothing is installed: beside its file,
    by ``PYTHONPATH``. Files that it reads, and modules that it imports by a computed name, cannot be determined and do
    not count.

    Raises:
        UserError: if one of its files was edited after this process had read it, as happens in a notebook: Python goes
            on with the code that it has loaded.
    """
    own, *others = (_digest_of(*plugin_files(one)) for one in _with_those_below([cls, *more]))
    return short_digest("".join([own, *sorted(others)]).encode()) if others else own


def _with_those_below(plugins: Sequence[type[Plugin]]) -> list[type[Plugin]]:
    """Return plug-ins with those that they build on, directly or not.

    These are what they are made from, what they name in their code, and base classes from other plug-in files, however
    the code has asked for them.
    """
    found = list(plugins)
    for one in found:  # which grows
        found += [other for other in _directly_below(one) if other not in found]
    modules = {one.__module__ for one in found}
    bases = (base for one in found for base in one.__mro__ if issubclass(base, Plugin))
    loaded = (base for base in bases if base.__module__.startswith(MODULE))
    other = next((base for base in loaded if base.__module__ not in modules), None)
    return found if other is None else _with_those_below([*found, other])


def _directly_below(cls: type[Plugin]) -> Iterator[type[Plugin]]:
    if cls.made_from is not None:
        yield cls.made_from
    for kind, name in plugins_named_in(plugin_files(cls)[0]):
        registry = TASKS if kind == "task" else MODELS
        if registry.find(name) is not None:  # otherwise the code that asks for it says so, if it is ever run
            yield registry.get(name)
            yield from TASKS.makers(name) if kind == "task" else ()


def all_files(cls: type[Plugin]) -> set[Path]:
    """Return the files that a plug-in's digest covers, with those of the plug-ins that it builds on.

    Raises:
        UserError: as `plugin_digest`.
    """
    return {file for one in _with_those_below([cls]) for file in plugin_files(one)[0]}


def plugin_files(cls: type[Plugin]) -> tuple[tuple[Path, ...], OwnCode]:
    """Return the files that a plug-in's digest covers, sorted, and the location of its own code."""
    own = _own_code(cls)
    files = _all_files(_first_files(cls, own), own)
    for file in files:
        if has_changed(file):
            raise UserError(f"{file} has changed since this process loaded it; restart Python (the notebook's kernel)")
    return files, own


@cache
def _all_files(first: tuple[Path, ...], own: OwnCode) -> tuple[Path, ...]:
    return tuple(sorted([*first, *imported_by(first, own)]))


@cache
def _digest_of(files: tuple[Path, ...], own: OwnCode) -> str:
    return code_digest(files, own)


def _own_code(cls: type[Plugin]) -> OwnCode:
    """Return the location of a plug-in's own code."""
    distribution = distribution_of(cls.__module__.partition(".")[0])
    return own_code_of(cls.__module__, plugin_folders(), _packages_of(distribution))


def _packages_of(distribution: Distribution | None) -> set[str]:
    """Return the top-level packages and modules of a distribution."""
    files = distribution.files if distribution else None
    return {PurePosixPath(file.parts[0]).stem for file in files or () if file.suffix == ".py"}


def _first_files(cls: type[Plugin], own: OwnCode) -> tuple[Path, ...]:
    """Return the files of a plug-in's class, of its base classes, and of the entry point that registers it."""
    modules = [base.__module__ for base in cls.__mro__] + _entry_modules(cls)
    files = {file for module in modules for file in files_of(module, own)}
    file = sys.modules[cls.__module__].__file__
    assert file is not None
    path = Path(file)  # of a plug-in loaded by --plugin, whose module name Python cannot find
    files.add(path if path.is_relative_to(ROOT) else path.resolve())
    return tuple(sorted(files))


def _entry_modules(cls: type[Plugin]) -> list[str]:
    """Return the modules of entry points for this plug-in.

    Such a module may create the class with code of others, so that the class's own module is not enough.
    """
    top = cls.__module__.partition(".")[0]
    distribution = distribution_of(top) if top != "nacbench" else None
    points = distribution.entry_points if distribution else []
    return [point.module for point in points if getattr(sys.modules.get(point.module), point.attr or "", None) is cls]
