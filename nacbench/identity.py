"""What makes a run the run that it is: its configuration, its data, and the code that computes."""

import ast
import hashlib
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

import nacbench
from nacbench.config import RunConfig
from nacbench.plugin import Plugin
from nacbench.registry import MODELS, TASKS

ROOT = Path(nacbench.__file__).parent
ENGINE = ("training", "network.py", "recipe.py", "runner.py", "scoring.py", "seeds.py", "task.py")

# What a plug-in may build on; its digest follows its imports through these …
FOLLOWED = ("data", "nac", "protocols", "tokenizers", "tasks", "baselines")
# … but not into how files are got and kept: what is in them is in the data's fingerprint.
NOT_FOLLOWED = tuple(
    f"data.{name}" for name in ("cache", "hub", "intake", "manifest", "packed", "places", "source", "unpack")
)


class Identity(BaseModel):
    """Everything that a run's number depends on. Same identity, same number (up to the device's rounding).

    Attributes:
        config: the whole `RunConfig` as plain data.
        task_version: `nacbench.task.Task.version`.
        data: the fingerprint of the examples.
        code: a digest each of the engine, of the task and of the model with all that they build on, of what their
            source computes: comments, docstrings and layout do not count.
        source: the id of the run that the network is taken from, if there is one.
    """

    model_config = ConfigDict(frozen=True)

    config: dict[str, Any]
    task_version: int
    data: str
    code: dict[str, str]
    source: str | None = None

    @property
    def run_id(self) -> str:
        """Twelve hexadecimal digits."""
        return digest(json.dumps(self.as_dict(), sort_keys=True).encode())

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for the record."""
        return self.model_dump(exclude={"source"} if self.source is None else set())

    @classmethod
    def of(cls, config: RunConfig, data_fingerprint: str, source: "Identity | None" = None) -> "Identity":
        """The identity of a configuration on data with this fingerprint, computed by the code that is installed."""
        task, model = TASKS.get(config.task.name), MODELS.get(config.model.name)
        return cls(
            config=config.as_dict(),
            task_version=task.version,
            data=data_fingerprint,
            code={"engine": _engine_digest(), "task": _plugin_digest(task), "model": _plugin_digest(model)},
            source=source.run_id if source else None,
        )

    def differences(self, other: "Identity") -> list[tuple[str, str, str]]:
        """Every field in which two identities differ, with both values as text; a field that one lacks is ``—``."""
        ours, theirs = flatten(self.as_dict()), flatten(other.as_dict())
        return [
            (key.removeprefix("config."), ours.get(key, "—"), theirs.get(key, "—"))
            for key in dict.fromkeys([*ours, *theirs])
            if ours.get(key, "—") != theirs.get(key, "—")
        ]


def digest(content: bytes) -> str:
    """The first twelve hexadecimal digits of a SHA-256."""
    return hashlib.sha256(content).hexdigest()[:12]


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested mappings as one, with dotted keys and values as text."""
    flat: dict[str, str] = {}
    for key, value in tree.items():
        path = f"{prefix}{key}"
        flat |= flatten(value, f"{path}.") if isinstance(value, dict) else {path: _text(value)}
    return flat


def _text(value: Any) -> str:
    """A value as text; a string keeps its quotes where something else would read the same, such as the number 7."""
    if not isinstance(value, str):
        return json.dumps(value)
    try:
        return json.dumps(value) if json.dumps(json.loads(value)) == value else value
    except ValueError:
        return value


@cache
def _engine_digest() -> str:
    return _digest_of([file for name in ENGINE for file in _sources(ROOT / name)])


def _plugin_digest(cls: type[Plugin]) -> str:
    """Of the plug-in's own file, or all of the package that it brings, and of what they import of the suite's own."""
    file = sys.modules[cls.__module__].__file__
    assert file is not None
    package = cls.__module__.rpartition(".")[0]
    shared = package in ("", "nacbench.tasks", "nacbench.baselines")
    own = _sources(Path(file) if shared else Path(file).parent)
    return _digest_of([*own, *_imported(own)])


def _digest_of(files: list[Path]) -> str:
    return digest("".join(f"{file.name}{_meaning(file)}" for file in files).encode())


def _imported(files: list[Path]) -> list[Path]:
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


def _sources(place: Path) -> list[Path]:
    return sorted(place.rglob("*.py")) if place.is_dir() else [place]


@cache
def _meaning(file: Path) -> str:
    """What a source file computes, as text: without docstrings, comments and layout, and alike on every Python."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)
