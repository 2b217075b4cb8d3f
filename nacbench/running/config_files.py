"""Configuration files of a run, which may extend others; with tags and plug-ins, and where each value is from."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nacbench.errors import UserError, shown
from nacbench.formats.dotted import leaves
from nacbench.formats.escape import visible
from nacbench.formats.extending import EXTENDS, Layer, read_layers
from nacbench.formats.yaml_text import as_yaml
from nacbench.recording.tags import NOTHING, Tags, given
from nacbench.running.config import RunConfig
from nacbench.running.initial import located
from nacbench.running.known_settings import FIELDS
from nacbench.running.resolve import named, resolve

WORDS = (EXTENDS, "include")  # in a sweep `include` adds runs; a run's file has nothing else that it could mean
ABOUT = re.compile(r"unknown setting '(?P<unknown>[\w.]+)'|(?P<key>[\w.]+) = ")  # beginning of an error about one
BESIDES = ("tags", "notes", "plugins")  # keys of a file that are not settings


@dataclass(frozen=True)
class RunFiles:
    """What configuration files say.

    Attributes:
        layers: settings, in the order in which later ones override earlier ones.
        tags: tags and notes of all files together.
        plugins: plug-in files; of several files with this key the last one counts.
    """

    layers: Sequence[Layer] = ()
    tags: Tags = NOTHING
    plugins: Sequence[Path] = ()


def read_run_files(paths: Sequence[Path]) -> RunFiles:
    """Read configuration files and those that they extend; see `nacbench.formats.extending.read_layers`.

    Raises:
        UserError: if one cannot be read, or its tags, notes or plug-ins are not valid; the message names the file.
    """
    tags, plugins, layers = NOTHING, list[Path](), []
    for layer in read_layers(paths, FIELDS, words=WORDS):
        tags = tags.also(given(layer.settings.get("tags", ()), layer.settings.get("notes", ()), layer.place))
        if "plugins" in layer.settings:
            plugins = plugins_beside(layer.settings["plugins"], layer.path)
        own = {key: value for key, value in layer.settings.items() if key not in BESIDES}
        layers.append(Layer(layer.place, own, layer.lines))
    return RunFiles(layers, tags, plugins)


def resolved(layers: Sequence[Layer], store: Path) -> RunConfig:
    """Return the complete configuration of some layers; runs that are named by their ids are looked up in a store.

    Raises:
        UserError: as `nacbench.running.resolve.resolve`; an error about a value from a file names file and line.
    """
    try:
        return resolve(*(located(layer.settings, store) for layer in layers))
    except UserError as error:
        raise _placed(error, layers) from None


def _placed(error: UserError, layers: Sequence[Layer]) -> UserError:
    """Return an error about a setting with the file and line that it was read from, if it was read from one."""
    about = ABOUT.match(str(error))
    if about is None:
        return error
    name = about["unknown"] or about["key"]
    key = tuple(name.split("."))
    for layer in reversed(layers):
        key = (name,) if name in layer.settings else key  # with a dot in it
        if _has(named(layer.settings), key):
            return UserError(f"{layer.origin(key)}: {error}") if layer.lines else error
    return error


def _has(values: Mapping[str, Any], key: tuple[str, ...]) -> bool:
    inside: Any = values
    for part in key:
        if not isinstance(inside, Mapping) or part not in inside:
            return False
        inside = inside[part]
    return True


def plugins_beside(value: Any, path: Path) -> list[Path]:
    """Return the plug-in files that a file names, relative to its folder.

    Raises:
        UserError: if it is not a list of texts.
    """
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) and name for name in names):
        raise UserError(f"{path}: plugins = {shown(value)}: write a list of Python files")
    return [path.parent / name for name in names]


def with_origins(config: RunConfig, files: RunFiles, options: Sequence[Layer]) -> str:
    """Return a run's complete configuration as YAML, with a comment on where each value that was given comes from.

    Args:
        config: the configuration.
        files: what it was made of, with all tags and plug-ins.
        options: settings of the command line, which override those of files.
    """
    layers = [*files.layers, *options]
    origins = {key: layer.origin(key) for layer in layers for key in _paths(named(layer.settings))}
    besides = {
        "tags": files.tags.tags,
        "notes": files.tags.notes,
        "plugins": [str(file.resolve()) for file in files.plugins],
    }
    content = {**config.as_dict(), **{key: list(value) for key, value in besides.items() if value}}
    head = "# Values without a comment are defaults, or follow from others. Later places override earlier ones:"
    read = [f"#   {visible(place)}" for place in dict.fromkeys(layer.place for layer in layers)]
    return "\n".join([head, *read, *_lines(content, origins, ())])


def _paths(values: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [tuple(key.split(".")) for key in leaves(values)]


def _lines(tree: Mapping[str, Any], origins: Mapping[tuple[str, ...], str], inside: tuple[str, ...]) -> Iterator[str]:
    """Yield the lines of nested mappings."""
    indent = "  " * len(inside)
    for key, value in tree.items():
        path = (*inside, key)
        if isinstance(value, Mapping) and value:
            yield f"{indent}{key}:"
            yield from _lines(value, origins, path)
            continue
        first, *more = as_yaml({key: value}, width=sys.maxsize).splitlines()
        # a comment after the first of several lines could be within a text
        comment = f"  # {visible(origins[path])}" if path in origins else ""
        yield from [f"{indent}{first}{comment}"] if not more else [f"{indent}{line}" for line in (first, *more)]
