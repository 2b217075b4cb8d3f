"""Digests of what code computes: for the identity of runs, and for data that code made.

What decides a number is told by folders: the engine's always count, and a plug-in counts with what it imports, as far
as the rules below follow it. How one file is read is told in `nacbench.code_meaning`.
"""

import ast
import hashlib
import importlib.util
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from nacbench.code_meaning import MARK, Meaning, meaning_of
from nacbench.errors import UserError

ROOT = Path(__file__).parent

# Every run is computed by these …
ENGINE = (
    "contracts",
    "nn",
    "training",
    "running/runner.py",
    "running/computation.py",
    "running/scoring.py",
    "seeds.py",
    "statistics.py",
)
# … and a plug-in by what it imports of these …
FOLLOWED = ("data", "nac", "protocols", "tasks", "baselines")
# … but not by how files are got and kept: what is in them is in the data's fingerprint.
NOT_FOLLOWED = ("data/mirror",)


@dataclass(frozen=True)
class OwnCode:
    """Where code lies that belongs to a plug-in from outside.

    Attributes:
        folders: modules and packages directly in these belong to it, if they are what Python finds.
        packages: only those with one of these names; None for any name.
    """

    folders: tuple[Path, ...] = ()
    packages: frozenset[str] | None = None


NO_OWN_CODE = OwnCode()


def short_digest(content: bytes) -> str:
    """Return the first twelve hexadecimal digits of a SHA-256."""
    return hashlib.sha256(content).hexdigest()[:12]


def code_digest(files: Iterable[Path], own: OwnCode = NO_OWN_CODE) -> str:
    """Return twelve hexadecimal digits over what these files compute; their names and order do not count.

    Raises:
        UserError: if a file cannot be read as Python.
    """
    texts = filter(None, (_rendered(file, own) for file in files))  # a file of nothing but a docstring adds nothing
    return short_digest("".join(sorted(short_digest(text.encode()) for text in texts)).encode())


def imported_by(files: Sequence[Path], own: OwnCode = NO_OWN_CODE) -> list[Path]:
    """Return the files that these import, directly or not, as far as numbers can depend on them, sorted.

    Imports in functions count, and modules that are imported by a name that is written down. Of a package in a
    package, the ``__init__.py`` of both are imported.
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
    """Return the files that importing a module runs, as far as numbers can depend on them; none for code of others."""
    return [file for file in _find_absolute(module, own).files if _is_followed(file)]


def engine_files() -> list[Path]:
    """Return the files that count for every run."""
    return [file for part in ENGINE for file in _python_files(ROOT / part)]


def names_imported_by(file: Path) -> set[str]:
    """Return the top-level names of the modules that a file imports, also inside functions."""
    return {name.partition(".")[0] for name in _read(file).reaches} - {""}


def plugins_named_in(files: Iterable[Path]) -> list[tuple[str, str]]:
    """Return kind and name of the plug-ins that files ask nacbench for (``get_task("digits")``), sorted."""
    return sorted({plugin for file in files for plugin in _read(file).plugins})


def place_of(name: str) -> Path | None:
    """Return the folder in which Python finds a top-level module; None for one without a folder or not installed."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # of a module that is loaded, and says nothing of itself
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).resolve().parent
    return Path(spec.origin).resolve().parent if spec.has_location and spec.origin else None


# -- files and modules -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Found:
    """What a dotted name leads to: the files that are run for it, the module's last, and the rest of the name."""

    files: tuple[Path, ...] = ()
    rest: tuple[str, ...] = ()


_NOTHING = _Found()


def _python_files(place: Path) -> list[Path]:
    return sorted(place.rglob("*.py")) if place.is_dir() else [place]


@cache
def _content(file: Path) -> bytes:
    return file.read_bytes()


def _read(file: Path) -> Meaning:
    try:
        return meaning_of(_content(file))
    except (OSError, SyntaxError, ValueError, RecursionError) as error:
        raise UserError(f"{file} cannot be loaded: {type(error).__name__}: {error}") from error


@cache
def _part_of_nacbench(file: Path) -> str | None:
    """Return a file's path below the package, None if it lies outside."""
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
    """Return a file's dotted name below the folder that it is imported from, without ``__init__``."""
    for folder in (ROOT.parent, *own.folders):
        if file.is_relative_to(folder):
            parts = file.relative_to(folder).with_suffix("").parts
            return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return file.stem


def _find(name: str, importer: Path, own: OwnCode) -> _Found:
    """Find the files behind a dotted name, if they are nacbench's or the plug-in's own; nothing for code of others."""
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
    if not own.folders or not parts[0] or (own.packages is not None and parts[0] not in own.packages):
        return _NOTHING
    place = place_of(parts[0])
    return _walk(place, parts) if place and place in own.folders else _NOTHING


def _walk(place: Path, parts: Sequence[str]) -> _Found:
    """Follow a dotted name as far as there are modules."""
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
    """Read the table of the public face: by name, the module that defines it."""
    for node in ast.parse(_content(ROOT / "__init__.py")).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == "_PUBLIC" for target in targets):
            table: dict[str, str] = ast.literal_eval(node.value)  # type: ignore[attr-defined]
            return table
    return {}


# -- a file's text, with what its imported names stand for ----------------------------------------------------------

_IMPORTED = re.compile(f"{MARK}([^{MARK}]*){MARK}")


@cache
def _rendered(file: Path, own: OwnCode) -> str:
    return _IMPORTED.sub(lambda match: _meaning_of_name(match[1], file, own), _read(file).text)


def _meaning_of_name(name: str, importer: Path, own: OwnCode) -> str:
    """Return what an imported name stands for: code of others by its dotted name, our own by what it computes.

    Where our own lies does not count: a module may move. Its name alone would not do, as two modules may have
    functions of one name; so there is a digest of the definition beside it, unless it lies where nothing decides a
    number.
    """
    found = _find(name, importer, own)
    if not found.files:
        return f"<{name}>"
    file = found.files[-1]
    digest = _definition_digest(file, found.rest[0] if found.rest else "", own) if _counts(file) else ""
    return f"<own {'.'.join(found.rest)} {digest}>"


@cache
def _definition_digest(file: Path, name: str, own: OwnCode) -> str:
    """Digest what defines a name in a module, or the whole module; of what that imports, only the names count."""
    meaning = _read(file)
    defined = meaning.definition(name)
    if defined is None and name in meaning.imports:  # it only passes on what another module defines
        passed_on = _find(meaning.imports[name], file, own)
        if passed_on.files and passed_on.files[-1] != file:
            return _definition_digest(passed_on.files[-1], ".".join(passed_on.rest[:1]), own)
    text = meaning.text if defined is None else defined
    return short_digest(_IMPORTED.sub(partial(_bare_name, file, own), text).encode())


def _bare_name(importer: Path, own: OwnCode, match: re.Match[str]) -> str:
    found = _find(match[1], importer, own)
    return f"<own {'.'.join(found.rest)}>" if found.files else f"<{match[1]}>"
