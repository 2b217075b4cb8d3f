"""How a card says that a network is loaded, and that another training begins with it: as it can be typed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from shlex import quote
from typing import Any

from nacbench.errors import UserError
from nacbench.formats.dotted import as_text, leaves
from nacbench.formats.yaml_text import parse_yaml
from nacbench.recording.record import RunRecord
from nacbench.registry import usual_size
from nacbench.running.config import RunConfig
from nacbench.running.resolve import resolve

UNSET = object()  # the usual value of a setting that the usual run does not have


def loading(name: str, plugins: Sequence[str]) -> str:
    """Return the words of Python that load a folder.

    Args:
        name: of the folder.
        plugins: files of the plug-ins that it needs.
    """
    more = f", plugins={json.dumps(list(plugins))}" if plugins else ""
    return f"load({json.dumps(name)}{more})"


def beginning(record: RunRecord, shape: Sequence[str], plugins: Sequence[str]) -> str:
    """Return the command that begins another training with a network in a folder called FOLDER.

    Args:
        record: of the run.
        shape: as `shape_of` returns it.
        plugins: as for `loading`.
    """
    chosen = ["--task", record.task, "--model", record.model, "--scale", record.scale]
    chosen += [word for setting in shape for word in ("--set", setting)]
    chosen += [word for file in plugins for word in ("--plugin", file)]
    return f"nacbench run {' '.join(map(quote, chosen))} --init-from FOLDER"


def shape_of(config: RunConfig) -> list[str]:
    """Return the settings without which a network of the same task, model and scale would have another shape, as
    ``--set`` takes them: all of task and model that are not the usual ones of the scale.
    """
    return list(_unusual(config))


def _unusual(config: RunConfig) -> Iterator[str]:
    task, model = config.task, config.model
    if model.size != usual_size(type(config.task_plugin), config.scale, type(config.model_plugin)):
        yield f"model.size={_typed(model.size)}"
    usual = resolve({"task": task.name, "model": {"name": model.name, "size": model.size}, "scale": config.scale})
    for section in ("task", "model"):
        before, now = (leaves(one.as_dict()[section], f"{section}.") for one in (usual, config))
        yield from (f"{key}={_typed(value)}" for key, value in now.items() if before.get(key, UNSET) != value)


def _typed(value: Any) -> str:
    """Return a value as YAML that is read as the same again: ``01`` or nothing, as text, needs quotes."""
    text = as_text(value)
    try:
        same = parse_yaml(text, text) == value
    except UserError:
        same = False
    return text if same else json.dumps(value)
