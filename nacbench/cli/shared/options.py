"""Options that several verbs share, and the completion of names."""

from pathlib import Path
from typing import Annotated

import typer


def _names(kind: str, incomplete: str) -> list[str]:
    from nacbench.registry import MODELS, TASKS

    names = TASKS.names(incomplete) if kind == "task" else MODELS.names()
    return [name for name in names if name.startswith(incomplete)]


def complete_task(incomplete: str) -> list[str]:
    """Task names for the shell."""
    return _names("task", incomplete)


def complete_model(incomplete: str) -> list[str]:
    """Model names for the shell."""
    return _names("model", incomplete)


Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin", metavar="FILE", help="A Python file that defines a task, model or protocol; can be given again."
    ),
]
DataRoot = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Mirror of data sets, like the hub.  [dim]\\[env: NACBENCH_DATA][/dim]"),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def load_plugins(files: list[Path] | None) -> None:
    """Register the tasks, models and protocols of these files."""
    from nacbench.registry import load_plugin_file

    for file in files or []:
        load_plugin_file(file)


def data_root_of(option: Path | None, *, new: bool = False) -> Path:
    """The mirror to use.

    Args:
        option: what the user named.
        new: it may be one that does not exist yet, as it will be filled.

    Raises:
        UserError: if a folder was named that does not exist, or what was named is not a folder.
    """
    from nacbench.data.mirror.places import default_data_root
    from nacbench.errors import UserError

    if option is None:
        return default_data_root()
    if not option.is_dir() and (option.exists() or not new):
        raise UserError(f"--data-root {option}: there is no such folder")
    return option
