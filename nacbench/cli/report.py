"""``nacbench report``: tables and plots from finished runs."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="FOLDER…", help="Folders of runs, such as runs/.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the report goes.")] = Path("report"),
    html: Annotated[
        bool, typer.Option("--html", help="Write index.html, too: one page that needs no network.")
    ] = False,
    mixed: Annotated[
        bool, typer.Option("--mixed", help="Show runs of a task together though code, data or scale differ.")
    ] = False,
) -> None:
    """Write tables (table.md, table.tex, a CSV each) and figures, and print the tables.

    Every value is a mean over seeds with its 95 % t interval; bold is what is significantly the best.
    """
    from nacbench.reporting.build import build_report

    built = build_report(runs, out, mixed=mixed, html=html)
    typer.echo(built.text)
    for warning in built.warnings:
        typer.echo(f"warning: {warning}", err=True)
    for path in built.files:
        typer.echo(str(path))
