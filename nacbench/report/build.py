"""A report: tables in three formats and the learning curves, from folders of runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nacbench.errors import UserError
from nacbench.files import write_text
from nacbench.report.plots import curve_rows, draw_curves, save_figure
from nacbench.report.protocols import shift_table, shots_table
from nacbench.report.scores import score_table
from nacbench.report.series import group
from nacbench.results.record import RECORD
from nacbench.results.store import find, read_store


@dataclass(frozen=True)
class Report:
    """What was written: the files, the tables as Markdown, and what could not be counted."""

    files: Sequence[Path]
    markdown: str
    warnings: Sequence[str]


def build_report(stores: Sequence[Path], out: Path) -> Report:
    """Write ``table.md``, ``table.tex``, a CSV for each table, ``curves.png`` and ``curves.pdf``.

    Args:
        stores: folders of runs.
        out: folder to write to; files of these names there are replaced.

    Raises:
        UserError: if a folder does not exist, or none holds a finished run.
    """
    records, failures, broken = read_store(*stores)
    if not records:
        named = ", ".join(str(store) for store in stores)
        raise UserError(f"no finished run in {named}; make one with: nacbench run --task digits --model nac")
    series = group(records)
    found = (score_table(series, failures), shift_table(series), shots_table(series))
    tables = [table for table in found if table is not None]
    parts = [tables[0].markdown(), *(f"## {table.title}\n\n{table.markdown()}" for table in tables[1:])]
    markdown = "\n".join(parts)
    files = [out / "table.md", out / "table.tex", *(out / f"{table.name}.csv" for table in tables)]
    write_text(files[0], markdown)
    write_text(files[1], "\n".join(table.latex() for table in tables))
    for file, table in zip(files[2:], tables, strict=True):
        write_text(file, table.frame.to_csv(index=False))
    folders = {path.parent.name: path.parent for store in stores for path in find(store, RECORD)}
    curves = curve_rows(series, folders)
    if len(curves):
        files += save_figure(draw_curves(curves), out / "curves")
    failed = [f"{f.task} · {f.model} · seed {f.seed} failed: {f.reason}" for f in failures if f.status == "failed"]
    return Report(files, markdown, [*broken, *failed])
