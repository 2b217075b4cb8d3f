"""``nacbench merge``, ``pack`` and ``unpack``: copy finished runs between folders and machines."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nacbench.cli.shared.tables import counted, size_text
from nacbench.cli.shared.warnings import warn
from nacbench.formats.terminal import say

if TYPE_CHECKING:
    from nacbench.recording.transfer import Merged

Stores = Annotated[list[Path], typer.Argument(metavar="FOLDER…", help="Folders of runs.")]
Into = Annotated[Path, typer.Option(metavar="FOLDER", help="The folder of runs to add them to.")]
Weights = Annotated[
    bool, typer.Option("--weights/--no-weights", help="Copy weights, which evaluation tasks and protocols need.")
]
Logits = Annotated[
    bool, typer.Option("--logits/--no-logits", help="Copy logits with the predictions; they take most of the space.")
]


def merge(stores: Stores, into: Into, weights: Weights = True, logits: Logits = True) -> None:
    """Copy all finished runs of some folders into another one, and why others failed or were skipped.

    It refuses if a run has different numbers in two of them.
    """
    from nacbench.recording.transfer import merge as make

    _tell(make(stores, into, weights=weights, logits=logits), into)


def pack(
    stores: Stores,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The archive to write, such as runs.tar.gz.")],
    weights: Weights = True,
    logits: Logits = True,
) -> None:
    """Write all finished runs into one archive, to copy them to another machine."""
    from nacbench.recording.transfer import pack as make

    packed = make(stores, out, weights=weights, logits=logits)
    warn(packed.broken)
    size = size_text(out.stat().st_size)
    say(f"{counted(packed.copied, 'run')}{_failed(packed)} in {out} ({size}); add them elsewhere with: nacbench unpack")


def unpack(
    archive: Annotated[Path, typer.Argument(metavar="FILE", help="An archive that nacbench pack wrote.")],
    into: Into,
) -> None:
    """Add the runs of an archive to a folder of runs. Archives with unsafe paths or links are refused."""
    from nacbench.data.mirror.unpack import unpack as safely
    from nacbench.recording.transfer import unpack_into

    _tell(unpack_into(archive, into, safely), into)


def _tell(merged: "Merged", into: Path) -> None:
    warn(merged.broken)
    there = f", {merged.there} {'was' if merged.there == 1 else 'were'} there already" if merged.there else ""
    say(f"{counted(merged.copied, 'run')}{_failed(merged)} copied into {into}{there}")
    if merged.completed:
        say(f"files that were missing or damaged were added to {counted(merged.completed, 'run')}")


def _failed(merged: "Merged") -> str:
    """Return what is said of runs without a record."""
    return f" and why {counted(merged.failed, 'other')} failed or had to be skipped" if merged.failed else ""
