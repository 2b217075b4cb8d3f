"""``nacbench why``: compare the identities of two runs field by field."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nacbench.cli.shared.completion import complete_run
from nacbench.cli.shared.options import DataRoot, Plugins, data_root_of, load_plugins
from nacbench.cli.shared.warnings import warn
from nacbench.formats.terminal import say

if TYPE_CHECKING:
    from nacbench.recording.record import Environment
    from nacbench.running.identity import Identity


@dataclass(frozen=True)
class Side:
    """One of the two runs.

    Attributes:
        run_id: the name of the run's folder.
        identity: configuration, data and code that the id is a digest of.
        versions: of libraries that computed it or, for a configuration, of those installed; None if unknown.
        environment: of a finished run: hardware and software that computed it.
    """

    run_id: str
    identity: "Identity"
    versions: Mapping[str, str] | None = None
    environment: "Environment | None" = None


def why(
    a: Annotated[
        str,
        typer.Argument(
            metavar="A", autocompletion=complete_run, help="A run's folder or id, or a configuration in YAML."
        ),
    ],
    b: Annotated[str, typer.Argument(metavar="B", autocompletion=complete_run, help="Another one.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where ids are looked up.")] = Path("runs"),
    data_root: DataRoot = None,
    plugin: Plugins = None,
) -> None:
    """Print the settings, data and code in which two runs differ, and so why their ids differ.

    Processor, threads, processes, versions of libraries and their settings are not part of an id. They are printed,
    too, if they differ, as they can change the last digits of a number.
    """
    load_plugins(plugin)
    root = data_root_of(data_root)
    ours, theirs = _side(a, out, root), _side(b, out, root)
    say(f"A {ours.run_id}  {a}")
    say(f"B {theirs.run_id}  {b}")
    differences = ours.identity.differences(theirs.identity)
    if differences:
        _echo_rows([("", "A", "B"), *differences])
    else:
        say("The same run: configuration, data and code are equal.")
    besides = _besides(ours, theirs)
    if besides:
        say("Not part of the id, but can change the last digits:")
        _echo_rows(besides)


def _besides(ours: Side, theirs: Side) -> list[tuple[str, str, str]]:
    """Return what differs around two runs; of a configuration, versions alone; nothing if one side is unknown."""
    from nacbench.machine.software import other_versions
    from nacbench.recording.surroundings import NO_ROUNDING, differing_surroundings

    if ours.environment is not None and theirs.environment is not None:
        rows = differing_surroundings(ours.environment, theirs.environment)
        return [row for row in rows if row[0] not in NO_ROUNDING]
    if ours.versions is None or theirs.versions is None:
        return []
    return [(name, *values) for name, values in other_versions(ours.versions, theirs.versions).items()]


def _echo_rows(rows: Iterable[tuple[str, str, str]]) -> None:
    rows = list(rows)
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _side(name: str, store: Path, data_root: Path) -> Side:
    """Read a run's folder, the run with this id, or a configuration file with the current data, code and libraries."""
    from nacbench.errors import UserError
    from nacbench.machine.software import library_versions
    from nacbench.plugin_files import load_plugin_files
    from nacbench.running.config_files import read_run_files, resolved
    from nacbench.running.identity import Identity
    from nacbench.running.runner import identify

    path = Path(name)
    if path.is_file() and path.suffix in (".yaml", ".yml"):
        files = read_run_files([path])
        load_plugin_files(files.plugins)
        identity = identify(resolved(files.layers, store), data_root)
        return Side(identity.run_id, identity, library_versions())
    from nacbench.recording.locate import locate
    from nacbench.recording.store import finished, read_state

    try:
        folder = locate(name, store)
    except UserError as error:
        raise UserError(f"{error}, and it is not a configuration file (.yaml)") from None
    try:
        record = finished(folder)
    except UserError as error:  # the identity in state.json can still be compared
        warn([str(error)])
        record = None
    if record is not None:
        identity = Identity.model_validate(record.identity)
        return Side(record.run_id, identity, record.environment.versions, record.environment)
    state = read_state(folder)
    if state is None:
        raise UserError(f"{folder} is not a run's folder: it has no record, and its state.json is missing or broken")
    # The name, not the digest: an older run's id was made with older names of fields
    return Side(folder.resolve().name, Identity.model_validate(state.identity))
