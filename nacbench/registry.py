"""Plug-in registry: find tasks, models and protocols by name; built in, from entry points, or from a file.

Files are loaded by `nacbench.plugin_files`.
"""

import importlib
import importlib.metadata
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Generic, TypeVar

from nacbench.contracts.model import Model
from nacbench.contracts.plugin import Plugin
from nacbench.contracts.protocol import Protocol
from nacbench.contracts.task import AnyTask, EvaluationTask, Scale, Task
from nacbench.errors import UserError, told, unknown
from nacbench.filesystem.working import working_folder_kept
from nacbench.plugin_class import wrong_class

P = TypeVar("P", bound=Plugin)


@dataclass(frozen=True)
class Entry(Generic[P]):
    """A registered plug-in that may not be imported yet.

    Attributes:
        name: name that users type.
        origin: ``built in``, a package and its version, or a file's path.
        load: imports the plug-in and returns its class; raises whatever the plug-in's code raises.
    """

    name: str
    origin: str
    load: Callable[[], type[P]]


class Registry(Generic[P]):
    """Plug-ins of one kind. Names are listed without importing any plug-in, so a broken one affects only its own name.

    Args:
        kind: ``task``, ``model`` or ``protocol``.
        base: base class of plug-ins of this kind.
        group: entry-point group of plug-ins in installed packages.
        package: package of the built-in plug-ins, one file each; None if all come through entry points.
    """

    def __init__(self, kind: str, base: type[P], group: str, package: str | None = None) -> None:
        self.kind = kind
        self._base = base
        self._package = package
        self._group = group
        self._files: dict[str, Entry[P]] = {}

    def entries(self) -> Mapping[str, Entry[P]]:
        """Return all plug-ins by name, sorted.

        Raises:
            UserError: if two plug-ins have the same name; the message says where both come from.
        """
        found: dict[str, Entry[P]] = {}
        for entry in [*self._built_in(), *self._installed(), *self._files.values()]:
            if entry.name in found:
                raise UserError(
                    f"two {self.kind}s are called {entry.name!r}: one {_where(found[entry.name])}, "
                    f"one {_where(entry)}; rename or uninstall one of them"
                )
            found[entry.name] = entry
        return dict(sorted(found.items()))

    def get(self, name: str) -> type[P]:
        """Import and return the class of this name.

        Raises:
            UserError: if the name is unknown, importing fails, or it is not a class of this kind.
        """
        entry = self.find(name)
        if entry is None:
            raise unknown(self.kind, name, self.names(name) or self.entries())
        try:
            with working_folder_kept():
                cls = entry.load()
        except (UserError, KeyboardInterrupt):
            raise
        except BaseException as error:  # a plug-in can raise anything; its exit() would look like success
            raise UserError(f"{self.kind} {name!r} ({entry.origin}) cannot be loaded: {told(error)}") from error
        if not (isinstance(cls, type) and issubclass(cls, self._base)):
            raise UserError(f"{self.kind} {name!r} ({entry.origin}) is not a subclass of {self._base.__name__}")
        wrong = cls.wrong_fact()
        if not wrong and entry.origin != "built in":  # which the tests check: lists of them need not wait for pydantic
            wrong = wrong_class(cls, self.kind)
        if wrong:
            raise UserError(f"{self.kind} {name!r} ({entry.origin}): class {cls.__name__} {wrong}")
        return cls

    def find(self, name: str) -> Entry[P] | None:
        """Return the entry of this name, or None if it is unknown. The plug-in is not imported."""
        return self.entries().get(name)

    def names(self, typed: str = "") -> list[str]:
        """Return candidates for error messages and shell completion of a typed name: all listed names."""
        return list(self.entries())

    def load_all(self) -> tuple[dict[str, type[P]], dict[str, str]]:
        """Import all plug-ins.

        Returns:
            The classes by name; and for plug-ins that cannot be loaded, the error messages by name.
        """
        loaded, broken = {}, {}
        for name in self.entries():
            try:
                loaded[name] = self.get(name)
            except UserError as error:
                broken[name] = str(error)
        return loaded, broken

    def add_file(self, path: Path, module: ModuleType) -> bool:
        """Register the class of this kind that a plug-in file defines, under the file's name.

        Returns:
            Whether the file defines one.

        Raises:
            UserError: if another file has registered the same name.
        """
        if not _defined(module, self._base):
            return False
        name = _plugin_name(path.stem)
        other = self._files.get(name)
        if other and Path(other.origin).resolve() != path.resolve():
            raise UserError(
                f"two {self.kind}s are called {name!r}: one from {other.origin}, one from {path}; rename one"
            )
        self._files[name] = Entry(name, str(path), lambda: _only_class(module, self._base))
        return True

    def forget_files(self) -> None:
        """Remove the plug-ins that `add_file` registered."""
        self._files.clear()

    def _built_in(self) -> list[Entry[P]]:
        if self._package is None:
            return []
        stems = _modules(self._package)
        return [Entry(_plugin_name(stem), "built in", self._loader(f"{self._package}.{stem}")) for stem in stems]

    def _loader(self, module: str) -> Callable[[], type[P]]:
        return lambda: _only_class(importlib.import_module(module), self._base)

    def _installed(self) -> list[Entry[P]]:
        own = __name__.partition(".")[0]
        entries = []
        for point in _entry_points(self._group):
            origin = _origin(point)
            is_own = point.value.startswith(f"{own}.")  # NAC and the protocols use nacbench's own entry points
            entries.append(Entry(point.name, "built in" if is_own else origin, point.load))
        return entries


