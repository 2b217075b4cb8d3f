"""Code digests: hashes of what code computes, used in the ids of runs and for cached data that code generates.

Folders decide which code counts: the engine always does, and a plug-in counts with the modules it imports from the
folders below. `nacbench.code_digest.meaning` reduces a file to what it computes, so that comments, docstrings, file
names and texts of errors do not count.
"""

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from nacbench.code_digest.meaning import MARK, Meaning, meaning_of
from nacbench.code_digest.own_code import NO_OWN_CODE, OwnCode, place_of
from nacbench.errors import UserError, told

ROOT = Path(__file__).parents[1]

# Engine: code that computes every run
ENGINE = (
    "contracts",
    "nn",
    "training",
    "running/runner.py",
    "running/computation.py",
    "running/scoring.py",
    "running/weights.py",
    "seeds.py",
    "statistics.py",
)
# Folders in which a plug-in's imports are followed. All of data/ for every run would not do: a fix in the generator of
# ListOps would then make all runs on CIFAR-10 stale.
FOLLOWED = ("data", "kernels", "nac", "protocols", "tasks", "baselines")
# Downloading and caching cannot change a number: the content of files is covered by the data's fingerprint.
NOT_FOLLOWED = ("data/mirror",)


def short_digest(content: bytes) -> str:
    """Return the first twelve hexadecimal digits of the SHA-256."""
    return hashlib.sha256(content).hexdigest()[:12]


def code_digest(files: Iterable[Path], own: OwnCode = NO_OWN_CODE) -> str:
    """Return a digest of what these files compute, twelve hexadecimal digits. File names and order do not count.

    Args:
        files: Python files.
        own: location of the plug-in's code, to resolve its imports.

    Raises:
        UserError: if a file cannot be read as Python.
    """
    texts = filter(None, (_rendered(file, own) for file in files))  # without empty ones, such as most __init__.py
    return short_digest("".join(sorted(short_digest(text.encode()) for text in texts)).encode())


def imported_by(files: Sequence[Path], own: OwnCode = NO_OWN_CODE) -> list[Path]:
    """Return the files that these files import, directly or indirectly, from folders that count; sorted.

    Imports inside functions count, and so does ``import_module`` with a literal name. Importing a module of a package
    also runs the ``__init__.py`` of every package above it.
    """
    found: set[Path] = set()
    waiting = list(files)
    while waiting:
        file = waiting.pop()
        names = (*_read(file).reaches, _module_of(file, own))
        new = {other for name in names for other in _find(name, file, own).files if _is_followed(other)}
        waiting += new - found
        found |= new
    return sorted(found - set(files))


def files_of(module: str, own: OwnCode = NO_OWN_CODE) -> list[Path]:
    """Return the files that run when a module is imported, from folders that count; none for code of others."""
    return [file for file in _find_absolute(module, own).files if _is_followed(file)]


def engine_files() -> list[Path]:
    """Return the files that count for every run."""
    return [file for part in ENGINE for file in _python_files(ROOT / part)]


def names_imported_by(file: Path) -> set[str]:
    """Return the top-level names of all modules that a file imports, including imports inside functions."""
    return {name.partition(".")[0] for name in _read(file).reaches} - {""}


def plugins_named_in(files: Iterable[Path]) -> list[tuple[str, str]]:
    """Return kind and name of the plug-ins that files ask nacbench for (``get_task("digits")``), sorted."""
    return sorted({plugin for file in files for plugin in _read(file).plugins})


def has_changed(file: Path) -> bool:
    """Return whether a file of a plug-in from outside no longer has the content that this process read first."""
    if _part_of_nacbench(file) is not None:
        return False
    try:
        return file.read_bytes() != _content(file)
    except OSError:  # it was deleted
        return True


@contextmanager
def forgotten_on_error() -> Iterator[None]:
    """Forget the files that are read in a block that raises, so that they are read again once they are corrected."""
    known = set(_CONTENTS)
    try:
        yield
    except BaseException:
        for file in set(_CONTENTS) - known:
            del _CONTENTS[file]
        raise


# -- files and modules -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Found:
    """Resolution of a dotted name: files that run to import it, the module's own last, and attributes after it."""

    files: tuple[Path, ...] = ()
    rest: tuple[str, ...] = ()


_NOTHING = _Found()


def _python_files(place: Path) -> list[Path]:
    return sorted(place.rglob("*.py")) if place.is_dir() else [place]


_CONTENTS: dict[Path, bytes] = {}  # of the files that this process has read


def _content(file: Path) -> bytes:
    if file not in _CONTENTS:
        _CONTENTS[file] = file.read_bytes()
    return _CONTENTS[file]


def _read(file: Path) -> Meaning:
    try:
        return meaning_of(_content(file))
    except (OSError, SyntaxError, ValueError, RecursionError) as error:
        raise UserError(f"{file} cannot be loaded: {told(error).replace('<unknown>, ', '')}") from error


