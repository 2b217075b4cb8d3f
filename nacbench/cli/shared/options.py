"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from nacbench.data.mirror.places import data_root_of

__all__ = ["DataRoot", "Json", "Plugins", "data_root_of", "load_plugins"]


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
