"""``nacbench data``: bring data to this machine before jobs without a network need it."""

from typing import Annotated

import typer

from nacbench.cli.options import DataRoot, complete_task, data_root_of

app = typer.Typer(no_args_is_help=True, help="Bring data to this machine.")


@app.callback()
def _group() -> None:
    pass


@app.command()
def fetch(
    tasks: Annotated[
        list[str], typer.Argument(metavar="TASK…", autocompletion=complete_task, help="See: nacbench tasks.")
    ],
    data_root: DataRoot = None,
) -> None:
    """Fetch the data of tasks into the mirror and decode it into the cache: on a cluster, do it on the login node."""
    from nacbench.registry import TASKS

    root = data_root_of(data_root)
    chosen = {name: TASKS.get(name)() for name in tasks}
    for name, task in chosen.items():
        task.prepare(root)
        typer.echo(f"{name}: ready, fingerprint {task.fingerprint(root)}")