@cache
def _part_of_nacbench(file: Path) -> str | None:
    """Return a file's path relative to the package nacbench, or None if it is outside."""
    return file.relative_to(ROOT).as_posix() if file.is_relative_to(ROOT) else None


def _is_followed(file: Path) -> bool:
    part = _part_of_nacbench(file)
    return part is None or (_within(part, FOLLOWED) and not _within(part, NOT_FOLLOWED))


def _counts(file: Path) -> bool:
    part = _part_of_nacbench(file)
    return _is_followed(file) or (part is not None and _within(part, ENGINE))


def _within(part: str, folders: tuple[str, ...]) -> bool:
    return any(part == folder or part.startswith(f"{folder}/") for folder in folders)


def _module_of(file: Path, own: OwnCode) -> str:
    """Return the dotted module name of a file, without ``__init__``."""
    for folder in (ROOT.parent, *own.folders):
        if file.is_relative_to(folder):
            break
    else:  # found by another path of Python's: below the folder of its uppermost package
        folder = file.parent
        while (folder / "__init__.py").is_file():
            folder = folder.parent
    parts = file.relative_to(folder).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _find(name: str, importer: Path, own: OwnCode) -> _Found:
    """Resolve an absolute or relative dotted name to nacbench's or the plug-in's code; nothing for code of others."""
    if name.startswith("."):
        package = _module_of(importer, own).split(".")
        level = len(name) - len(name.lstrip("."))
        kept = len(package) - level + (importer.name == "__init__.py")
        name = ".".join([*package[: max(kept, 0)], name[level:]]).strip(".")
    return _find_absolute(name, NO_OWN_CODE if _part_of_nacbench(importer) else own)


@cache
def _find_absolute(name: str, own: OwnCode) -> _Found:
    parts = name.split(".")
    if parts[0] == "nacbench":
        public = _public_names().get(".".join(parts[1:2]))
        return _walk(ROOT.parent, [*public.split("."), *parts[1:]] if public else parts)
    if own == NO_OWN_CODE or not parts[0]:
        return _NOTHING
    place = place_of(parts[0])
    return _walk(place, parts) if place and own.has(parts[0], place) else _NOTHING


def _walk(place: Path, parts: Sequence[str]) -> _Found:
    """Resolve a dotted name, starting in a folder, as far as there are packages and modules."""
    files: list[Path] = []
    for number, part in enumerate(parts):
        place = place / part
        package, module = place / "__init__.py", place.parent / f"{part}.py"
        if package.is_file():
            files.append(package)
        elif module.is_file():
            return _Found((*files, module), tuple(parts[number + 1 :]))
        elif not place.is_dir():
            return _Found(tuple(files), tuple(parts[number:]))
    return _Found(tuple(files))


@cache
def _public_names() -> dict[str, str]:
    """Return the table of ``nacbench/__init__.py``: for each public name, the module that defines it.

    Read from the syntax tree, since importing nacbench here would be circular.
    """
    for node in ast.parse(_content(ROOT / "__init__.py")).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == "_PUBLIC" for target in targets):
            table: dict[str, str] = ast.literal_eval(node.value)  # type: ignore[attr-defined]
            return table
    return {}


# -- a file's text with imported names resolved ----------------------------------------------------------------------

_IMPORTED = re.compile(f"{MARK}([^{MARK}]*){MARK}")


@cache
def _rendered(file: Path, own: OwnCode) -> str:
    return _IMPORTED.sub(lambda match: _meaning_of_name(match[1], file, own), _read(file).text)


def _meaning_of_name(name: str, importer: Path, own: OwnCode) -> str:
    """Return the text that stands for an imported name: the dotted name for code of others, a digest for our own.

    The module's name is left out for our own code, so that modules can move without changing ids. Since two modules
    may define the same name, a digest of the definition is added, unless the module is in a folder that does not count.
    """
    found = _find(name, importer, own)
    if not found.files:
        return f"<{name}>"
    file = found.files[-1]
    digest = _definition_digest(file, found.rest[0] if found.rest else "", own) if _counts(file) else ""
    return f"<own {'.'.join(found.rest)} {digest}>"


@cache
def _definition_digest(file: Path, name: str, own: OwnCode) -> str:
    """Return the digest of a name's definition in a module, or of the whole module if the name is not found.

    Names that the definition imports count only by name: their modules are in the plug-in's list of files already,
    and resolving them further could recurse without end.
    """
    meaning = _read(file)
    defined = meaning.definition(name)
    if defined is None and name in meaning.imports:  # a re-export: continue in the module that defines it
        passed_on = _find(meaning.imports[name], file, own)
        if passed_on.files and passed_on.files[-1] != file:
            return _definition_digest(passed_on.files[-1], ".".join(passed_on.rest[:1]), own)
    text = meaning.text if defined is None else defined
    return short_digest(_IMPORTED.sub(partial(_bare_name, file, own), text).encode())


def _bare_name(importer: Path, own: OwnCode, match: re.Match[str]) -> str:
    found = _find(match[1], importer, own)
    return f"<own {'.'.join(found.rest)}>" if found.files else f"<{match[1]}>"
