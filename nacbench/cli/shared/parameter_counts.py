"""Parameters of models on tasks, kept in the cache: counting builds every network, which takes torch and seconds.

A count is kept under a digest of all that it follows from: the code of this package, the plug-ins' own code, the
installed packages and the configuration. What changes is counted again; nothing is ever out of date.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.code_digest import ROOT
from nacbench.data.mirror.places import cache_folder
from nacbench.filesystem.files import write_json
from nacbench.running.plugin_code import all_files

if TYPE_CHECKING:
    from nacbench.contracts.model import Model
    from nacbench.contracts.task import Task


def kept_count(model: Model, task: Task) -> int | None:
    """Return the parameters of a model on a task, tokenizer included, if they were counted before; imports no torch."""
    return _read().get(_key(model, task))


def count_and_keep(model: Model, task: Task) -> int:
    """Count the parameters of a model on a task, tokenizer included, and keep the number for `kept_count`."""
    from nacbench.profiling.sizing import parameters_of

    count = parameters_of(model, task)
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time only
        write_json(_file(), {**_read(), _key(model, task): count})
    return count


def _file() -> Path:
    return cache_folder() / "parameters" / f"{_everything_installed()}.json"


def _read() -> dict[str, int]:
    """Return what is kept; nothing where any of it is not as we write it."""
    try:
        content = json.loads(_file().read_bytes())
    except (OSError, ValueError):
        return {}
    # type() and not isinstance(): true is an int to Python
    whole = isinstance(content, dict) and all(type(count) is int and count >= 0 for count in content.values())
    return content if whole else {}


def _key(model: Model, task: Task) -> str:
    outside = [type(plugin) for plugin in (model, task) if not type(plugin).__module__.startswith("nacbench.")]
    files = sorted({file for cls in outside for file in all_files(cls)})
    parts = [
        *(f"{type(plugin).__module__}.{type(plugin).__qualname__} {plugin.options()!r}" for plugin in (model, task)),
        repr(task.spec()),
    ]
    return _digest([*(part.encode() for part in parts), *map(_content, files)])


@cache
def _everything_installed() -> str:
    """Return a digest of this package's code, and of the name and version of every installed package."""
    code = sorted(Path(folder, name) for folder, _, names in os.walk(ROOT, followlinks=True) for name in names)
    return _digest([*_versions(), *(_content(file) for file in code if file.suffix == ".py")])


def _versions() -> Iterator[bytes]:
    """Yield the names of the folders of metadata, which have the version in them: far quicker than reading them."""
    for entry in sys.path:
        # setuptools puts its own copies of libraries there when it is imported, as torch does to build kernels
        if entry.endswith("_vendor"):
            continue
        try:
            names = sorted(os.listdir(entry or "."))  # noqa: PTH208 (twice as fast)
        except OSError:
            continue
        yield from (name.encode() for name in names if name.endswith((".dist-info", ".egg-info")))


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


def _digest(parts: Iterable[bytes]) -> str:
    """Return a digest of some texts, each with its length, so that nothing can move from one to the next unseen."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(b"%d " % len(part) + part)
    return digest.hexdigest()[:32]
