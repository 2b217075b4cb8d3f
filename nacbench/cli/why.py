"""``nacbench why``: field by field, why two runs are not the same run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nacbench.cli.shared.options import DataRoot, Plugins, data_root_of, load_plugins

if TYPE_CHECKING:
    from nacbench.running.identity import Identity


def why(
    a: Annotated[str, typer.Argument(metavar="A", help="A run's folder or id, or a configuration in YAML.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where ids are looked up.")] = Path("runs"),
    data_root: DataRoot = None,
    plugin: Plugins = None,
) -> None:
    """Say in which settings, data or code two runs differ, and so why their ids do."""
    load_plugins(plugin)
    root = data_root_of(data_root)
    (our_id, ours), (their_id, theirs) = _identity(a, out, root), _identity(b, out, root)
    typer.echo(f"A {our_id}  {a}")
    typer.echo(f"B {their_id}  {b}")
    differences = ours.differences(theirs)
    if not differences:
        typer.echo("The same run: nothing that determines its number differs.")
        return
    rows = [("", "A", "B"), *differences]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _identity(name: str, store: Path, data_root: Path) -> "tuple[str, Identity]":
    """Return id and identity of a run folder, a run with this id, or a configuration file on the data at hand."""
    from nacbench.errors import UserError
    from nacbench.running.config import read_yaml, resolve
    from nacbench.running.identity import Identity
    from nacbench.running.runner import identify

    path = Path(name)
    if path.is_file() and path.suffix in (".yaml", ".yml"):
        identity = identify(resolve(read_yaml(path)), data_root)
        return identity.run_id, identity
    from nacbench.recording.store import locate, read_state

    try:
        folder = locate(name, store)
    except UserError as error:
        raise UserError(f"{error}, and it is no configuration (.yaml) file") from None
    state = read_state(folder)
    if "identity" not in state:
        raise UserError(f"{folder} holds no run: its state.json is missing or broken")
    # the id is not computed again: that of an older run is the digest of older names
    return folder.resolve().name, Identity.model_validate(state["identity"])