class TaskRegistry(Registry[AnyTask]):
    """Registry of tasks. Besides listed tasks it has ``X-ending`` for every task ``X`` and every protocol ``ending``.

    Args:
        protocols: protocols that derive the tasks that are not listed.
    """

    def __init__(self, protocols: Registry[Protocol]) -> None:
        super().__init__("task", AnyTask, "nacbench.tasks", "nacbench.tasks")
        self._protocols = protocols
        self._made: dict[tuple[type[Protocol], type[AnyTask]], type[AnyTask]] = {}

    def find(self, name: str) -> Entry[AnyTask] | None:
        entries = self.entries()
        return entries.get(name) or next(self._made_by_protocols(name, entries), None)

    def names(self, typed: str = "") -> list[str]:
        """Return the listed names, and names ``X-ending`` where ``typed`` starts with ``X-`` or ends with ``-ending``.

        All combinations would be too many to list.
        """
        made = [
            f"{name}-{ending}"
            for ending in self._protocols.entries()
            for name in self.entries()
            if typed.startswith(f"{name}-") or typed.endswith(f"-{ending}")
        ]
        return [*self.entries(), *made]

    def training(self, name: str) -> type[Task]:
        """Return the class of a task that trains a network.

        Raises:
            UserError: as `Registry.get`, or if the task evaluates the network of another task.
        """
        cls = self.get(name)
        if issubclass(cls, EvaluationTask):
            raise UserError(f"task {name!r} trains no network: it scores one that was trained on {cls.trained_on!r}")
        assert issubclass(cls, Task)
        return cls

    def makers(self, name: str) -> list[type[Protocol]]:
        """Return the protocol that makes the task of this name; none for one that is listed."""
        entries = self.entries()
        made_by = [] if name in entries else list(self._bases(name, entries))[:1]
        return [self._protocols.get(ending) for ending, _ in made_by]

    def _made_by_protocols(self, name: str, entries: Mapping[str, Entry[AnyTask]]) -> Iterator[Entry[AnyTask]]:
        protocols = self._protocols.entries()
        for ending, base in self._bases(name, entries):
            origin = entries[base].origin if protocols[ending].origin == "built in" else protocols[ending].origin
            yield Entry(name, origin, partial(self._make, ending, base))

    def _bases(self, name: str, entries: Mapping[str, Entry[AnyTask]]) -> Iterator[tuple[str, str]]:
        """Yield the protocols' endings that a name has, each with the listed task before it."""
        for ending in self._protocols.entries():
            base = name.removesuffix(f"-{ending}")
            if base != name and base in entries:
                yield ending, base

    def _make(self, ending: str, base: str) -> type[AnyTask]:
        """Return the class that a protocol derives from a task; cached, since classes are compared by identity."""
        protocol, task = self._protocols.get(ending), self.get(base)
        if (protocol, task) not in self._made:
            self._made[protocol, task] = protocol().task_for(base, task)
        return self._made[protocol, task]


MODELS: Registry[Model] = Registry("model", Model, "nacbench.models", "nacbench.baselines")
PROTOCOLS: Registry[Protocol] = Registry("protocol", Protocol, "nacbench.protocols")
TASKS = TaskRegistry(PROTOCOLS)


def get_task(name: str) -> type[Task]:
    """Return the class of the task of this name that trains a network, for a plug-in that builds on it.

    Raises:
        UserError: if the task is unknown, trains no network, or cannot be loaded.
    """
    return TASKS.training(name)


def get_model(name: str) -> type[Model]:
    """Return the class of the model of this name, for a plug-in that builds on it.

    Raises:
        UserError: if the model is unknown or cannot be loaded.
    """
    return MODELS.get(name)


@cache
def _entry_points(group: str) -> tuple[importlib.metadata.EntryPoint, ...]:
    return tuple(importlib.metadata.entry_points(group=group))


def usual_size(task: type[AnyTask], scale: Scale, model: type[Model]) -> str:
    """Return the size that a model has on a task at a scale, unless another is chosen.

    It is the first of the ``sizes`` that the task has for the scale, or the task that trained its networks, that the
    model has too.

    Raises:
        UserError: if the task that trains cannot be loaded, or names no size for this scale.
    """
    trains = TASKS.training(task.trained_on) if issubclass(task, EvaluationTask) else task
    sizes = trains.sizes.get(scale)
    if not sizes:
        raise UserError(f"{trains.__name__}.sizes names no size of models for scale {scale!r}")
    return next((size for size in sizes if size in model.presets), sizes[-1])


@cache
def _origin(point: importlib.metadata.EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "a package"


def _modules(package: str) -> tuple[str, ...]:
    """Return the names of a package's modules without importing them, except those that start with an underscore."""
    return _modules_in(tuple(importlib.import_module(package).__path__))


@cache
def _modules_in(folders: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(info.name for info in pkgutil.iter_modules(folders) if not info.name.startswith("_"))


def _plugin_name(stem: str) -> str:
    return stem.replace("_", "-")


def _where(entry: Entry[P]) -> str:
    return "built in" if entry.origin == "built in" else f"from {entry.origin}"


def _defined(module: ModuleType, base: type[P]) -> list[type[P]]:
    """Return the plug-in classes of this kind that a module defines itself, without imported ones.

    A class without a title is a base class, such as that of a protocol's tasks, and does not count.
    """
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, base)
        and value.__module__ == module.__name__
        and hasattr(value, "title")
    ]


def _only_class(module: ModuleType, base: type[P]) -> type[P]:
    classes = _defined(module, base)
    if len(classes) != 1:
        raise UserError(
            f"{module.__file__} must define exactly one subclass of {base.__name__} with a title, "
            f"but defines {len(classes)}"
        )
    return classes[0]
