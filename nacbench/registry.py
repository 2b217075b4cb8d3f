"""Tasks and models by name: built in, from installed packages, or from a single file."""

import hashlib
import importlib
import importlib.metadata
import importlib.util
import pkgutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Generic, TypeVar

from nacbench.code_digest import OwnCode, imported_by, names_imported_by, place_of
from nacbench.contracts.model import Model
from nacbench.contracts.plugin import Plugin
from nacbench.contracts.task import Task
from nacbench.errors import UserError, unknown

P = TypeVar("P", bound=Plugin)


@dataclass(frozen=True)
class Entry(Generic[P]):
    """A name, where it comes from, and how to load it.

    Attributes:
        name: what users type.
        origin: ``built in``, a package and its version, or a file's path.
        load: imports and gives the plug-in's class; raises whatever the plug-in's own code raises.
    """

    name: str
    origin: str
    load: Callable[[], type[P]]


class Registry(Generic[P]):
    """One kind of plug-in. Names are found without importing any plug-in's code.

    Args:
        kind: ``task`` or ``model``.
        base: the class that plug-ins of this kind derive from.
        package: where the built-in ones lie, one file each.
        group: the entry-point group through which installed packages bring theirs.
        families: by ending of a name, what makes a plug-in of the one whose name is without it. They are not listed.
    """

    def __init__(
        self,
        kind: str,
        base: type[P],
        package: str,
        group: str,
        families: Mapping[str, Callable[[str, type[P]], type[P]]] | None = None,
    ) -> None:
        self.kind = kind
        self._base = base
        self._package = package
        self._group = group
        self._families = families or {}
        self._files: dict[str, Entry[P]] = {}

    def entries(self) -> Mapping[str, Entry[P]]:
        """All plug-ins by name, sorted; two of one name are an error that names both."""
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
        """The class of this name.

        Raises:
            UserError: if there is no such name, or its code cannot be loaded.
        """
        entries = self.entries()
        entry = entries.get(name) or self._derived(name, entries)
        if entry is None:
            derived = [f"{base}{ending}" for ending in self._families if name.endswith(ending) for base in entries]
            raise unknown(self.kind, name, derived or entries)
        try:
            cls = entry.load()
        except UserError:
            raise
        except Exception as error:
            raise UserError(
                f"{self.kind} {name!r} ({entry.origin}) cannot be loaded: {type(error).__name__}: {error}"
            ) from error
        if not (isinstance(cls, type) and issubclass(cls, self._base)):
            raise UserError(f"{self.kind} {name!r} ({entry.origin}) is not a subclass of {self._base.__name__}")
        return cls

    def _derived(self, name: str, entries: Mapping[str, Entry[P]]) -> Entry[P] | None:
        """One that follows from another by its name's ending, if there is such a one."""
        for ending, derive in self._families.items():
            base = name.removesuffix(ending)
            if base != name and base in entries:
                return Entry(name, entries[base].origin, partial(self._derive, derive, base))
        return None

    def _derive(self, derive: Callable[[str, type[P]], type[P]], base: str) -> type[P]:
        return derive(base, self.get(base))

    def load_all(self) -> tuple[dict[str, type[P]], dict[str, str]]:
        """Every class that loads, by name, and for the others by name what is wrong with them."""
        loaded, broken = {}, {}
        for name in self.entries():
            try:
                loaded[name] = self.get(name)
            except UserError as error:
                broken[name] = str(error)
        return loaded, broken

    def add_file(self, path: Path, module: ModuleType) -> bool:
        """Register the class of this kind that a plug-in's file defines, under the file's name; false if none is."""
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
        """Drop what `add_file` registered."""
        self._files.clear()

    def _built_in(self) -> list[Entry[P]]:
        stems = _modules(self._package)
        return [Entry(_plugin_name(stem), "built in", self._loader(f"{self._package}.{stem}")) for stem in stems]

    def _loader(self, module: str) -> Callable[[], type[P]]:
        return lambda: _only_class(importlib.import_module(module), self._base)

    def _installed(self) -> list[Entry[P]]:
        own = __name__.partition(".")[0]
        entries = []
        for point in _entry_points(self._group):
            origin = _origin(point)
            is_own = point.value.startswith(f"{own}.")
            entries.append(Entry(point.name, "built in" if is_own else origin, point.load))
        return entries


