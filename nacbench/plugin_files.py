"""Plug-in files: load tasks, models and protocols from single Python files (``--plugin FILE``) into the registries."""

import hashlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nacbench.code_digest import forgotten_on_error, imported_by, names_imported_by
from nacbench.code_digest.own_code import OwnCode, is_installed, place_of
from nacbench.errors import UserError, told
from nacbench.filesystem.working import working_folder_kept
from nacbench.machine.software import distribution_of
from nacbench.machine.worker import PACKAGE
from nacbench.registry import MODELS, PROTOCOLS, TASKS

MODULE = "nacbench_plugin_"  # names of plug-in files' modules start with it
_FOLDERS: list[Path] = []  # folders of the plug-in files that were loaded


def load_plugin_files(files: Iterable[str | os.PathLike[str]]) -> None:
    """Load each file by `load_plugin_file`, in this order.

    Raises:
        UserError: as `load_plugin_file`, for the first file that cannot be loaded.
    """
    for file in files:
        load_plugin_file(Path(file))


def load_plugin_file(path: Path) -> None:
    """Import one Python file and register the task, model and protocol that it defines, under the file's name.

    The file can import modules that lie beside it; installed modules of the same name take precedence. These modules
    count for the ids of runs. Data files beside it do not, since it is unknown which of them are read.

    Raises:
        UserError: if the file is missing, fails to import, defines no plug-in, or imports a module of which another
            plug-in's folder has one of the same name.
    """
    if not path.is_file():
        raise UserError(f"no plug-in file {path}; name a Python file")
    # With a digest of the path, since two files of one name in different folders must be two modules
    place = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:8]
    module_name = f"{MODULE}{path.stem.replace('.', '_')}_{place}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"plug-in file {path} is not a Python file")
    with _undone_on_error(path.resolve().parent):
        _make_importable(path.resolve())
        module = sys.modules.get(module_name)
        if module is None:  # not run again: objects of a first load would be of other classes of the same names
            module = importlib.util.module_from_spec(spec)
            sys.modules[module_name] = module  # before it runs: dataclasses look their module up in sys.modules
            try:
                with working_folder_kept():
                    spec.loader.exec_module(module)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # a plug-in can raise anything; its exit() would look like success
                raise UserError(f"plug-in file {path} cannot be loaded: {told(error)}") from error
        added = [registry.add_file(path, module) for registry in (TASKS, MODELS, PROTOCOLS)]
        if not any(added):
            raise UserError(
                f"plug-in file {path} defines no task, model or protocol; define a subclass of nacbench.Task, "
                "nacbench.EvaluationTask, nacbench.Model or nacbench.Protocol that has a title"
            )


@contextmanager
def _undone_on_error(folder: Path) -> Iterator[None]:
    """Forget what a block that raises has imported from a folder and read, so that it can be corrected and loaded.

    Helper modules, too: Python would go on with the old ones, and ids be those of the new ones.
    """
    known = set(sys.modules)
    try:
        with forgotten_on_error():
            yield
    except BaseException:
        for name in set(sys.modules) - known:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and Path(file).resolve().is_relative_to(folder):
                del sys.modules[name]
        raise


def plugin_folders() -> tuple[Path, ...]:
    """Return the folders whose modules plug-in files may import.

    These are the folders of the files, and the working folder if it is in ``sys.path``.
    """
    try:
        working = Path.cwd()
    except OSError:  # it was deleted
        return tuple(_FOLDERS)
    return (*_FOLDERS, working) if {"", str(working)} & set(sys.path) else tuple(_FOLDERS)


def plugin_line(error: BaseException) -> str | None:
    """Return the innermost line of a plug-in that an exception passed through, as ``mine.py, line 12``, or None."""
    found = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = Path(frame.f_code.co_filename)
        if _is_of_a_plugin(file, str(frame.f_globals.get("__name__", ""))):
            found = f"{file.name}, line {line}"
    return found


def _is_of_a_plugin(file: Path, module: str) -> bool:
    if module == "nacbench" or module.startswith("nacbench.") or file.is_relative_to(PACKAGE):
        return False
    beside = any(file.is_relative_to(folder) for folder in _FOLDERS) and not is_installed(file.parent)
    return beside or module.startswith(MODULE) or distribution_of(module.partition(".")[0]) is not None


def _make_importable(file: Path) -> None:
    """Add a plug-in file's folder to the end of ``sys.path``."""
    folder = file.parent
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # not at the front, where a yaml.py in it would be imported instead of PyYAML
    # This also reads the file and all that it imports, so that later edits can be told from what is loaded
    _refuse_ambiguous_modules(file)
    if folder not in _FOLDERS:
        _FOLDERS.append(folder)


def _refuse_ambiguous_modules(file: Path) -> None:
    """Refuse a plug-in file that imports a module beside it, if Python has or finds one of that name elsewhere.

    Python loads only one module of a name, so the plug-in would silently get the other one: a module beside another
    plug-in, in the working folder, or imported before in a notebook. What is installed takes precedence, as always.

    Raises:
        UserError: if there is such a module.
    """
    folder = file.parent
    for importer in [file, *imported_by([file], OwnCode((folder,)))]:
        for name in names_imported_by(importer):
            is_beside = any(path.exists() for path in (folder / name, folder / f"{name}.py"))
            place = place_of(name)
            if is_beside and place not in (None, folder) and not is_installed(place):
                raise UserError(
                    f"plug-in file {file} imports {name!r}, which lies beside it and also in {place}; Python can load "
                    "only one of them; rename one"
                )
