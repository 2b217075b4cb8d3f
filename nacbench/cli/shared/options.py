"""Options that several commands share, and shell completion of names."""

from pathlib import Path
from typing import Annotated

import typer

from nacbench.data.mirror.places import data_root_of

__all__ = [
    "DataRoot",
    "Json",
    "Plugins",
    "complete_model",
    "complete_task",
    "complete_tracker",
    "data_root_of",
    "load_plugins",
]


def _names(kind: str, incomplete: str) -> list[str]:
    from nacbench.registry import MODELS, TASKS

    names = TASKS.names(incomplete) if kind == "task" else MODELS.names()
    return [name for name in names if name.startswith(incomplete)]


def complete_task(incomplete: str) -> list[str]:
    """Return task names that start with `incomplete`, for shell completion."""
    return _names("task", incomplete)


def complete_model(incomplete: str) -> list[str]:
    """Return model names that start with `incomplete`, for shell completion."""
    return _names("model", incomplete)


def complete_tracker(incomplete: str) -> list[str]:
    """Return names of trackers that start with `incomplete`, for shell completion."""
    from nacbench.tracking.known import TRACKERS

    return [name for name in TRACKERS.entries() if name.startswith(incomplete)]


Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin", metavar="FILE", help="A Python file that defines a task, model or protocol; can be given again."
    ),
]
DataRoot = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER", help="Data sets, laid out like the Hugging Face hub.  [dim]\\[env: NACBENCH_DATA][/dim]"
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def load_plugins(files: list[Path] | None) -> None:
    """Load plug-in files and register their tasks, models and protocols.

    Raises:
        UserError: if a file cannot be loaded or defines no plug-in.
    """
    from nacbench.plugin_files import load_plugin_files

    load_plugin_files(files or [])