def _pruned(name: str, source: type[Task]) -> type[Task]:
    from nacbench.protocols.pruning import pruned_task

    if source.source_task is not None:
        raise UserError(f"task {name!r} trains no network that could be pruned; prune {source.source_task!r}")
    return pruned_task(name, source)  # type: ignore[arg-type]  # classes can be hashed


def _tuning(name: str, source: type[Task]) -> type[Task]:
    from nacbench.protocols.tuning import tuning_task

    return tuning_task(name, source)  # type: ignore[arg-type]  # classes can be hashed


FAMILIES = {"-pruned": _pruned, "-tuning": _tuning}
TASKS: Registry[Task] = Registry("task", Task, "nacbench.tasks", "nacbench.tasks", FAMILIES)
MODELS: Registry[Model] = Registry("model", Model, "nacbench.baselines", "nacbench.models")


def load_plugin_file(path: Path) -> None:
    """Import one Python file and register the task, the model or both that it defines, under the file's name.

    Modules beside the file can be imported by their own names, now and later; what is installed goes before them. They
    count for the ids of runs. Data files beside it do not, as which of them are read is unknown.

    Raises:
        UserError: if the file is missing, fails to import, defines neither, or would get a module of the same name
            from another folder than its own.
    """
    if not path.is_file():
        raise UserError(f"no plug-in file {path}; --plugin takes the path of a Python file")
    place = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
    module_name = f"nacbench_plugin_{path.stem.replace('.', '_')}_{place}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"plug-in file {path} is not a Python file")
    _open_folder(path.resolve())
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[module_name]
        raise UserError(f"plug-in file {path} cannot be loaded: {type(error).__name__}: {error}") from error
    added = [registry.add_file(path, module) for registry in (TASKS, MODELS)]
    if not any(added):
        raise UserError(f"plug-in file {path} defines no subclass of nacbench.Task or nacbench.Model")


_FOLDERS: list[Path] = []  # that plug-in files were loaded from


def plugin_folders() -> tuple[Path, ...]:
    """Return the folders whose modules plug-in files may import: their own, and the working folder if on the path."""
    try:
        working = Path.cwd()
    except OSError:  # it was deleted
        return tuple(_FOLDERS)
    return (*_FOLDERS, working) if {"", str(working)} & set(sys.path) else tuple(_FOLDERS)


def _open_folder(file: Path) -> None:
    """Let a plug-in's file import what lies beside it, after all that is installed."""
    folder = file.parent
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # not at the front: a file called yaml.py must not take nacbench's place for it
    if folder not in _FOLDERS:
        _refuse_another_s_modules(file)
        _FOLDERS.append(folder)


def _refuse_another_s_modules(file: Path) -> None:
    """Refuse a file whose helper has the name of another folder's: Python would silently use the other one."""
    folder = file.parent
    others = {place for place in plugin_folders() if place != folder}
    for importer in [file, *imported_by([file], OwnCode((folder,)))]:
        for name in names_imported_by(importer):
            beside = next((path for path in (folder / name, folder / f"{name}.py") if path.exists()), None)
            place = place_of(name)
            if beside and place in others:
                raise UserError(
                    f"plug-in file {file} imports {name!r}, which lies beside it and in {place}, too, and only one of "
                    "them can be loaded; rename one"
                )


@cache
def _entry_points(group: str) -> tuple[importlib.metadata.EntryPoint, ...]:
    return tuple(importlib.metadata.entry_points(group=group))


@cache
def _origin(point: importlib.metadata.EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "a package"


def _modules(package: str) -> tuple[str, ...]:
    return _modules_in(tuple(importlib.import_module(package).__path__))


@cache
def _modules_in(folders: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(info.name for info in pkgutil.iter_modules(folders) if not info.name.startswith("_"))


def _plugin_name(stem: str) -> str:
    return stem.replace("_", "-")


def _where(entry: Entry[P]) -> str:
    return "built in" if entry.origin == "built in" else f"from {entry.origin}"


def _defined(module: ModuleType, base: type[P]) -> list[type[P]]:
    """The classes of this kind that a module itself defines, not those it imported."""
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, base) and value.__module__ == module.__name__
    ]


def _only_class(module: ModuleType, base: type[P]) -> type[P]:
    classes = _defined(module, base)
    if len(classes) != 1:
        raise UserError(
            f"{module.__file__} must define exactly one subclass of {base.__name__}, but defines {len(classes)}"
        )
    return classes[0]
