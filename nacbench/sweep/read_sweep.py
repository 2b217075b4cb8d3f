"""Read sweeps: YAML files, which may extend each other, and the suites that come with nacbench."""

import os
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nacbench.errors import UserError, first_problem, shown, unknown
from nacbench.formats.extending import Layer, read_layers
from nacbench.sweep.block import MAX_RUNS, MOST_RUNS, Block
from nacbench.sweep.config import DERIVED, SweepConfig
from nacbench.sweep.content import content_of
from nacbench.sweep.part import Values

KEYS = (*Block.model_fields, "include", *(key for key in SweepConfig.model_fields if key not in DERIVED))


def read_sweep(name: str, max_runs: int | None = None) -> SweepConfig:
    """Read a sweep from a YAML file, or the suite of this name.

    Args:
        name: path or suite.
        max_runs: instead of the file's.

    Raises:
        UserError: if there is no such file or suite, or the file is not a sweep; the message names the key.
            Also if ``max_runs`` is more than a sweep may have.
    """
    if max_runs is not None and max_runs > MOST_RUNS:
        raise UserError(f"--max-runs {max_runs}: a sweep has {MOST_RUNS:,} runs at most; make several sweeps")
    path = Path(name)
    looks_like_file = path.suffix in (".yaml", ".yml") or len(path.parts) > 1
    if not looks_like_file and not path.is_file():
        if name not in suites():
            raise unknown("suite", name, suites())
        path = _suite(name)
    layers = read_layers([path], KEYS, find=_found)
    if max_runs is not None:
        layers[-1].settings["max_runs"] = max_runs
    return _parsed(layers)


def _found(path: Path) -> Path:
    """Return the file that a sweep extends: at this path or, if there is none, the suite of this name."""
    # of a name that is too long for the file system, Path.exists raises an error
    if os.path.exists(path):  # noqa: PTH110
        return path
    if path.name in suites():
        return _suite(path.name)
    if not path.suffix:
        raise UserError(f"extends: there is no file {path}, and {unknown('suite', path.name, suites())}")
    return path


def _suite(name: str) -> Path:
    return Path(str(files("nacbench.sweep.suites").joinpath(f"{name}.yaml")))


def suites() -> list[str]:
    """Return the names of the sweeps that come with nacbench."""
    names = (entry.name for entry in files("nacbench.sweep.suites").iterdir())
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


def parse_sweep(content: Mapping[str, Any], path: Path) -> SweepConfig:
    """Parse the content of a sweep's file.

    Args:
        content: keys and values of the file.
        path: of the file, for messages; a profile may be a path relative to its folder, and ``choices`` is one.

    Raises:
        UserError: if the content is not a sweep; the message names the key.
    """
    return _parsed([Layer(str(path), dict(content))])


def _parsed(layers: Sequence[Layer]) -> SweepConfig:
    """Parse the content of the last of some files, which extends the others."""
    content, places = content_of(layers, KEYS)
    path = layers[-1].path
    top = {key: content.pop(key) for key in Block.model_fields if key in content}
    include = content.pop("include", ())
    if not isinstance(include, Sequence) or not all(isinstance(block, Mapping) for block in include):
        raise UserError(
            f"{places['include']}: include = {shown(include)}: write a list of blocks, each with its tasks and models; "
            "a file to start from is named by extends"
        )
    whole = {"tasks", "models"} <= top.keys()
    grids = [("", top)] if whole or (top and not include) else []  # otherwise the top only has shared settings
    grids += [(f"include.{index}", block) for index, block in enumerate(include)]
    most = content.get("max_runs", MAX_RUNS)
    most = most if type(most) is int and most <= MOST_RUNS else MAX_RUNS  # SweepConfig refuses another value
    blocks = [_block(block, top, place, path, places, most) for place, block in grids]
    try:
        return SweepConfig.model_validate({"name": path.stem, **content, "blocks": blocks})
    except ValidationError as error:
        key = error.errors()[0]["loc"][:1]
        raise UserError(f"{places.get(str(*key), path)}: {first_problem(error, '')}") from None


def _block(own: Values, top: Values, name: str, path: Path, places: Mapping[str, str], most: int) -> Block:
    """Make a block from its own settings and those it inherits from the top.

    Args:
        own: settings of the block.
        top: settings at the top of the file.
        name: of the block in messages, such as ``include.0``; empty for the top itself.
        path: of the file, for messages.
        places: file of each key at the top.
        most: number of runs that the sweep may have.

    Raises:
        UserError: if the block is not valid; the message names the key where the file has it.
    """
    try:
        return Block.model_validate({**top, **own}, context={"max_runs": most})
    except ValidationError as error:
        where = error.errors()[0]["loc"]  # empty, if keys do not agree with each other
        key = str(where[0]) if where else "include"
        is_own = not where or key in own or key not in top
        file = places.get("include" if is_own and name else key, path)
        raise UserError(f"{file}: {first_problem(error, name if is_own else '')}") from None
