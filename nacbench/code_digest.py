"""Digests of what source files compute: for the identity of runs, and for data that was made by code."""

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent

# What a plug-in may build on; its digest follows its imports through these …
FOLLOWED = ("data", "nac", "protocols", "tokenizers", "tasks", "baselines")
# … but not into how files are got and kept: what is in them is in the data's fingerprint.
NOT_FOLLOWED = tuple(
    f"data.{name}" for name in ("cache", "hub", "intake", "manifest", "packed", "places", "source", "unpack")
)


def code_digest(files: Iterable[Path]) -> str:
    """Twelve hexadecimal digits over what these files compute: comments, docstrings and layout do not count."""
    return short_digest("".join(f"{file.name}{meaning_of(file)}" for file in files).encode())


def imported_by(files: list[Path]) -> list[Path]:
    """The suite's own files that these import, and what those import, as far as numbers can depend on them."""
    found: dict[str, Path] = {}
    waiting = list(files)
    while waiting:
        for module in _modules_named_in(waiting.pop()):
            path = ROOT.joinpath(*module.split("."))
            file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            if module not in found and module not in NOT_FOLLOWED and file.is_file() and file not in files:
                found[module] = file
                waiting.append(file)
    return [found[module] for module in sorted(found)]


@cache
def _modules_named_in(file: Path) -> tuple[str, ...]:
    """Modules below ``nacbench`` (``data.live``) that a file imports, at whatever depth, and that are followed."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    own = (name.removeprefix("nacbench.") for name in names if name.startswith("nacbench."))
    return tuple(sorted(name for name in own if name.partition(".")[0] in FOLLOWED))


def source_files(place: Path) -> list[Path]:
    """A file, or all Python files of a folder, sorted."""
    return sorted(place.rglob("*.py")) if place.is_dir() else [place]


@cache
def meaning_of(file: Path) -> str:
    """What a source file computes, as text: without docstrings, comments and layout, and alike on every Python."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def short_digest(content: bytes) -> str:
    """The first twelve hexadecimal digits of a SHA-256."""
    return hashlib.sha256(content).hexdigest()[:12]
