"""``nacbench tag``: give runs tags and notes, take them away, or print them."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nacbench.cli.shared.completion import complete_run
from nacbench.errors import UserError, unknown
from nacbench.formats.terminal import say

if TYPE_CHECKING:
    from nacbench.recording.tags import Tags


def tag(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN…", autocompletion=complete_run, help="Folders of runs, or first characters of their ids."
        ),
    ],
    add: Annotated[
        list[str] | None, typer.Option("--add", metavar="NAME", help="A tag to add; can be given again.")
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", metavar="NAME", help="A tag to remove; can be given again.")
    ] = None,
    note: Annotated[
        list[str] | None, typer.Option("--note", metavar="TEXT", help="A note to add; can be given again.")
    ] = None,
    remove_note: Annotated[
        list[str] | None,
        typer.Option("--remove-note", metavar="TEXT", help="A note to remove, word for word; can be given again."),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where ids are looked up.")] = Path("runs"),
) -> None:
    """Give runs tags and notes, to find them by: --where tag=NAME. Without options, print those that they have.

    They lie beside the record, which never changes, and are not part of the id.
    """
    from nacbench.recording import tags as kept

    more = kept.given(add or [], note or [])
    less = kept.given(remove or [], remove_note or [])
    if both := sorted({*more.tags, *more.notes} & {*less.tags, *less.notes}):
        raise UserError(f"{both[0]!r} is to be added and to be removed; choose one")
    folders = [_folder(name, out) for name in dict.fromkeys(runs)]
    found = [kept.read_tags(folder) for folder in folders]  # all are checked before one is changed
    _refuse_absent(less, found)
    for folder in folders:
        if more:
            folder.mkdir(parents=True, exist_ok=True)  # of a run that has not begun; it begins with them
        changes = (more or less) and folder.is_dir()
        now = kept.change_tags(folder, lambda own: own.without(less).also(more)) if changes else None
        say(f"{folder}: {kept.read_tags(folder) if now is None else now}")


def _folder(name: str, store: Path) -> Path:
    """Return the folder of a run, whether it is finished, failed, goes on, or is submitted and will have the folder.

    Raises:
        UserError: if there is none.
    """
    from nacbench.recording.locate import locate
    from nacbench.recording.record import FAILURE, RECORD
    from nacbench.recording.store import STATE

    with suppress(UserError):  # `one_run` says why, unless it finds the run
        folder = locate(name, store)
        if any((folder / file).is_file() for file in (RECORD, FAILURE, STATE)):
            return folder
    from nacbench.sweep.listing import one_run

    return Path(one_run(name, store)[0].folder)


def _refuse_absent(less: "Tags", found: "Sequence[Tags]") -> None:
    """Refuse to remove what none of the runs has: it is probably misspelt."""
    tags = {tag for own in found for tag in own.tags}
    notes = {note for own in found for note in own.notes}
    for kind, wanted, there in (("tag", less.tags, tags), ("note", less.notes, notes)):
        for one in wanted:
            if one not in there:
                raise unknown(f"{kind} of these runs", one, there)
